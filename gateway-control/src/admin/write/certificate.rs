//! The names of servers that stand in their certificate: `"snis": ["a.example"]` (compat A 2.8).

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::refused;
use crate::{
    admin::{kind::Kind, reply::Failure},
    control::Draft,
    rows::Rows,
};

/// Takes the names out of the fields of a certificate; nothing where the request does not say any.
pub(super) fn take_names(
    kind: &Kind,
    fields: &mut Map<String, Value>,
) -> Result<Option<Vec<String>>, Failure> {
    if kind.collection != "certificates" {
        return Ok(None);
    }
    match fields.remove("snis") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(vec![name])),
        Some(Value::Array(names)) => {
            let names = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>();
            names.map(Some).ok_or_else(|| refused::field("snis", "expected a string"))
        }
        Some(_) => Err(refused::field("snis", "expected an array")),
    }
}

/// What gives a certificate these names, and no others: the rows that go, and the fields of names that come.
pub(super) fn renamed(
    draft: &Draft<'_>,
    certificate: Uuid,
    names: &[String],
) -> Result<(Rows, Vec<Map<String, Value>>), Failure> {
    let (mut rows, mut new) = (Rows::default(), Vec::new());
    for (by, sni) in draft.checked().users_of("certificates", certificate) {
        let name = draft.config().snis.get(&sni).map(|sni| sni.name.as_str());
        if by == "snis" && !name.is_some_and(|name| names.iter().any(|kept| kept == name)) {
            rows.take("snis", sni);
        }
    }
    let mut seen = HashSet::new();
    for name in names.iter().filter(|name| seen.insert(name.as_str())) {
        let holder = draft.checked().find("snis", "name", name).and_then(|id| draft.config().snis.get(&id));
        match holder.map(|sni| sni.certificate.id) {
            Some(id) if id == certificate => continue,
            Some(id) => {
                let message = format!("{name} already associated with existing certificate '{id}'");
                return Err(refused::field("snis", &message));
            }
            None => {}
        }
        let id = json!({ "id": certificate });
        new.push(Map::from_iter([("name".to_owned(), name.clone().into()), ("certificate".to_owned(), id)]));
    }
    Ok((rows, new))
}
