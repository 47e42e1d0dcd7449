//! The field of Kong's log plugins that holds code.

use serde_json::Value;

use crate::config::schema::Field;

/// `custom_fields_by_lua`: nothing but an empty map. A log that lacks fields it was told to have would be a quiet
/// loss, so code is refused.
pub(super) fn custom_fields_by_lua() -> Field {
    Field::map("custom_fields_by_lua", Field::string(""), Field::string(""))
        .check(refuse_code)
        .doc("Kong's own fields made by Lua; only an empty map is taken, as there is no Lua here")
}

fn refuse_code(value: &Value) -> Result<(), String> {
    let code = value.as_object().is_some_and(|fields| !fields.is_empty());
    if code { Err("there is no Lua here: fields cannot be added to the log".to_owned()) } else { Ok(()) }
}
