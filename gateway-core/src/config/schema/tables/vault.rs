//! The tables of vaults, keys and key sets.

use serde_json::{Map, Value};

use super::{
    super::{Field, Record, Rule, Violation, check},
    table, unique_name,
};

pub(super) fn vault() -> Record {
    let environment = Record::new(vec![
        Field::string("prefix").doc("Put before the names of variables."),
        Field::boolean("base64_decode").default(false).doc("Whether values are decoded."),
    ]);
    table(vec![
        Field::string("prefix")
            .required()
            .unique()
            .check(check::vault_prefix)
            .pattern(check::VAULT_PREFIX)
            .not_one_of(&["env"])
            .doc("Unique word in references."),
        Field::string("name").required().check(kind).doc("Its kind: `env`, the process environment."),
        Field::string("description").doc("Free text."),
        Field::record("config", environment).required().doc("Settings of its kind."),
    ])
}

fn kind(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some("env") => Ok(()),
        other => Err(format!("vault '{}' is not installed", other.unwrap_or_default())),
    }
}

pub(super) fn key_set() -> Record {
    table(vec![unique_name()])
}

pub(super) fn key() -> Record {
    let pem = Record::new(vec![
        Field::string("private_key").referenceable().doc("The private half."),
        Field::string("public_key").referenceable().doc("The public half."),
    ])
    .rule(Rule::at_least_one_of(["private_key", "public_key"]));
    table(vec![
        Field::foreign("set", "key_sets").doc("The set it belongs to."),
        unique_name(),
        Field::string("kid").required().doc("Key id."),
        Field::string("jwk").referenceable().doc("The key as JSON text."),
        Field::record("pem", pem).doc("The key pair as PEM."),
    ])
    .rule(Rule::at_least_one_of(["jwk", "pem"]))
    .rule(Rule::mutually_exclusive(["jwk", "pem"]))
    .rule(Rule::With { of: &["kid", "jwk"], check: same_kid })
}

/// The JWK's own id is the key's.
fn same_kid(key: &Map<String, Value>) -> Vec<Violation> {
    let Some(jwk) = key.get("jwk").and_then(Value::as_str).filter(|text| !check::is_reference(text)) else {
        return Vec::new();
    };
    match serde_json::from_str::<Value>(jwk) {
        Err(_) => vec![Violation::field("jwk", "could not json decode jwk string")],
        Ok(jwk) if jwk.get("kid") != key.get("kid") => {
            vec![Violation::entity("kid in jwk.kid must be equal to keys.kid")]
        }
        Ok(_) => Vec::new(),
    }
}
