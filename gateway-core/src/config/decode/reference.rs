//! What an entity says of another before names are ids.

use serde_json::Value;

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
