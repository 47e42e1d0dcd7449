//! Targets that register themselves: a `ttl` in the body is a sign of life, and the same body again is nothing else.

use gateway_core::config::Config;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::refused;
use crate::{
    admin::{kind::Kind, reply::Failure},
    control::Draft,
};

type Fields = Map<String, Value>;

/// The most targets with a time: each is looked at again and again.
const MOST: usize = 10_000;

/// The target with a time that a POST means, if it is there already. One that somebody has put there for good is not taken
/// over.
pub(super) fn registered(draft: &Draft<'_>, kind: &Kind, given: &Fields) -> Option<Uuid> {
    if !is_sign(kind, given) {
        return None;
    }
    // The address may be written in more than one way.
    let checked =
        Config::check_entity(kind.collection, &Value::Object(given.clone()), draft.options())?.ok()?;
    let address = checked.get("target")?.as_str()?;
    let upstream = Uuid::parse_str(checked.get("upstream")?.get("id")?.as_str()?).ok()?;
    let targets = draft.checked().users_of("upstreams", upstream).filter(|(by, _)| *by == kind.collection);
    let mut targets = targets.filter_map(|(_, id)| draft.config().targets.get(&id));
    let found = targets.find(|target| target.target == address)?;
    let is_it =
        |id: &Value| id.is_null() || id.as_str().is_some_and(|id| Uuid::parse_str(id) == Ok(found.id));
    (found.ttl.is_some() && given.get("id").is_none_or(is_it)).then_some(found.id)
}

/// Notes a sign of life. True where it is nothing else: `row` is what is there already, `before`.
///
/// # Errors
/// When there are too many.
pub(super) fn renew(
    draft: &mut Draft<'_>,
    kind: &Kind,
    (id, given): (Uuid, &Fields),
    row: &Fields,
    before: Option<Fields>,
) -> Result<bool, Failure> {
    if !is_sign(kind, given) {
        return Ok(false);
    }
    if before.as_ref().is_none_or(|before| before.get("ttl").is_none()) && count(draft) >= MOST {
        return Err(refused::field(
            "ttl",
            &format!("there are {MOST} targets with a ttl, which is the most"),
        ));
    }
    draft.renew(id);
    Ok(before.is_some_and(|before| is_same(before, row)))
}

fn is_sign(kind: &Kind, given: &Fields) -> bool {
    kind.collection == "targets" && given.get("ttl").is_some_and(|ttl| !ttl.is_null())
}

fn count(draft: &Draft<'_>) -> usize {
    draft.config().targets.values().filter(|target| target.ttl.is_some()).count()
}

/// Whether two are the same but for when they were changed.
fn is_same(mut before: Fields, row: &Fields) -> bool {
    if let Some(changed) = row.get("updated_at") {
        before.insert("updated_at".to_owned(), changed.clone());
    }
    // Null and not there are the same.
    let said = |fields: &Fields| fields.values().filter(|value| !value.is_null()).count();
    said(&before) == said(row)
        && before
            .iter()
            .filter(|(_, value)| !value.is_null())
            .all(|(name, value)| row.get(name) == Some(value))
}
