//! One entity on its way in: times, defaults, checks, references, keys.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use gateway_core::config::{
    Config, Problem, Problems,
    schema::{self, Kind as FieldKind},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{certificate, lease, lookup, refused, term};
use crate::{
    admin::{kind::Kind, reply::Failure},
    control::Draft,
    rows::Rows,
    times,
};

type Fields = Map<String, Value>;

/// Puts an entity in, in place of the one with the same id.
///
/// `given` are the fields of the request, `fields` all that are known: the same, or those over the ones of before.
pub(super) fn put(
    draft: &mut Draft<'_>,
    kind: &Kind,
    id: Uuid,
    given: &Fields,
    mut fields: Fields,
) -> Result<(), Failure> {
    keep_members(draft, kind, id, &mut fields);
    let names = certificate::take_names(kind, &mut fields)?;
    // In a file 0 stands for a time that is not known.
    let is_dated = fields.get("created_at").and_then(Value::as_f64).is_some_and(|at| at > 0.0);
    // Before the id and the times take the place of what was given: that has to be right all the same.
    let mut row = check(draft, kind, fields)?;
    // In a file it stands for none.
    if id.is_nil() {
        return Err(refused::bad_id());
    }
    stamp(draft, kind, id, is_dated, &mut row);
    term::keep(kind, given, &mut row)?;
    refer(draft, kind, given, &mut row)?;
    hide_password(kind, given, &mut row);
    free_key(draft, kind, &row)?;
    if let Some(names) = draft.checked().taken(kind.collection, id, &row) {
        return Err(refused::unique(&names, &row));
    }
    let before = lookup::row(draft, kind, id);
    if lease::renew(draft, kind, (id, given), &row, before)? {
        return Ok(());
    }
    let mut rows = Rows::default();
    rows.put(kind.collection, id, row);
    apply(draft, rows)?;
    names.map_or(Ok(()), |names| rename(draft, id, &names))
}

/// Takes out a credential whose time is over, and whose key another one is to have.
fn free_key(draft: &mut Draft<'_>, kind: &Kind, row: &Fields) -> Result<(), Failure> {
    let Some(key) = row.get("key").and_then(Value::as_str) else { return Ok(()) };
    let holder = draft.checked().find(kind.collection, "key", key);
    let Some(over) = holder.filter(|id| kind.is_over(draft.config(), *id)) else { return Ok(()) };
    let mut rows = Rows::default();
    rows.take(kind.collection, over);
    apply(draft, rows)
}

/// Gives a certificate these names, and no others.
fn rename(draft: &mut Draft<'_>, certificate: Uuid, names: &[String]) -> Result<(), Failure> {
    let kind = Kind::of("snis").ok_or(Failure::NotFound)?;
    let (gone, new) = certificate::renamed(draft, certificate, names)?;
    apply(draft, gone)?;
    new.into_iter().try_for_each(|sni| put(draft, kind, Uuid::new_v4(), &sni, sni.clone()))
}

/// Makes the change that these rows are.
pub(super) fn apply(draft: &mut Draft<'_>, rows: Rows) -> Result<(), Failure> {
    // A table that allows what its type does not: a mistake of this program, told and not kept.
    let change = rows.into_change().map_err(|error| refused::field("@entity", &error.to_string()))?;
    draft.apply(&change).map_err(|problems| refused::problems(&problems))
}

/// The id, and when it was made, unless that was given, and changed.
fn stamp(draft: &Draft<'_>, kind: &Kind, id: Uuid, is_given: bool, fields: &mut Fields) {
    fields.insert("id".to_owned(), id.to_string().into());
    let now = times::of(kind.collection, times::now());
    let has = |name: &str| schema::entity(kind.collection).is_some_and(|record| record.field(name).is_some());
    if has("created_at") && !is_given {
        let before = lookup::row(draft, kind, id).and_then(|mut row| row.remove("created_at"));
        fields.insert("created_at".to_owned(), before.unwrap_or_else(|| now.clone()));
    }
    if has("updated_at") {
        fields.insert("updated_at".to_owned(), now);
    }
}

/// A group keeps its members where the request does not name them: clients know them as entities of their own.
fn keep_members(draft: &Draft<'_>, kind: &Kind, id: Uuid, fields: &mut Fields) {
    if kind.collection == "consumer_groups" && fields.get("consumers").is_none_or(Value::is_null) {
        let before = lookup::row(draft, kind, id).and_then(|mut row| row.remove("consumers"));
        fields.insert("consumers".to_owned(), before.unwrap_or_else(|| json!([])));
    }
}

/// The fields with defaults, if all of them are right.
fn check(draft: &Draft<'_>, kind: &Kind, fields: Fields) -> Result<Fields, Failure> {
    let checked = Config::check_entity(kind.collection, &Value::Object(fields), draft.options());
    checked.ok_or(Failure::NotFound)?.map_err(|problems| refused::violation(&problems))
}

/// Whether one field alone is right.
pub(super) fn check_field(draft: &Draft<'_>, kind: &Kind, name: &str, value: Value) -> Result<(), Failure> {
    let alone = Fields::from_iter([(name.to_owned(), value)]);
    let checked = Config::check_entity(kind.collection, &Value::Object(alone), draft.options());
    let Err(problems) = checked.ok_or(Failure::NotFound)? else { return Ok(()) };
    // What else it says is of fields that are not there.
    let is_its = |problem: &&Problem| problem.path.dotted().split('.').next() == Some(name);
    let own: Vec<_> = problems.iter().filter(is_its).cloned().collect();
    if own.is_empty() { Ok(()) } else { Err(refused::violation(&Problems::from(own))) }
}

/// Turns references into ids that are there.
fn refer(draft: &Draft<'_>, kind: &Kind, given: &Fields, row: &mut Fields) -> Result<(), Failure> {
    let Some(record) = schema::entity(kind.collection) else { return Ok(()) };
    for field in &record.fields {
        let Some(value) = row.get_mut(field.name.as_ref()).filter(|value| !value.is_null()) else { continue };
        match (&field.kind, value) {
            (FieldKind::Foreign(collection), value) => {
                resolve(draft, collection, &field.name, given.get(field.name.as_ref()), value)?;
            }
            (FieldKind::Array(_), Value::Array(anchors)) if field.name == "ca_certificates" => {
                trust(draft, &field.name, anchors)?;
            }
            (FieldKind::Array(element), Value::Array(items)) => {
                let FieldKind::Foreign(collection) = element.kind else { continue };
                for item in items {
                    resolve(draft, collection, &field.name, None, item)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Trust anchors are named by their ids alone, which have been looked at.
fn trust(draft: &Draft<'_>, field: &str, anchors: &[Value]) -> Result<(), Failure> {
    let ids = anchors.iter().filter_map(|anchor| Uuid::parse_str(anchor.as_str()?).ok());
    let lost = ids.into_iter().find(|id| !draft.checked().has("ca_certificates", *id));
    lost.map_or(Ok(()), |id| Err(refused::dangling("ca_certificates", field, &json!({ "id": id }))))
}

fn resolve(
    draft: &Draft<'_>,
    collection: &str,
    field: &str,
    given: Option<&Value>,
    value: &mut Value,
) -> Result<(), Failure> {
    let id = value.get("id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
    if let Some(id) = id {
        let there = draft.checked().has(collection, id);
        return if there { Ok(()) } else { Err(refused::dangling(collection, field, &json!({ "id": id }))) };
    }
    let Some(name) = value.get("name").and_then(Value::as_str) else { return Ok(()) };
    let found = Kind::of(collection).and_then(|kind| lookup::find(draft, kind, name, None));
    match found {
        Some(id) => *value = json!({ "id": id }),
        None => {
            // By the word that the request has for it: `username`, `prefix`.
            let key = given.and_then(Value::as_object).and_then(|given| given.keys().next());
            let key = key.map_or("name", String::as_str);
            return Err(refused::unresolved(collection, field, key, name));
        }
    }
    Ok(())
}

/// Keeps of a password what Kong keeps (compat A8), unless it comes hashed already, or is a reference.
fn hide_password(kind: &Kind, given: &Fields, row: &mut Fields) {
    let Some(password) = given.get("password").and_then(Value::as_str) else { return };
    let kept = ["$argon2", "$2a$", "$2b$", "$2x$", "$2y$", "{vault://"];
    if kind.collection != "basicauth_credentials" || kept.iter().any(|start| password.starts_with(start)) {
        return;
    }
    let Some(consumer) = lookup::reference(row, "consumer") else { return };
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(password.as_bytes());
    context.update(consumer.to_string().as_bytes());
    let digits: String = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    row.insert("password".to_owned(), digits.into());
}
