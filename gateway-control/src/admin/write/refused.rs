//! What a write is refused with, in Kong's words (compat A18 to A25).

use std::fmt::Write as _;

use gateway_core::config::{Matter, Path, Problem, Problems};
use http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Refusal,
    admin::{kind::Kind, reply::Failure},
};

fn refuse(status: StatusCode, code: u8, name: &str, message: &str, fields: &Value) -> Failure {
    Failure::Refused(status, json!({ "code": code, "name": name, "message": message, "fields": fields }))
}

/// Fields that are wrong (compat A18, A19).
pub(super) fn violation(problems: &Problems) -> Failure {
    Failure::Refused(StatusCode::BAD_REQUEST, problems.schema_violation())
}

/// One field that is wrong.
pub(super) fn field(name: &str, message: &str) -> Failure {
    let text = format!("schema violation ({name}: {message})");
    refuse(StatusCode::BAD_REQUEST, 2, "schema violation", &text, &json!({ name: message }))
}

/// A value that another entity has (compat A20, A21).
pub(super) fn unique(names: &[&str], row: &Map<String, Value>) -> Failure {
    let value = |name: &str| row.get(name).cloned().unwrap_or_default();
    // Kong has no groups of consumers; its clients look at the fields.
    let named = names.iter().filter(|name| **name != "consumer_group" || !value(name).is_null());
    let fields: Value = named.map(|name| ((*name).to_owned(), value(name))).collect::<Map<_, _>>().into();
    let message = format!("UNIQUE violation detected on '{}'", lua(&fields));
    refuse(StatusCode::CONFLICT, 5, "unique constraint violation", &message, &fields)
}

/// An id that another entity has.
pub(super) fn taken_id(id: Uuid) -> Failure {
    let fields = json!({ "id": id });
    let message = format!("primary key violation on key '{}'", lua(&fields));
    refuse(StatusCode::BAD_REQUEST, 3, "primary key violation", &message, &fields)
}

/// A path that names no id where only ids name.
pub(super) fn bad_id() -> Failure {
    let fields = json!({ "id": "expected a valid UUID" });
    let message = format!("invalid primary key: '{}'", lua(&fields));
    refuse(StatusCode::BAD_REQUEST, 1, "invalid primary key", &message, &fields)
}

/// A reference to what is not there (compat A22).
pub(super) fn dangling(collection: &str, field: &str, reference: &Value) -> Failure {
    let lua = lua(reference);
    let message = format!("the foreign key '{lua}' does not reference an existing '{collection}' entity.");
    refuse(StatusCode::BAD_REQUEST, 4, "foreign key violation", &message, &json!({ field: reference }))
}

/// A reference by a name that nobody has.
pub(super) fn unresolved(collection: &str, field: &str, key: &str, name: &str) -> Failure {
    let reference = lua(&json!({ key: name }));
    let reason = format!(
        "the foreign key cannot be resolved with '{reference}' for an existing '{collection}' entity"
    );
    let message = format!("foreign key unresolved ({field}.{key}: {reason})");
    let fields = json!({ field: { key: reason } });
    refuse(StatusCode::BAD_REQUEST, 13, "foreign keys unresolved", &message, &fields)
}

/// An entity that others refer to (compat A23).
pub(super) fn referenced(collection: &str, by: &str) -> Failure {
    let message = format!("an existing '{by}' entity references this '{collection}' entity");
    let fields = json!({ "@referenced_by": by });
    refuse(StatusCode::BAD_REQUEST, 4, "foreign key violation", &message, &fields)
}

/// A trust anchor that services name.
pub(super) fn trusted(anchor: Uuid, by: &str, user: Uuid) -> Failure {
    let message = format!("ca_certificate {anchor} is still referenced by {by} (id = {user})");
    let body = json!({ "code": 19, "name": "referenced by others", "message": message });
    Failure::Refused(StatusCode::BAD_REQUEST, body)
}

/// Nothing to change (compat A25).
pub(super) fn not_found(kind: &Kind, key: &str) -> Failure {
    let by_id = Uuid::parse_str(key).is_ok();
    let (field, how) = match kind.key.filter(|_| !by_id) {
        Some(field) => (field, "with"),
        None => ("id", "with primary key"),
    };
    let fields = json!({ field: key });
    let message = format!("could not find the entity {how} '{}'", lua(&fields));
    refuse(StatusCode::NOT_FOUND, 6, "not found", &message, &fields)
}

/// What is only seen with all entities together, or by the gateway.
pub(in crate::admin) fn problems(problems: &Problems) -> Failure {
    let is = |matter: Matter| !problems.is_empty() && problems.iter().all(|problem| problem.matter == matter);
    let of = |status, code, name: &str| refuse(status, code, name, &problems.to_string(), &problems.fields());
    if is(Matter::Unique) {
        return of(StatusCode::CONFLICT, 5, "unique constraint violation");
    }
    if is(Matter::Reference) {
        return of(StatusCode::BAD_REQUEST, 4, "foreign key violation");
    }
    violation(&within(problems))
}

/// The problems as those of the entity that they are all about, if there is only one.
fn within(problems: &Problems) -> Problems {
    let subject = |problem: &Problem| problem.subject.as_ref().map(|subject| subject.path.clone());
    let mut subjects = problems.iter().map(subject);
    let first = subjects.next().flatten();
    let one = first.is_some() && subjects.all(|subject| subject == first);
    let inside = |problem: &Problem| {
        let mut problem = problem.clone();
        if one {
            problem.path = problem.field();
            problem.subject = None;
        }
        // An expression is not one field to Kong, but the route (compat A39).
        if problem.path.dotted() == "expression" {
            (problem.path, problem.matter) = (Path::default(), Matter::Entity);
        }
        problem
    };
    Problems::from(problems.iter().map(inside).collect::<Vec<_>>())
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Problems(found) => problems(&found),
            Refusal::Certificates(errors) => {
                let list = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
                let message = format!("schema violation ({})", list.join("; "));
                refuse(StatusCode::BAD_REQUEST, 2, "schema violation", &message, &json!({ "@entity": list }))
            }
            Refusal::Store(_) | Refusal::Behind(_) => {
                let body = json!({ "code": 8, "name": "database error", "message": refusal.to_string() });
                Self::Refused(StatusCode::SERVICE_UNAVAILABLE, body)
            }
            Refusal::ReadOnly => Self::NoStore,
            Refusal::Contended => Self::Busy,
        }
    }
}

/// A value as Lua would print it on one line: `{id="..",name="a"}`.
fn lua(value: &Value) -> String {
    let mut text = String::new();
    print(value, &mut text);
    text
}

fn print(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                let _ = write!(text, "{}{name}=", if at > 0 { "," } else { "" });
                print(value, text);
            }
            text.push('}');
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lua;

    #[test]
    fn keys_are_printed_as_lua_does() {
        let key = json!({ "service": null, "name": "key-auth", "route": { "id": "x" }, "consumer": null });
        assert_eq!(lua(&key), r#"{consumer=null,name="key-auth",route={id="x"},service=null}"#);
    }
}
