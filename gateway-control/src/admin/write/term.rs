//! How long a key counts: a `ttl` is said from now on, as in Kong, and kept from when the key was made.

use serde_json::{Map, Value};

use super::refused;
use crate::{
    admin::{kind::Kind, reply::Failure},
    times,
};

/// The most that a request may say, in seconds (Kong). What is kept has the key's age on top of it.
const MOST: u64 = 100_000_000;

/// How far the clock of a client may be ahead, in seconds.
const AHEAD: u64 = 60;

/// Keeps the `ttl` of `given` in `row`, where there is one. A request that says when the key was made means it from there.
pub(super) fn keep(
    kind: &Kind,
    given: &Map<String, Value>,
    row: &mut Map<String, Value>,
) -> Result<(), Failure> {
    if kind.collection != "keyauth_credentials" {
        return Ok(());
    }
    let known = |fields: &Map<_, _>, name: &str| seconds(fields, name).is_some();
    if seconds(given, "ttl").is_some_and(|said| said > MOST) {
        return Err(refused::field("ttl", &format!("value should be between 0 and {MOST}")));
    }
    let Some((ttl, made)) = seconds(row, "ttl").zip(seconds(row, "created_at")) else { return Ok(()) };
    let now = times::unix();
    // It would live for longer than its `ttl`.
    if made > now.saturating_add(AHEAD) {
        return Err(refused::field("created_at", "must not be in the future where there is a ttl"));
    }
    if known(given, "ttl") && !known(given, "created_at") {
        row.insert("ttl".to_owned(), ttl.saturating_add(now.saturating_sub(made)).into());
    }
    Ok(())
}

fn seconds(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    fields.get(name).and_then(Value::as_u64).filter(|time| *time > 0)
}
