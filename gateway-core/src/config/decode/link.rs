//! What entities say of each other: ids, references, keys.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Row, record::NAMED};
use crate::config::{
    derived_id,
    problem::{Matter, Path, Problem, Step},
    schema::{EntityKind, Kind},
};

/// Gives every entity its id, turns names into ids, and finds what is missing or there twice.
pub(super) fn link(rows: &mut [Row<'_>], problems: &mut Vec<Problem>) {
    let mut linker = Linker { ids: HashMap::default(), names: HashMap::default(), suggested: 0, problems };
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

struct Linker<'p> {
    ids: HashMap<(EntityKind, Uuid), usize, RandomState>,
    names: HashMap<(EntityKind, String), Uuid, RandomState>,
    /// How often a nearest name was looked for: each time costs a look at all of them.
    suggested: usize,
    problems: &'p mut Vec<Problem>,
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
    fn of_content(&self, row: &Row<'_>) -> Uuid {
        let mut content = Value::Object(row.fields.clone()).to_string();
        loop {
            let id = derived_id(row.kind.collection(), &content);
            if !self.ids.contains_key(&(row.kind, id)) {
                return id;
            }
            content.push('+');
        }
    }

    /// Takes the id of a row; refuses one that the file gives twice.
    fn claim(&mut self, rows: &[Row<'_>], at: usize, given: bool) {
        let Some(row) = rows.get(at) else { return };
        let before = self.ids.insert((row.kind, row.id), at);
        if before.is_some() && given {
            self.twice(row, "id", "primary key", &row.id.to_string());
        }
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
        row.fields = fields;
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
                self.problems.push(problem);
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

    /// Ids made of references and fields, unique together: targets, plugins, acls.
    fn natural(&mut self, rows: &mut [Row<'_>]) {
        let mut seen: HashSet<(EntityKind, String), RandomState> = HashSet::default();
        for at in 0..rows.len() {
            let Some(row) = rows.get_mut(at).filter(|row| !row.kind.natural().is_empty()) else { continue };
            let key = natural_key(row.kind, &row.fields);
            let known = row.id != Uuid::nil();
            if !known {
                row.id = derived_id(row.kind.collection(), &key);
            }
            if !seen.insert((row.kind, key)) {
                self.twice_in_all(row);
            } else if !known {
                self.claim(rows, at, true);
            }
        }
    }

    /// Fields of which no two entities may have the same value.
    fn unique(&mut self, rows: &[Row<'_>]) {
        let mut seen: HashSet<(EntityKind, &str, &str), RandomState> = HashSet::default();
        for row in rows {
            for field in row.kind.record().fields.iter().filter(|field| field.unique) {
                let Some(value) = row.fields.get(field.name.as_ref()).and_then(Value::as_str) else {
                    continue;
                };
                if !seen.insert((row.kind, &field.name, value)) {
                    self.twice(row, &field.name, &field.name, value);
                }
            }
        }
    }

    fn twice(&mut self, row: &Row<'_>, field: &str, called: &str, value: &str) {
        let collection = row.kind.collection();
        let message = format!(
            "uniqueness violation: '{collection}' entity with {called} set to '{value}' already declared"
        );
        let span = row.node.get(field).map_or(row.node.span, |node| node.span);
        self.problems.push(about(row, row.path.clone(), span, message, Matter::Unique));
    }

    fn twice_in_all(&mut self, row: &Row<'_>) {
        let set = |name: &&&str| row.fields.get(**name).is_some_and(|value| !value.is_null());
        let names: Vec<_> = row.kind.natural().iter().filter(set).copied().collect();
        let values: Vec<_> = names.iter().map(|name| plain(row.fields.get(*name))).collect();
        let own = row
            .kind
            .natural()
            .iter()
            .find(|name| row.node.get(name).is_some_and(|node| node.as_str().is_some()));
        self.twice(row, own.copied().unwrap_or_default(), &names.join(", "), &values.join(", "));
    }
}

fn about(
    row: &Row<'_>,
    path: Path,
    span: Option<crate::config::Span>,
    message: String,
    matter: Matter,
) -> Problem {
    let mut problem = Problem::new(path, span, message).about(matter);
    problem.subject = Some(Arc::new(row.subject()));
    problem
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

/// The fields that are unique together, as one text.
fn natural_key(kind: EntityKind, fields: &Map<String, Value>) -> String {
    let parts = kind.natural().iter().map(|name| plain(fields.get(*name)));
    parts.collect::<Vec<_>>().join(":")
}

fn plain(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(reference)) => plain(reference.get("id").or(reference.get(NAMED))),
        _ => String::new(),
    }
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
