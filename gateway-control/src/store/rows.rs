//! A change as rows, one an entity, and rows as a change.

use gateway_core::config::Change;
use serde_json::Value;
use uuid::Uuid;

use super::{Note, Revision};
use crate::times;

/// One entity of a change: its kind as in a declarative file, its id, and its JSON, or nothing where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: String,
    pub(super) id: Uuid,
    pub(super) json: Option<String>,
}

/// The rows of a change, kind by kind.
///
/// # Errors
/// When an entity does not serialise, which those of the core do.
pub(super) fn of(change: &Change) -> serde_json::Result<Vec<Row>> {
    let Value::Object(kinds) = serde_json::to_value(change)? else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for (kind, entities) in kinds {
        let Value::Object(entities) = entities else { continue };
        for (id, entity) in entities {
            let id = Uuid::parse_str(&id).map_err(serde::ser::Error::custom)?;
            let json = (!entity.is_null()).then(|| entity.to_string());
            rows.push(Row { kind: kind.clone(), id, json });
        }
    }
    Ok(rows)
}

/// The JSON of the change that these rows make. Those of one kind stand together.
pub(super) fn document<'a>(rows: impl IntoIterator<Item = (&'a str, Uuid, Option<&'a str>)>) -> String {
    let mut text = String::from("{");
    let mut last = None;
    for (kind, id, json) in rows {
        match last {
            Some(last) if last == kind => text.push(','),
            Some(_) => text.push_str(&format!("}},\"{kind}\":{{")),
            None => text.push_str(&format!("\"{kind}\":{{")),
        }
        last = Some(kind);
        text.push_str(&format!("\"{id}\":{}", json.unwrap_or("null")));
    }
    text.push_str(if last.is_some() { "}}" } else { "}" });
    text
}

/// The same of rows as they are.
pub(super) fn document_of(rows: &[Row]) -> String {
    document(rows.iter().map(|row| (row.kind.as_str(), row.id, row.json.as_deref())))
}

/// Whether two texts are the same entity: the order of its fields does not count.
pub(super) fn same(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || (one.len() == other.len() && parsed(one) == parsed(other))
}

/// The JSON of an [`Entry`](super::Entry), made of JSON.
pub(super) fn record(revision: Revision, note: &Note, change: &str, before: &str) -> String {
    let (who, what) = (Value::from(note.who.as_str()), Value::from(note.what.as_str()));
    let at = times::unix();
    format!(
        "{{\"revision\":{revision},\"at\":{at},\"note\":{{\"who\":{who},\"what\":{what}}},\"change\":{change},\"before\":{before}}}"
    )
}

#[cfg(test)]
mod tests {
    use gateway_core::config::{Change, Config, Route, Service};

    use super::{document_of, of};

    #[test]
    fn rows_are_the_change() {
        let old = Config::default().with(Service::new("gone", "h"));
        let new = Config::default().with(Service::new("a", "h")).with(Route::new("r")).with(Route::new("s"));
        let change = old.diff(&new);
        let rows = of(&change).unwrap();
        assert_eq!(rows.len(), 4);
        assert_eq!(serde_json::from_str::<Change>(&document_of(&rows)).unwrap(), change);
        assert_eq!(document_of(&[]), "{}");
    }
}
