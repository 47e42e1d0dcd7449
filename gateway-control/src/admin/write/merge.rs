//! PATCH: new values over those of before, record by record, as Kong merges.

use gateway_core::config::schema::{Kind, Record};
use serde_json::{Map, Value};

/// Puts the fields of `patch` over those of `entity`. Within a record fields are merged in turn; a list or a map comes
/// whole. Null stays null: it takes a value away.
pub(super) fn merge(
    entity: &mut Map<String, Value>,
    patch: Map<String, Value>,
    record: &Record,
    config: Option<&Record>,
) {
    for (name, value) in patch {
        let inner = match record.field(&name).map(|field| &field.kind) {
            Some(Kind::Record(inner)) => Some(inner),
            // The table of a plugin's `config` is the plugin's.
            Some(Kind::Any) if name == "config" => config,
            _ => None,
        };
        match (entity.get_mut(&name), value, inner) {
            (Some(Value::Object(old)), Value::Object(new), Some(inner)) => merge(old, new, inner, None),
            (_, value, _) => {
                entity.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::config::schema;
    use serde_json::{Value, json};

    use super::merge;

    #[test]
    fn records_are_merged_and_lists_come_whole() {
        let mut upstream = json!({
            "name": "u", "tags": ["a"],
            "healthchecks": { "threshold": 5, "active": { "timeout": 1, "healthy": { "successes": 1, "http_statuses": [200] } } },
        });
        let patch = json!({
            "tags": ["b"],
            "healthchecks": { "active": { "healthy": { "http_statuses": [201] }, "timeout": null } },
        });
        let (Some(upstream), Value::Object(patch)) = (upstream.as_object_mut(), patch) else { panic!() };
        merge(upstream, patch, schema::entity("upstreams").unwrap(), None);
        let expected = json!({
            "name": "u", "tags": ["b"],
            "healthchecks": { "threshold": 5, "active": { "timeout": null, "healthy": { "successes": 1, "http_statuses": [201] } } },
        });
        assert_eq!(json!(upstream), expected);
    }

    #[test]
    fn maps_come_whole() {
        let mut route = json!({ "headers": { "a": ["1"], "b": ["2"] } });
        let Value::Object(patch) = json!({ "headers": { "a": ["3"] } }) else { panic!() };
        merge(route.as_object_mut().unwrap(), patch, schema::entity("routes").unwrap(), None);
        assert_eq!(route["headers"], json!({ "a": ["3"] }));
    }
}
