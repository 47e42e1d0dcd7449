//! Entities of any kind as JSON, in and out of changes.

use gateway_core::config::{Change, CredentialKind};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// One entity that a change touches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Its list in a declarative file.
    pub(crate) collection: String,
    pub(crate) id: String,
    /// Nothing where there was none.
    pub(crate) before: Option<Value>,
    /// Nothing where it goes.
    pub(crate) after: Option<Value>,
}

/// The list that holds the entities of a collection in a change: credentials of all kinds share one.
pub(crate) fn list_of(collection: &str) -> &str {
    if is_credential(collection) { "credentials" } else { collection }
}

fn is_credential(collection: &str) -> bool {
    CredentialKind::ALL.iter().any(|kind| kind.collection() == collection)
}

/// A change that gives entities new values, or takes them away, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Rows(Map<String, Value>);

impl Rows {
    /// An entity's new value: all fields, references as `{"id": ..}`.
    pub(crate) fn put(&mut self, collection: &str, id: Uuid, mut fields: Map<String, Value>) {
        if is_credential(collection) {
            fields.insert("kind".to_owned(), collection.into());
        }
        self.set(collection, id, Value::Object(fields));
    }

    /// An entity goes.
    pub(crate) fn take(&mut self, collection: &str, id: Uuid) {
        self.set(collection, id, Value::Null);
    }

    fn set(&mut self, collection: &str, id: Uuid, value: Value) {
        let list = self.0.entry(list_of(collection)).or_insert_with(|| json!({}));
        if let Some(list) = list.as_object_mut() {
            list.insert(id.to_string(), value);
        }
    }

    /// As a change.
    ///
    /// # Errors
    /// When a table allows what its type does not.
    pub(crate) fn into_change(self) -> serde_json::Result<Change> {
        serde_json::from_value(Value::Object(self.0))
    }
}

/// The entities that a change touches, with what was there before.
pub(crate) fn of(change: &Change, before: &Change) -> Vec<Row> {
    let (mut old, new) = (lists(before), lists(change));
    let mut rows = Vec::new();
    for (list, entities) in new {
        let mut old = old.remove(&list).unwrap_or_default();
        let Value::Object(entities) = entities else { continue };
        for (id, after) in entities {
            let before = old.get_mut(&id).map(Value::take);
            rows.push(row(&list, id, before.filter(Value::is_object), Some(after).filter(Value::is_object)));
        }
    }
    rows
}

fn lists(change: &Change) -> Map<String, Value> {
    // Entities are structs of texts, numbers and lists: they always serialise.
    match serde_json::to_value(change) {
        Ok(Value::Object(lists)) => lists,
        _ => Map::new(),
    }
}

/// A credential says itself of which kind it is.
fn row(list: &str, id: String, mut before: Option<Value>, mut after: Option<Value>) -> Row {
    let kind = |entity: &mut Option<Value>| {
        let kind = entity.as_mut().filter(|_| list == "credentials")?.as_object_mut()?.remove("kind")?;
        kind.as_str().map(str::to_owned)
    };
    let (first, second) = (kind(&mut before), kind(&mut after));
    let collection = first.or(second).unwrap_or_else(|| list.to_owned());
    Row { collection, id, before, after }
}

#[cfg(test)]
mod tests {
    use gateway_core::config::{Config, Service};
    use serde_json::json;
    use uuid::Uuid;

    use super::{Rows, of};

    #[test]
    fn rows_say_what_was_and_what_is() {
        let (a, b) = (Service::new("a", "h"), Service::new("b", "h"));
        let (old, new) = (Config::default().with(a.clone()), Config::default().with(b.clone()));
        let rows = of(&old.diff(&new), &new.diff(&old));
        let named = |id: Uuid| rows.iter().find(|row| row.id == id.to_string()).unwrap();
        assert_eq!(named(a.id).before.as_ref().unwrap()["name"], "a");
        assert_eq!((&named(a.id).after, &named(b.id).before), (&None, &None));
        assert_eq!(named(b.id).collection, "services");
    }

    #[test]
    fn a_credential_is_of_its_kind() {
        let (id, consumer) = (Uuid::new_v4(), Uuid::new_v4());
        let mut rows = Rows::default();
        let fields = json!({ "id": id, "consumer": { "id": consumer }, "key": "k" });
        rows.put("keyauth_credentials", id, fields.as_object().unwrap().clone());
        let change = rows.into_change().unwrap();
        assert_eq!(change.credentials[&id].as_ref().unwrap().fields["key"], "k");
        let rows = of(&change, &Default::default());
        assert_eq!(rows[0].collection, "keyauth_credentials");
        assert_eq!(rows[0].after, Some(fields));
    }
}
