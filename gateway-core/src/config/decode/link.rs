//! What entities say of each other: ids and references.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Row,
    linker::{Linker, about},
    reference::{NAMED, plain},
};
use crate::config::{
    derived_id,
    problem::{Matter, Problem, Step},
    schema::{EntityKind, Kind},
};

/// Gives every entity its id, turns names into ids, and finds what is missing or there twice.
pub(super) fn link(rows: &mut [Row<'_>], problems: &mut Vec<Problem>) {
    let mut linker = Linker::new(problems);
    for at in 0..rows.len() {
        linker.identify(rows, at);
    }
    for at in 0..rows.len() {
        linker.refer(rows, at);
    }
    linker.natural(rows);
    linker.unique(rows);
    memberships(rows);
}

/// How often a nearest name is looked for.
const MOST_SUGGESTIONS: usize = 50;

impl Linker<'_> {
    /// The id that the file gives, the one that the name yields, or one made of the content.
    /// Those that hang on references come later.
    fn identify(&mut self, rows: &mut [Row<'_>], at: usize) {
        let parent = rows.get(at).and_then(|row| row.parent).and_then(|(parent, _)| rows.get(parent));
        let parent = parent.map(|row| row.id);
        let Some(row) = rows.get_mut(at) else { return };
        if let (Some(parent), Some((_, field))) = (parent, row.parent) {
            row.fields.insert(field.to_owned(), json!({ "id": parent }));
        }
        let given = row.fields.get("id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
        let name =
            row.kind.key().and_then(|key| row.fields.get(key)).and_then(Value::as_str).map(str::to_owned);
        row.id = match (given, &name) {
            (Some(id), _) => id,
            (None, Some(name)) => derived_id(row.kind.collection(), name),
            (None, None) if !row.kind.natural().is_empty() => return,
            (None, None) if is_credential(row.kind) => Uuid::new_v4(),
            (None, None) => self.of_content(row),
        };
        if let Some(name) = name {
            self.names.entry((row.kind, name)).or_insert(row.id);
        }
        self.claim(rows, at, given.is_some());
    }

    /// An id that stays the same as long as the entity does, wherever it stands in the file.
    fn of_content(&mut self, row: &Row<'_>) -> Uuid {
        let content = Value::Object(row.fields.clone()).to_string();
        let first = derived_id(row.kind.collection(), &content);
        let count = self.equals.entry((row.kind, first)).or_default();
        *count += 1;
        if *count == 1 { first } else { derived_id(row.kind.collection(), &format!("{content}#{count}")) }
    }

    /// Turns the names in a row's references into ids.
    fn refer(&mut self, rows: &mut [Row<'_>], at: usize) {
        let Some(row) = rows.get_mut(at) else { return };
        let mut fields = std::mem::take(&mut row.fields);
        for field in &row.kind.record().fields {
            let Some(value) = fields.get_mut(field.name.as_ref()) else { continue };
            match (&field.kind, value) {
                (Kind::Foreign(collection), value) => self.resolve(row, &field.name, None, collection, value),
                (Kind::Array(element), Value::Array(items)) => {
                    let Kind::Foreign(collection) = element.kind else { continue };
                    for (index, item) in items.iter_mut().enumerate() {
                        self.resolve(row, &field.name, Some(index), collection, item);
                    }
                }
                _ => {}
            }
        }
        self.anchors(row, &fields);
        row.fields = fields;
    }

    /// The trust anchors of a service, which are given by id alone.
    fn anchors(&mut self, row: &Row<'_>, fields: &Map<String, Value>) {
        const FIELD: &str = "ca_certificates";
        let anchors = fields.get(FIELD).and_then(Value::as_array).into_iter().flatten();
        for (index, id) in anchors.enumerate().filter_map(|(index, id)| Some((index, id.as_str()?))) {
            let key = Uuid::parse_str(id).ok().map(|id| (EntityKind::CaCertificates, id));
            if key.is_some_and(|key| !self.ids.contains_key(&key)) {
                let problem = self.lost(row, FIELD, Some(index), EntityKind::CaCertificates, id);
                self.report(problem);
            }
        }
    }

    fn resolve(
        &mut self,
        row: &Row<'_>,
        field: &str,
        index: Option<usize>,
        collection: &str,
        value: &mut Value,
    ) {
        let Some(name) = value.get(NAMED).and_then(Value::as_str) else { return };
        let Some(kind) = EntityKind::named(collection) else { return };
        let by_id = Uuid::parse_str(name).ok().filter(|id| self.ids.contains_key(&(kind, *id)));
        match by_id.or_else(|| self.names.get(&(kind, name.to_owned())).copied()) {
            Some(id) => *value = json!({ "id": id }),
            None => {
                let problem = self.lost(row, field, index, kind, name);
                self.report(problem);
            }
        }
    }

    /// A reference to what is not there (compat A49).
    fn lost(
        &mut self,
        row: &Row<'_>,
        field: &str,
        index: Option<usize>,
        kind: EntityKind,
        name: &str,
    ) -> Problem {
        let collection = kind.collection();
        let message = format!("invalid reference '{field}: {name}' (no such entry in '{collection}')");
        let mut path = row.path.to(field);
        let mut node = row.node.get(field);
        if let Some(index) = index {
            path.push(Step::Index(index));
            node = node.and_then(|list| list.items().get(index));
        }
        let span = node.map_or(row.node.span, |node| node.span);
        let problem = about(row, path, span, message, Matter::Reference);
        self.suggested += 1;
        if self.suggested > MOST_SUGGESTIONS {
            return problem;
        }
        problem
            .near(name, self.names.keys().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str()))
    }
}

const fn is_credential(kind: EntityKind) -> bool {
    matches!(
        kind,
        EntityKind::BasicauthCredentials
            | EntityKind::HmacauthCredentials
            | EntityKind::JwtSecrets
            | EntityKind::KeyauthCredentials
            | EntityKind::Oauth2Credentials
    )
}

/// Moves the groups that consumers name into the groups.
fn memberships(rows: &mut [Row<'_>]) {
    let mut joined: HashMap<String, Vec<Value>, RandomState> = HashMap::default();
    for row in rows.iter_mut().filter(|row| row.kind == EntityKind::Consumers) {
        let Some(Value::Array(groups)) = row.fields.remove("groups") else { continue };
        for group in &groups {
            joined.entry(plain(Some(group))).or_default().push(json!({ "id": row.id }));
        }
    }
    for row in rows.iter_mut().filter(|row| row.kind == EntityKind::ConsumerGroups) {
        let mut members = match row.fields.remove("consumers") {
            Some(Value::Array(members)) => members,
            _ => Vec::new(),
        };
        members.extend(joined.remove(&row.id.to_string()).unwrap_or_default());
        let mut seen = HashSet::new();
        members.retain(|member| seen.insert(plain(Some(member))));
        row.fields.insert("consumers".to_owned(), Value::Array(members));
    }
}
