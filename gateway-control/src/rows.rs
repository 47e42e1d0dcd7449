//! Entities of any kind as a change.

use gateway_core::config::{Change, CredentialKind};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The list that holds the entities of a collection in a change: credentials of all kinds share one.
fn list_of(collection: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::Rows;

    #[test]
    fn a_credential_is_of_its_kind() {
        let (id, consumer) = (Uuid::new_v4(), Uuid::new_v4());
        let mut rows = Rows::default();
        let fields = json!({ "id": id, "consumer": { "id": consumer }, "key": "k" });
        rows.put("keyauth_credentials", id, fields.as_object().unwrap().clone());
        let change = rows.into_change().unwrap();
        assert_eq!(change.credentials[&id].as_ref().unwrap().fields["key"], "k");
        let mut rows = Rows::default();
        rows.take("keyauth_credentials", id);
        assert_eq!(rows.into_change().unwrap().credentials[&id], None);
    }
}
