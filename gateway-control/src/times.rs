//! The time, and the times of entities that come with a file, which mostly says none.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway_core::config::{Change, Config, number};
use serde_json::{Map, Value};

/// Seconds since 1970, with milliseconds.
pub(crate) fn now() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
    let milliseconds = milliseconds() as f64;
    milliseconds / 1000.0
}

/// Whole seconds since 1970.
pub(crate) fn unix() -> u64 {
    milliseconds() / 1000
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time as the entities of a collection have it: whole seconds, but milliseconds for targets.
pub(crate) fn of(collection: &str, now: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since 1970")]
    let whole = now as u64;
    if collection == "targets" { number(now) } else { whole.into() }
}

/// What turns `old` into `new`, with times: an entity that says none was made when it came first, and changed when it
/// differs in something else. One that does not, stays as it is.
pub(crate) fn change(old: &Config, new: &Config) -> Change {
    let (change, before) = (old.diff(new), new.diff(old));
    let (Ok(Value::Object(mut lists)), Ok(before)) =
        (serde_json::to_value(&change), serde_json::to_value(before))
    else {
        return change;
    };
    let now = now();
    for (list, entities) in &mut lists {
        let Some(entities) = entities.as_object_mut() else { continue };
        let now = of(list, now);
        entities.retain(|id, entity| match entity {
            Value::Object(fields) => differs(fields, before.pointer(&format!("/{list}/{id}")), &now),
            _ => true,
        });
    }
    serde_json::from_value(Value::Object(lists)).unwrap_or(change)
}

/// Whether an entity differs from the one before in more than its times; those it gets.
fn differs(fields: &mut Map<String, Value>, before: Option<&Value>, now: &Value) -> bool {
    let before = before.and_then(Value::as_object);
    let known = |name: &str| given(fields, name).or_else(|| given(before?, name));
    let (made, changed) = (known("created_at"), known("updated_at"));
    let is_given = given(fields, "updated_at").is_some();
    set(fields, "created_at", made.as_ref().unwrap_or(now));
    set(fields, "updated_at", changed.as_ref().unwrap_or(now));
    if before == Some(&*fields) {
        return false;
    }
    if !is_given {
        set(fields, "updated_at", now);
    }
    true
}

/// A time that is known.
fn given(fields: &Map<String, Value>, name: &str) -> Option<Value> {
    fields.get(name).filter(|time| time.as_f64().is_some_and(|time| time > 0.0)).cloned()
}

/// Sets a time, where there is one: credentials do not say when they were changed.
fn set(fields: &mut Map<String, Value>, name: &str, time: &Value) {
    if let Some(place) = fields.get_mut(name) {
        *place = time.clone();
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::config::{Config, Service};

    use super::change;

    #[test]
    fn what_comes_gets_times_and_what_stays_keeps_them() {
        let none = Config::default();
        let (a, b) = (Service::new("a", "h"), Service::new("b", "h"));
        let first = none.apply(&change(&none, &none.clone().with(a.clone()).with(b.clone())));
        assert!(first.services.values().all(|service| service.created_at > 0 && service.updated_at > 0));

        let mut other = b.clone();
        other.port = 81;
        let second = change(&first, &none.clone().with(a).with(other));
        assert_eq!(second.services.len(), 1, "the same text is no change");
        let changed = second.services[&b.id].as_ref().unwrap();
        assert_eq!((changed.port, changed.created_at), (81, first.services.get(&b.id).unwrap().created_at));
        assert_eq!(change(&first, &none).services.len(), 2, "what is not there goes");
    }
}
