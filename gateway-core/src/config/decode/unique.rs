//! What no two entities may have in common.

use std::collections::{HashMap, hash_map::Entry};

use foldhash::fast::RandomState;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Row, linker::Linker, reference::plain};
use crate::config::{derived_id, schema::EntityKind};

impl Linker<'_> {
    /// Ids made of references and fields, unique together: targets, plugins, acls.
    pub(super) fn natural(&mut self, rows: &mut [Row<'_>]) {
        let mut seen: HashMap<(EntityKind, String), usize, RandomState> = HashMap::default();
        for at in 0..rows.len() {
            let Some(row) = rows.get_mut(at).filter(|row| !row.kind.natural().is_empty()) else { continue };
            let Some(key) = natural_key(row.kind, &row.fields) else { continue };
            let known = row.id != Uuid::nil();
            if !known {
                row.id = derived_id(row.kind.collection(), &key);
            }
            let before = seen.get(&(row.kind, key.clone())).copied();
            if before.is_none() && !known {
                self.claim(rows, at, true);
            }
            match (rows.get(at), before.and_then(|before| rows.get(before))) {
                (Some(row), Some(before)) => self.twice_in_all(row, before),
                (Some(row), None) => drop(seen.insert((row.kind, key), at)),
                (None, _) => {}
            }
        }
    }

    /// Fields of which no two entities may have the same value.
    pub(super) fn unique(&mut self, rows: &[Row<'_>]) {
        let mut seen: HashMap<(EntityKind, &str, &str), &Row<'_>, RandomState> = HashMap::default();
        for row in rows {
            for field in row.kind.record().fields.iter().filter(|field| field.unique) {
                let Some(value) = row.fields.get(field.name.as_ref()).and_then(Value::as_str) else {
                    continue;
                };
                match seen.entry((row.kind, &field.name, value)) {
                    Entry::Occupied(before) => self.twice(row, before.get(), &field.name, &field.name, value),
                    Entry::Vacant(place) => drop(place.insert(row)),
                }
            }
        }
    }

    fn twice_in_all(&mut self, row: &Row<'_>, before: &Row<'_>) {
        let set = |name: &&&str| row.fields.get(**name).is_some_and(|value| !value.is_null());
        let names: Vec<_> = row.kind.natural().iter().filter(set).copied().collect();
        let values: Vec<_> = names.iter().map(|name| plain(row.fields.get(*name))).collect();
        let own = row
            .kind
            .natural()
            .iter()
            .find(|name| row.node.get(name).is_some_and(|node| node.as_str().is_some()));
        self.twice(row, before, own.copied().unwrap_or_default(), &names.join(", "), &values.join(", "));
    }
}

/// The fields that are unique together, as one text; nothing where one that is required is not
/// there.
fn natural_key(kind: EntityKind, fields: &Map<String, Value>) -> Option<String> {
    let required = |name: &str| kind.record().field(name).is_some_and(|field| field.required);
    let parts = kind.natural().iter().map(|name| {
        let part = plain(fields.get(*name));
        (!part.is_empty() || !required(name)).then_some(part)
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join(":"))
}
