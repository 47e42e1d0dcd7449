//! What is wrong in a configuration: all of it, in one answer.

mod kong;
mod nearest;
mod path;
mod render;
mod secrets;

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;
use uuid::Uuid;

pub use path::{Path, Step};
pub use render::Colour;
pub(crate) use render::{Drawing, excerpt, renderer};
pub(super) use secrets::is_secret;

use super::Span;

/// The most problems that are told: more would be noise, and a small file can make very many.
pub(super) const MOST_PROBLEMS: usize = 1_000;

/// One mistake: what Kong says about it, where it stands, and what would be right.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Kong's own words for it (compat A18 to A39, A49).
    pub message: String,
    /// Where in the configuration: `services[1].routes[0].paths[2]`.
    pub path: Path,
    /// Where in the text, if there is one.
    pub span: Option<Span>,
    /// The entity it is part of.
    pub subject: Option<Arc<Subject>>,
    /// What sort of mistake it is.
    pub matter: Matter,
    /// What stands there.
    pub found: Option<String>,
    /// What may stand there.
    pub allowed: Option<String>,
    /// The nearest name that exists, where a name was mistyped.
    pub nearest: Option<String>,
    /// The other party, where two entities clash.
    pub other: Option<Other>,
    /// Whether it only follows from another problem: Kong lists it, a reader has no use for it.
    pub implied: bool,
}

/// The other party of a clash: the entity that was there first.
#[derive(Clone, Debug)]
pub struct Other {
    /// Where it stands in the configuration.
    pub path: Path,
    /// Where it stands in the text.
    pub span: Option<Span>,
}

/// What sort of mistake a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Matter {
    /// The text is neither YAML nor JSON.
    Syntax,
    /// One field.
    Field,
    /// Fields of one entity together.
    Entity,
    /// The same key in two entities.
    Unique,
    /// A reference to an entity that is not there.
    Reference,
}

/// The entity that a problem is part of.
#[derive(Clone)]
#[non_exhaustive]
pub struct Subject {
    /// Its kind as one of them is called: `route`.
    pub kind: &'static str,
    /// The list it stands in: `routes`.
    pub collection: &'static str,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its id, if the file gives one.
    pub id: Option<Uuid>,
    /// Its path: `services[1].routes[0]`.
    pub path: Path,
    /// The entity as the file gives it, without the entities nested in it.
    pub value: Value,
}

/// All problems of one configuration, in the order of the text.
///
/// `Debug` is the same as `Display`: that is what `fn main() -> Result<(), Box<dyn Error>>` shows.
#[derive(Clone, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Where secrets stand in the text.
    hidden: Vec<Span>,
}

impl Problem {
    pub(super) fn new(path: Path, span: Option<Span>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            path,
            span,
            subject: None,
            matter: Matter::Field,
            found: None,
            allowed: None,
            nearest: None,
            other: None,
            implied: false,
        }
    }

    /// A mistake that shows only when the configuration is compiled: in this field of this entity.
    pub(crate) fn in_entity(
        collection: &'static str,
        id: Uuid,
        name: Option<&str>,
        field: &str,
        message: String,
    ) -> Self {
        let entity = name.map_or_else(|| id.to_string(), str::to_owned);
        let mut path = Path::default();
        path.push(Step::field(collection));
        path.push(Step::field(entity));
        let subject = Subject {
            kind: entity_kind(collection),
            collection,
            name: name.map(str::to_owned),
            id: Some(id),
            path: path.clone(),
            value: Value::Null,
        };
        path.push(Step::field(field.to_owned()));
        Self { subject: Some(Arc::new(subject)), ..Self::new(path, None, message) }
    }

    /// A mistake in the syntax, in Kong's frame around it (compat A49).
    pub(super) fn syntax(span: Option<Span>, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let message = match span {
            Some(Span { line, column, .. }) => {
                format!("failed parsing declarative configuration: {line}:{column}: {text}")
            }
            None => format!("failed parsing declarative configuration: {text}"),
        };
        Self { matter: Matter::Syntax, ..Self::new(Path::default(), span, message) }
    }

    pub(super) fn finding(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    pub(super) fn allowing(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(super) fn about(mut self, matter: Matter) -> Self {
        self.matter = matter;
        self
    }

    /// Names the one of `names` that `name` was probably meant to be.
    pub(super) fn near<'n>(mut self, name: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.nearest = nearest::nearest(name, names).map(str::to_owned);
        self
    }

    /// The path inside of its entity, or the whole path where there is none.
    #[must_use]
    pub fn field(&self) -> Path {
        let outer = self.subject.as_ref().map_or(0, |subject| subject.path.len());
        self.path.after(outer)
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(list: Vec<Problem>) -> Self {
        Self::new(list)
    }
}

impl Problems {
    pub(super) fn new(mut list: Vec<Problem>) -> Self {
        // Stable: problems without a place keep their order behind those with one.
        list.sort_by_key(|problem| problem.span.map_or((1, 0), |span| (0, span.start)));
        list.iter_mut().for_each(Problem::discreet);
        Self { list, hidden: Vec::new() }
    }

    /// The same with the places of the secrets, which are not drawn.
    pub(super) fn hiding(mut self, hidden: Vec<Span>) -> Self {
        self.hidden = hidden;
        self
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list
    }

    /// The problems in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Those that a reader has to mend: without the ones that others bring with them.
    pub fn essential(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| !problem.implied)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Span { line, column, .. }) = self.span.filter(|_| self.matter != Matter::Syntax) {
            write!(f, "{line}:{column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(nearest) = &self.nearest {
            write!(f, " (did you mean `{nearest}`?)")?;
        }
        Ok(())
    }
}

/// One problem a line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.essential().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Without the entity itself: it may hold secrets.
impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut subject = f.debug_struct("Subject");
        subject.field("kind", &self.kind).field("name", &self.name).field("id", &self.id);
        subject.field("path", &format_args!("{}", self.path)).finish_non_exhaustive()
    }
}

impl Error for Problem {}
impl Error for Problems {}

/// A flat object for tools: `--format json`.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let subject = self.subject.as_deref();
        let mut problem = serializer.serialize_struct("Problem", 11)?;
        problem.serialize_field("message", &self.message)?;
        problem.serialize_field("path", &self.path.to_string())?;
        problem.serialize_field("matter", &self.matter)?;
        problem.serialize_field("span", &self.span)?;
        problem.serialize_field("entity_type", &subject.map(|subject| subject.kind))?;
        problem.serialize_field("entity_name", &subject.and_then(|subject| subject.name.as_deref()))?;
        problem.serialize_field("entity_id", &subject.and_then(|subject| subject.id))?;
        problem.serialize_field("found", &self.found)?;
        problem.serialize_field("allowed", &self.allowed)?;
        problem.serialize_field("nearest", &self.nearest)?;
        problem.serialize_field("implied", &self.implied)?;
        problem.end()
    }
}

/// A list of flat objects.
impl Serialize for Problems {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.list)
    }
}

/// What one of the entities in `collection` is called.
fn entity_kind(collection: &'static str) -> &'static str {
    super::schema::EntityKind::named(collection).map_or(collection, super::schema::EntityKind::singular)
}
