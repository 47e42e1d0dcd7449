//! Entities by what paths and references name them by.

use gateway_core::config::schema;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::place::Owner;
use crate::{
    admin::{
        kind::{Kind, id_of},
        reply::Failure,
    },
    control::Draft,
};

/// The id of an entity by its id or its key; `owner` is the one whose list it is looked up in.
pub(super) fn find(draft: &Draft<'_>, kind: &Kind, key: &str, owner: Option<(&Owner, Uuid)>) -> Option<Uuid> {
    kept(draft, kind, key, owner).filter(|id| !kind.is_over(draft.config(), *id))
}

fn kept(draft: &Draft<'_>, kind: &Kind, key: &str, owner: Option<(&Owner, Uuid)>) -> Option<Uuid> {
    if let Ok(id) = Uuid::parse_str(key) {
        return draft.checked().has(kind.collection, id).then_some(id);
    }
    if kind.collection == "certificates" {
        return by_server_name(draft, key);
    }
    let field = kind.key?;
    if is_unique(kind, field) {
        return draft.checked().find(kind.collection, field, key);
    }
    let is_it = |row: &Value| row.get(field).and_then(Value::as_str) == Some(key);
    let Some((owner, id)) = owner else {
        let found = (kind.rows)(draft.config(), None).find(is_it)?;
        return Uuid::parse_str(id_of(&found)?).ok();
    };
    let below = draft.checked().users_of(owner.parent.collection, id);
    let mut below = below.filter(|(by, _)| *by == kind.collection).map(|(_, id)| id);
    below.find(|id| kind.by_id(draft.config(), *id).is_some_and(|row| is_it(&row)))
}

/// A certificate also goes by the name of a server.
fn by_server_name(draft: &Draft<'_>, name: &str) -> Option<Uuid> {
    let sni = draft.checked().find("snis", "name", name)?;
    draft.config().snis.get(&sni).map(|sni| sni.certificate.id)
}

fn is_unique(kind: &Kind, field: &str) -> bool {
    let field = schema::entity(kind.collection).and_then(|record| record.field(field));
    field.is_some_and(|field| field.unique)
}

/// The id of the entity whose list a path means.
pub(super) fn owner(draft: &Draft<'_>, owner: &Owner) -> Result<Uuid, Failure> {
    let above = Kind::of(owner.parent.collection).ok_or(Failure::NotFound)?;
    find(draft, above, &owner.key, None).ok_or(Failure::NotFound)
}

/// An entity's fields, null ones included.
pub(super) fn row(draft: &Draft<'_>, kind: &Kind, id: Uuid) -> Option<Map<String, Value>> {
    match kind.by_id(draft.config(), id) {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

/// The id that a field refers to.
pub(super) fn reference(row: &Map<String, Value>, field: &str) -> Option<Uuid> {
    Uuid::parse_str(row.get(field).and_then(id_of)?).ok()
}
