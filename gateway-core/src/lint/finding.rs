//! One doubtful place, and all of them.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Code, Severity};
use crate::{
    config::{Path, Places, Route, Span},
    router::Label,
};

/// One doubtful place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is known by.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The entity it is about.
    pub entity: Party,
    /// The field of that entity, `paths[1]`; nothing where it is about the whole.
    pub field: Option<String>,
    /// What happens.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// The other entities that have a part in it.
    pub others: Vec<Party>,
    /// The same place, from the top of the file.
    #[serde(serialize_with = "as_text")]
    pub path: Option<Path>,
    /// Where it stands in the file, if that is known.
    pub span: Option<Span>,
}

/// An entity that has a part in a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Party {
    /// The list it stands in: `routes`.
    pub collection: &'static str,
    /// Its id and its name.
    #[serde(flatten)]
    pub label: Label,
    /// Where it stands in the file, if that is known.
    pub span: Option<Span>,
}

/// All doubtful places of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub(super) list: Vec<Finding>,
    /// Where secrets stand in the text.
    pub(super) hidden: Vec<Span>,
}

impl Finding {
    pub(super) fn new(
        code: Code,
        entity: Party,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            entity,
            field: None,
            message: message.into(),
            help: help.into(),
            others: Vec::new(),
            path: None,
            span: None,
        }
    }

    pub(super) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(super) fn with(mut self, other: Party) -> Self {
        self.others.push(other);
        self
    }
}

impl Party {
    pub(super) const fn new(collection: &'static str, label: Label) -> Self {
        Self { collection, label, span: None }
    }

    /// A route.
    pub(super) fn of(route: &Route) -> Self {
        Self::new("routes", Label::new(route.id, route.name.as_deref()))
    }

    fn locate(&mut self, places: &Places) {
        self.span = places.find(self.collection, self.label.id, "").map(|(_, span)| span);
    }
}

impl Findings {
    /// The same with their places in the text, in its order. Those of entities without id and name have none.
    #[must_use]
    pub fn located(mut self, places: &Places) -> Self {
        for finding in &mut self.list {
            let field = finding.field.as_deref().unwrap_or_default();
            let entity = &finding.entity;
            let found = places.find(entity.collection, entity.label.id, field);
            (finding.path, finding.span) = found.unzip();
            finding.entity.locate(places);
            finding.others.iter_mut().for_each(|other| other.locate(places));
        }
        self.hidden = places.hidden().to_vec();
        // Stable: those without a place keep their order behind those with one.
        self.list.sort_by_key(|finding| finding.span.map_or((1, 0), |span| (0, span.start)));
        self
    }

    /// The findings, in the order of the text once they are located.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.list.iter()
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

    /// How bad the worst of them is.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.list.iter().map(|finding| finding.severity).max()
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }
}

/// A list of objects.
impl Serialize for Findings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.list)
    }
}

/// One line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Span { line, column, .. }) = self.span {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{} {}: {}", self.code, self.entity.label, self.message)
    }
}

fn as_text<S: Serializer>(path: &Option<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(ToString::to_string).serialize(serializer)
}
