//! What is known of all entities of a configuration: which keys are taken, and what refers to what.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::schema::{EntityKind, Kind};

/// An entity of any kind.
pub(super) type Named = (EntityKind, Uuid);

/// Which keys are taken, and what refers to what. Clones share what did not change.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    keys: OrdMap<Key, Uuid>,
    /// What is referred to, and what refers to it.
    uses: OrdSet<(Named, Named)>,
}

/// What no two entities of a kind may have in common: the value of a field, or of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: EntityKind,
    /// The field; empty for those that are unique together.
    pub(super) field: &'static str,
    pub(super) value: Arc<str>,
}

impl Index {
    /// Who has this key.
    pub(super) fn holder(&self, key: &Key) -> Option<Uuid> {
        self.keys.get(key).copied()
    }

    /// What refers to this entity.
    pub(super) fn users(&self, of: Named) -> impl Iterator<Item = Named> {
        const LAST: Uuid = Uuid::max();
        let (first, last) = (EntityKind::ALL.first(), EntityKind::ALL.last());
        let range = first.zip(last).map(|(first, last)| (of, (*first, Uuid::nil()))..=(of, (*last, LAST)));
        range.into_iter().flat_map(|range| self.uses.range(range)).map(|(_, by)| *by)
    }

    pub(super) fn insert(&mut self, keys: impl IntoIterator<Item = (Key, Uuid)>, uses: Vec<(Named, Named)>) {
        self.keys.extend(keys);
        self.uses.extend(uses);
    }

    /// Forgets an entity with these fields.
    pub(super) fn remove(&mut self, (kind, id): Named, fields: &Map<String, Value>) {
        for key in keys(kind, fields) {
            if self.keys.get(&key) == Some(&id) {
                self.keys.remove(&key);
            }
        }
        for used in references(kind, fields) {
            self.uses.remove(&(used, (kind, id)));
        }
    }
}

/// Parts the values of a key of several fields; no text that is such a value has it.
pub(super) const PART: &str = "\u{1f}";

/// The key of several fields together first, then those of single ones.
pub(super) fn keys(kind: EntityKind, fields: &Map<String, Value>) -> impl Iterator<Item = Key> {
    let natural = natural(kind, fields).map(|values| ("", values.join(PART).into()));
    let unique = kind.record().fields.iter().filter(|field| field.unique).filter_map(|field| {
        let value = fields.get(field.name.as_ref())?.as_str()?;
        Some((field.name.as_ref(), Arc::from(value)))
    });
    natural.into_iter().chain(unique).map(move |(field, value)| Key { kind, field, value })
}

/// The values of the fields that are unique together; nothing where one that is required is not there.
pub(super) fn natural(kind: EntityKind, fields: &Map<String, Value>) -> Option<Vec<String>> {
    let required = |name: &str| kind.record().field(name).is_some_and(|field| field.required);
    let values = kind.natural().iter().map(|name| {
        let value = plain(fields.get(*name));
        (!value.is_empty() || !required(name)).then_some(value)
    });
    values.collect::<Option<Vec<_>>>().filter(|values| !values.is_empty())
}

/// The entities that these fields refer to.
pub(super) fn references(kind: EntityKind, fields: &Map<String, Value>) -> Vec<Named> {
    let mut found = Vec::new();
    let mut note = |collection: &str, value: &Value| {
        let id = Uuid::parse_str(value.get("id").unwrap_or(value).as_str().unwrap_or_default());
        found.extend(EntityKind::named(collection).zip(id.ok()));
    };
    for field in &kind.record().fields {
        let Some(value) = fields.get(field.name.as_ref()).filter(|value| !value.is_null()) else { continue };
        match &field.kind {
            Kind::Foreign(collection) => note(collection, value),
            Kind::Array(element) => {
                let Kind::Foreign(collection) = element.kind else { continue };
                value.as_array().into_iter().flatten().for_each(|item| note(collection, item));
            }
            _ => {}
        }
    }
    // Trust anchors are texts in the table, as Kong has them.
    let anchors = fields.get(ANCHORS).and_then(Value::as_array).into_iter().flatten();
    anchors.for_each(|id| note("ca_certificates", id));
    found
}

/// The field of a service with the ids of its trust anchors.
pub(super) const ANCHORS: &str = "ca_certificates";

/// The key under which the name of a referenced entity waits for its id.
pub(super) const NAMED: &str = "$name";

/// A text, or the id or name in a reference.
pub(super) fn plain(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(reference)) => plain(reference.get("id").or(reference.get(NAMED))),
        _ => String::new(),
    }
}
