//! What a change does, for people and tools: `?dry_run=1`, `/history`, `/changes`.

use gateway_core::{
    Gateway,
    config::{Change, Config},
    lint::{Finding, lint},
};
use serde_json::{Value, json};

use crate::rows::{self, Row};

/// Every entity that differs, as it was and as it is.
pub(in crate::admin) fn changes(change: &Change, before: &Change) -> Vec<Value> {
    let whole = |row: Row| {
        let mut line = line(&row);
        if let Some(line) = line.as_object_mut() {
            line.extend([
                ("before".to_owned(), row.before.unwrap_or_default()),
                ("after".to_owned(), row.after.unwrap_or_default()),
            ]);
        }
        line
    };
    rows::of(change, before).into_iter().map(whole).collect()
}

/// The same without what is in them, which may be secret.
pub(in crate::admin) fn lines(change: &Change, before: &Change) -> Vec<Value> {
    rows::of(change, before).iter().map(line).collect()
}

fn line(row: &Row) -> Value {
    let action = match (&row.before, &row.after) {
        (None, _) => "create",
        (Some(_), Some(_)) => "update",
        (Some(_), None) => "delete",
    };
    let entity = row.after.as_ref().or(row.before.as_ref());
    let name = ["name", "username", "target", "prefix"].iter().find_map(|name| entity?.get(name)?.as_str());
    json!({ "collection": row.collection, "id": row.id, "name": name, "action": action })
}

/// What is doubtful in `new` and was not so in `old`.
pub(super) fn findings(gateway: &Gateway, old: &Config, new: &Config) -> Vec<Finding> {
    let dialect = gateway.settings().dialect();
    let before = lint(old, dialect);
    lint(new, dialect).iter().filter(|finding| !before.iter().any(|old| old == *finding)).cloned().collect()
}
