//! Where the entities of a declarative file stand in its text.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::{
    Span, derived_id,
    document::{self, Node},
    problem::{Path, Problem, Problems, Step, Subject},
    schema::EntityKind,
};

/// Where the entities of a declarative file stand in its text, and where its secrets do.
///
/// ```
/// use gateway_core::config::{Places, derived_id};
///
/// let text = "
/// _format_version: '3.0'
/// services:
/// - name: users
///   host: users.internal
///   routes:
///   - name: users
///     paths: [/people, /users]
/// ";
/// let places = Places::of(text);
/// let (path, span) = places.find("routes", derived_id("routes", "users"), "paths[1]").unwrap();
/// assert_eq!((path.to_string().as_str(), span.line), ("services[0].routes[0].paths[1]", 8));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Places {
    entities: HashMap<(EntityKind, Uuid), Place, RandomState>,
    hidden: Vec<Span>,
}

#[derive(Clone, Debug)]
struct Place {
    path: Path,
    node: Node,
}

impl Places {
    /// The places in `text`; none where it cannot be read.
    ///
    /// An entity without id and name is not found: what it is called hangs on all of it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut places = Self::default();
        if let Ok((root, _)) = document::load(text) {
            places.hidden = root.secrets();
            let mut path = Path::default();
            for kind in EntityKind::ALL {
                places.list(*kind, kind.collection(), &root, &mut path);
            }
        }
        places
    }

    /// The path and the place of a field, `paths[1]`, of an entity; of the entity where it has no such field.
    #[must_use]
    pub fn find(&self, collection: &str, id: Uuid, field: &str) -> Option<(Path, Span)> {
        let Place { path, node } = self.entities.get(&(EntityKind::named(collection)?, id))?;
        let (mut path, mut found) = (path.clone(), node);
        let Some((steps, inner)) = walk(node, field) else { return Some((path, found.span?)) };
        steps.into_iter().for_each(|step| path.push(step));
        found = inner;
        Some((path, found.span?))
    }

    /// Where secrets stand.
    pub(crate) fn hidden(&self) -> &[Span] {
        &self.hidden
    }

    fn list(&mut self, kind: EntityKind, field: &'static str, parent: &Node, path: &mut Path) {
        let Some(list) = parent.get(field) else { return };
        path.push(Step::field(field));
        for (at, node) in list.items().iter().enumerate() {
            path.push(Step::Index(at));
            self.entity(kind, node, path);
            path.pop();
        }
        path.pop();
    }

    fn entity(&mut self, kind: EntityKind, node: &Node, path: &mut Path) {
        for (field, nested, ..) in kind.nested() {
            self.list(*nested, field, node, path);
        }
        if let Some(id) = id_of(kind, node) {
            self.entities
                .entry((kind, id))
                .or_insert_with(|| Place { path: path.clone(), node: shallow(kind, node) });
        }
    }
}

impl Problems {
    /// The same with the places of those that only compiling found, which knows entities and no text; in the order
    /// of the text.
    #[must_use]
    pub fn located(self, places: &Places) -> Self {
        let mut list = self.into_list();
        list.iter_mut().filter(|problem| problem.span.is_none()).for_each(|problem| problem.locate(places));
        Self::new(list).hiding(places.hidden.clone())
    }
}

impl Problem {
    fn locate(&mut self, places: &Places) {
        let Some(subject) = self.subject.clone() else { return };
        let find = |field: &str| places.find(subject.collection, subject.id?, field);
        let Some((entity, whole)) = find("") else { return };
        let place = find(&self.field().to_string()).filter(|(path, _)| *path != entity);
        (self.path, self.span) = place
            .map_or_else(|| (self.field().below(&entity), Some(whole)), |(path, span)| (path, Some(span)));
        self.subject = Some(Arc::new(Subject { path: entity, ..Subject::clone(&subject) }));
    }
}

/// The id that the file gives, or the one that the name yields (compat A50).
fn id_of(kind: EntityKind, node: &Node) -> Option<Uuid> {
    let given = node.get("id").and_then(Node::as_str).and_then(|id| Uuid::parse_str(id).ok());
    let name = || node.get(kind.key()?).and_then(Node::as_str);
    given.or_else(|| name().map(|name| derived_id(kind.collection(), name)))
}

/// The entity without those nested in it.
fn shallow(kind: EntityKind, node: &Node) -> Node {
    let own = |entry: &&document::Entry| !kind.nested().iter().any(|(nested, ..)| *nested == entry.key);
    let entries = node.entries().iter().filter(own).cloned();
    Node { span: node.span, data: document::Data::Map(entries.collect()) }
}

/// Follows `paths[1]` or `headers.x` down from an entity.
fn walk<'n>(node: &'n Node, field: &str) -> Option<(Vec<Step>, &'n Node)> {
    let (name, index) = match field.split_once('[') {
        Some((name, index)) => (name, Some(index.strip_suffix(']')?.parse::<usize>().ok()?)),
        None => (field, None),
    };
    let (mut steps, mut found) = (Vec::new(), node);
    // A field of a map may have dots in its name, so at most one step is made.
    for part in name.splitn(2, '.').filter(|part| !part.is_empty()) {
        found = found.get(part)?;
        steps.push(Step::field(part.to_owned()));
    }
    if let Some(index) = index {
        found = found.items().get(index)?;
        steps.push(Step::Index(index));
    }
    (!steps.is_empty()).then_some((steps, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_yaml_and_json() {
        let yaml =
            "_format_version: '3.0'\nroutes:\n- name: a\n  paths: [/x]\n  headers:\n    X-Y: [one, two]\n";
        let places = Places::of(yaml);
        let place = |field: &str| {
            let (path, span) = places.find("routes", derived_id("routes", "a"), field).unwrap();
            (path.to_string(), span.line, span.column)
        };
        assert_eq!(place("paths[0]"), ("routes[0].paths[0]".into(), 4, 11));
        assert_eq!(place("headers.X-Y[1]"), ("routes[0].headers.X-Y[1]".into(), 6, 16));
        assert_eq!(place("nothing"), ("routes[0]".into(), 3, 3));
        assert_eq!(place(""), ("routes[0]".into(), 3, 3));
        let json = r#"{"routes": [{"id": "00000000-0000-0000-0000-000000000007", "paths": ["/x"]}]}"#;
        let (_, span) = Places::of(json).find("routes", Uuid::from_u128(7), "paths[0]").unwrap();
        assert_eq!(json.get(span.start as usize..span.end as usize), Some(r#""/x""#));
        assert!(Places::of("{").find("routes", Uuid::from_u128(7), "").is_none());
    }

    #[test]
    fn what_compiling_finds_gets_its_place() {
        let yaml = "services:\n- name: s\n  host: h\n  routes:\n  - name: r\n    paths: [/a, /b]\n";
        let id = derived_id("routes", "r");
        let problem = |field: &str| Problem::in_entity("routes", id, Some("r"), field, "wrong".into());
        let unknown = Problem::in_entity("routes", Uuid::nil(), None, "paths", "wrong".into());
        let problems = Problems::from(vec![unknown, problem("paths[1]"), problem("hosts[0]")]);
        let told: Vec<_> = problems
            .located(&Places::of(yaml))
            .iter()
            .map(|one| (one.to_string(), one.field().to_string()))
            .collect();
        let (at, field) = ("6:17: services[0].routes[0].paths[1]: wrong".into(), "paths[1]".into());
        let (whole, absent) = ("5:5: services[0].routes[0].hosts[0]: wrong".into(), "hosts[0]".into());
        let nowhere = format!("routes.{}.paths: wrong", Uuid::nil());
        assert_eq!(told, [(whole, absent), (at, field), (nowhere, "paths".into())]);
    }

    #[test]
    fn a_nested_entity_knows_its_way() {
        let yaml = "services:\n- name: s\n  host: h\n  routes:\n  - name: r\n    paths: [/x]\n";
        let (path, _) = Places::of(yaml).find("routes", derived_id("routes", "r"), "paths").unwrap();
        assert_eq!(path.to_string(), "services[0].routes[0].paths");
    }
}
