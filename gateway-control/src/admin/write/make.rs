//! What POST, PUT, PATCH and DELETE make of a configuration. Nothing here waits, or knows of requests.

use gateway_core::config::schema::{self, PluginSchemas, Record};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    answer::{self, Answer},
    conditions::{Conditions, Standing},
    entity,
    fields::Fields,
    lease, lookup, members,
    merge::merge,
    place::{Owner, Place},
    refused, remove,
};
use crate::{
    admin::{
        etag::{self, Whole},
        kind::{Kind, Parent},
        reply::Failure,
    },
    control::Draft,
};

/// A write as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) place: Place,
    pub(super) fields: Fields,
    pub(super) conditions: Conditions,
}

/// Makes it.
pub(super) fn make(draft: &mut Draft<'_>, ask: &Ask) -> Result<Answer, Failure> {
    let Ask { method, place, fields, conditions } = ask;
    // What would be refused without conditions is refused for what it is (RFC 9110 13.2.1); they are about what was
    // there before.
    let verdict = conditions.check(Whole::At(draft.revision()), || current(draft, place));
    let answer = match (method.as_str(), place) {
        ("POST", Place::List { kind, owner }) => create(draft, kind, owner.as_ref(), fields),
        ("PUT", Place::One { kind, owner, key }) => replace(draft, kind, owner.as_ref(), key, fields),
        ("PATCH", Place::One { kind, owner, key }) => update(draft, kind, owner.as_ref(), key, fields),
        ("DELETE", Place::One { kind, owner, key }) => delete(draft, kind, owner.as_ref(), key),
        ("PUT" | "PATCH" | "DELETE", Place::Above { child, key, parent }) => {
            above(draft, method, (child, key, parent), fields)
        }
        (_, Place::Members { group, consumer, from }) => {
            members::write(draft, method, *from, (group.as_deref(), consumer.as_deref()), fields)
        }
        _ => Err(Failure::MethodNotAllowed),
    }?;
    verdict.map(|()| answer)
}

/// What stands at a place before anything is made.
fn current(draft: &Draft<'_>, place: &Place) -> Standing {
    let (kind, id) = match place {
        Place::List { .. } => return Standing::Whole,
        Place::Members { group, consumer, from } => {
            return members::standing(draft, *from, (group.as_deref(), consumer.as_deref()));
        }
        Place::One { kind, owner, key } => {
            let owner = owner.as_ref().map(|owner| Some((owner, lookup::owner(draft, owner).ok()?)));
            (Some(*kind), lookup::find(draft, kind, key, owner.flatten()))
        }
        Place::Above { child, key, parent } => {
            let row = lookup::find(draft, child, key, None).and_then(|id| lookup::row(draft, child, id));
            (Kind::of(parent.collection), row.and_then(|row| lookup::reference(&row, parent.field)))
        }
    };
    let shown = kind.zip(id).and_then(|(kind, id)| answer::entity(draft, draft.config(), kind, id));
    shown.map_or(Standing::Nothing, |shown| Standing::Entity(etag::of_entity(&shown)))
}

/// POST (compat A1 to A9).
fn create(
    draft: &mut Draft<'_>,
    kind: &'static Kind,
    owner: Option<&Owner>,
    fields: &Fields,
) -> Result<Answer, Failure> {
    let mut given = typed(draft, kind, fields, None)?;
    own(draft, kind, owner, &mut given)?;
    if let Some(id) = lease::registered(draft, kind, &given) {
        entity::put(draft, kind, id, &given, given.clone())?;
        return Ok(Answer::entity(draft, kind, id, StatusCode::OK));
    }
    let id = match given.get("id") {
        None | Some(Value::Null) => Uuid::new_v4(),
        // One that is none is refused with the other fields.
        Some(id) => id.as_str().and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_default(),
    };
    if draft.checked().has(kind.collection, id) && !kind.is_over(draft.config(), id) {
        return Err(refused::taken_id(id));
    }
    entity::put(draft, kind, id, &given, given.clone())?;
    Ok(Answer::entity(draft, kind, id, StatusCode::CREATED))
}

/// PUT: what the request does not say gets its default (compat A41).
fn replace(
    draft: &mut Draft<'_>,
    kind: &'static Kind,
    owner: Option<&Owner>,
    key: &str,
    fields: &Fields,
) -> Result<Answer, Failure> {
    let above = owner.map(|owner| lookup::owner(draft, owner).map(|id| (owner, id))).transpose()?;
    let found = lookup::find(draft, kind, key, above);
    let id = match (Uuid::parse_str(key), found, kind.key) {
        (Ok(id), ..) => id,
        (Err(_), Some(id), _) => id,
        (Err(_), None, Some(_)) => Uuid::new_v4(),
        (Err(_), None, None) => return Err(refused::bad_id()),
    };
    let mut given = typed(draft, kind, fields, None)?;
    own(draft, kind, owner, &mut given)?;
    if let Some(field) = kind.key.filter(|_| Uuid::parse_str(key).is_err()) {
        overrule(draft, kind, &mut given, (field, key.into()))?;
    }
    entity::put(draft, kind, id, &given, given.clone())?;
    Ok(Answer::entity(draft, kind, id, StatusCode::OK))
}

/// PATCH: what the request does not say stays.
fn update(
    draft: &mut Draft<'_>,
    kind: &'static Kind,
    owner: Option<&Owner>,
    key: &str,
    fields: &Fields,
) -> Result<Answer, Failure> {
    let id = match owner {
        Some(owner) => belonging(draft, kind, owner, key)?,
        None => lookup::find(draft, kind, key, None).ok_or_else(|| missing(kind, key))?,
    };
    patch(draft, kind, id, fields)
}

fn patch(draft: &mut Draft<'_>, kind: &'static Kind, id: Uuid, fields: &Fields) -> Result<Answer, Failure> {
    let mut row = lookup::row(draft, kind, id).ok_or(Failure::NotFound)?;
    let given = typed(draft, kind, fields, Some(&row))?;
    let record = schema::entity(kind.collection).ok_or(Failure::NotFound)?;
    let config = config(draft, kind, &given, Some(&row));
    merge(&mut row, given.clone(), record, config);
    entity::put(draft, kind, id, &given, row)?;
    Ok(Answer::entity(draft, kind, id, StatusCode::OK))
}

fn missing(kind: &Kind, key: &str) -> Failure {
    match kind.key {
        None if Uuid::parse_str(key).is_err() => refused::bad_id(),
        _ => refused::not_found(kind, key),
    }
}

/// DELETE (compat A23, A26).
fn delete(
    draft: &mut Draft<'_>,
    kind: &'static Kind,
    owner: Option<&Owner>,
    key: &str,
) -> Result<Answer, Failure> {
    let id = match owner {
        Some(owner) => Some(belonging(draft, kind, owner, key)?),
        None => lookup::find(draft, kind, key, None),
    };
    if let Some(id) = id {
        remove::remove(draft, kind, id)?;
    }
    Ok(Answer::gone())
}

/// The entity that another refers to: `/routes/{route}/service`.
fn above(
    draft: &mut Draft<'_>,
    method: &Method,
    (child, key, parent): (&'static Kind, &str, &'static Parent),
    fields: &Fields,
) -> Result<Answer, Failure> {
    let kind = Kind::of(parent.collection).ok_or(Failure::NotFound)?;
    let below = lookup::find(draft, child, key, None).ok_or(Failure::NotFound)?;
    let row = lookup::row(draft, child, below).ok_or(Failure::NotFound)?;
    let referred = lookup::reference(&row, parent.field);
    match (method, referred) {
        (&Method::PATCH, Some(id)) => patch(draft, kind, id, fields),
        (&Method::PUT, Some(id)) => replace(draft, kind, None, &id.to_string(), fields),
        (&Method::PUT, None) => {
            let id = Uuid::new_v4();
            let answer = replace(draft, kind, None, &id.to_string(), fields)?;
            let link = Map::from_iter([(parent.field.to_owned(), json!({ "id": id }))]);
            patch(draft, child, below, &Fields::Json(link))?;
            Ok(answer)
        }
        (_, Some(_)) => Err(Failure::MethodNotAllowed),
        (_, None) => Err(Failure::NotFound),
    }
}

/// The entity at a path below another one.
fn belonging(draft: &Draft<'_>, kind: &Kind, owner: &Owner, key: &str) -> Result<Uuid, Failure> {
    let above = lookup::owner(draft, owner)?;
    let id = lookup::find(draft, kind, key, Some((owner, above))).ok_or(Failure::NotFound)?;
    let row = lookup::row(draft, kind, id).ok_or(Failure::NotFound)?;
    let belongs = lookup::reference(&row, owner.parent.field) == Some(above);
    if belongs { Ok(id) } else { Err(Failure::NotFound) }
}

/// Sets the reference to the entity whose list it is.
fn own(
    draft: &Draft<'_>,
    kind: &Kind,
    owner: Option<&Owner>,
    given: &mut Map<String, Value>,
) -> Result<(), Failure> {
    let Some(owner) = owner else { return Ok(()) };
    let id = lookup::owner(draft, owner)?;
    overrule(draft, kind, given, (owner.parent.field, json!({ "id": id })))
}

/// Puts what the path says in the place of what the request says, which has to be right all the same.
fn overrule(
    draft: &Draft<'_>,
    kind: &Kind,
    given: &mut Map<String, Value>,
    (field, value): (&str, Value),
) -> Result<(), Failure> {
    match given.insert(field.to_owned(), value) {
        Some(said) if !said.is_null() => entity::check_field(draft, kind, field, said),
        _ => Ok(()),
    }
}

fn typed(
    draft: &Draft<'_>,
    kind: &Kind,
    fields: &Fields,
    before: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, Failure> {
    let record = schema::entity(kind.collection).ok_or(Failure::NotFound)?;
    let name = fields.text("name").map(|name| Map::from_iter([("name".to_owned(), name.into())]));
    let config = config(draft, kind, &name.unwrap_or_default(), before);
    Ok(fields.typed(record, config))
}

/// The table of a plugin's `config`.
fn config<'d>(
    draft: &'d Draft<'_>,
    kind: &Kind,
    given: &Map<String, Value>,
    before: Option<&Map<String, Value>>,
) -> Option<&'d Record> {
    if kind.collection != "plugins" {
        return None;
    }
    let name = given.get("name").or_else(|| before?.get("name"))?.as_str()?;
    draft.plugins().schema(name)
}
