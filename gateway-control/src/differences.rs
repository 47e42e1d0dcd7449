//! What differs between two configurations, for people and for tools.

use std::{collections::BTreeSet, fmt};

use gateway_core::config::{Change, Config};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What differs between two configurations, an entity a line. No secret is in it: of entities that may have some, it
/// names the fields and not their values.
///
/// As JSON it is a list of `{"what", "kind", "id", "name", "fields"}`, where `what` is `comes`, `changes` or `goes`.
///
/// ```
/// use gateway_control::Differences;
/// use gateway_core::config::{Config, Service};
///
/// let old = Config::default();
/// let new = old.clone().with(Service::new("users", "users.internal"));
/// let text = Differences::between(&old, &new).to_string();
/// assert!(text.starts_with("+ services users ") && text.ends_with("1 come, 0 change, 0 go\n"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Differences(Vec<Difference>);

/// One entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Difference {
    what: What,
    /// The list it stands in.
    kind: String,
    id: String,
    /// How people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The fields that differ, where it is in both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Comes,
    Changes,
    Goes,
}

/// A field, with its values where they are no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Field {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<[Value; 2]>,
}

/// Lists whose entities have no secrets.
const OPEN: [&str; 8] =
    ["services", "routes", "upstreams", "targets", "consumers", "consumer_groups", "snis", "ca_certificates"];

/// When an entity was made or changed is no difference by itself.
const TIMES: [&str; 2] = ["created_at", "updated_at"];

impl Differences {
    /// What turns `old` into `new`.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        Self::of(&old.diff(new), &new.diff(old))
    }

    /// What a change does, given what was there before.
    #[must_use]
    pub fn of(change: &Change, before: &Change) -> Self {
        let json = |change| serde_json::to_value(change).unwrap_or_default();
        let (change, before) = (json(change), json(before));
        let kinds = change.as_object().into_iter().flatten();
        let entities = kinds.flat_map(|(kind, entities)| {
            entities.as_object().into_iter().flatten().map(move |(id, entity)| (kind, id, entity))
        });
        Self(
            entities.filter_map(|(kind, id, new)| Difference::of(kind, id, &before[kind][id], new)).collect(),
        )
    }

    /// Whether nothing does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entities differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Difference {
    fn of(kind: &str, id: &str, old: &Value, new: &Value) -> Option<Self> {
        let what = match (old.as_object(), new.as_object()) {
            (None, _) => What::Comes,
            (_, None) => What::Goes,
            _ => What::Changes,
        };
        let fields = old.as_object().zip(new.as_object()).map(|(old, new)| fields(kind, old, new));
        let fields = fields.unwrap_or_default();
        if what == What::Changes && fields.is_empty() {
            return None;
        }
        let either = if what == What::Goes { old } else { new };
        let kind = either.get("kind").and_then(Value::as_str).unwrap_or(kind).to_owned();
        Some(Self { what, kind, id: id.to_owned(), name: name(either), fields })
    }
}

/// How people call an entity; no credential's key is a name.
fn name(entity: &Value) -> Option<String> {
    let names = ["name", "username", "custom_id", "target", "group", "prefix"].into_iter();
    let name = names.filter_map(|name| entity.get(name)?.as_str()).next();
    name.filter(|_| entity.get("password").is_none() || entity.get("username").is_some()).map(str::to_owned)
}

fn fields(kind: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Field> {
    let names: BTreeSet<_> =
        old.keys().chain(new.keys()).filter(|name| !TIMES.contains(&name.as_str())).collect();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    let differing = names.into_iter().filter(|name| value(old, name) != value(new, name));
    let field = |name: &String| Field {
        name: name.clone(),
        values: OPEN.contains(&kind).then(|| [value(old, name), value(new, name)]),
    };
    differing.map(field).collect()
}

/// One line an entity, and one a field.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.0 {
            let Difference { what, kind, id, name, fields } = difference;
            let sign = match what {
                What::Comes => '+',
                What::Changes => '~',
                What::Goes => '-',
            };
            let name = name.as_deref().unwrap_or_default();
            let space = if name.is_empty() { "" } else { " " };
            writeln!(f, "{sign} {kind} {name}{space}{id}")?;
            for Field { name, values } in fields {
                match values {
                    Some([old, new]) => writeln!(f, "    {name}: {old} -> {new}")?,
                    None => writeln!(f, "    {name}")?,
                }
            }
        }
        let count = |what| self.0.iter().filter(|difference| difference.what == what).count();
        let [comes, changes, goes] = [What::Comes, What::Changes, What::Goes].map(count);
        match self.0.is_empty() {
            true => writeln!(f, "nothing differs"),
            false => writeln!(f, "{comes} come, {changes} change, {goes} go"),
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::config::{Config, Consumer, Plugin, Service};
    use serde_json::json;

    use super::Differences;

    #[test]
    fn each_entity_is_a_line_and_secrets_are_not_told() {
        let (mut users, gone) = (Service::new("users", "h"), Consumer::new("bob"));
        let mut plugin = Plugin::new("cors", json!({ "secret": "s3cret" }));
        let old = Config::default().with(users.clone()).with(gone).with(plugin.clone());
        (users.port, users.updated_at) = (81, 9);
        plugin.config = json!({ "secret": "other" });
        let new = Config::default().with(users).with(plugin).with(Service::new("orders", "h"));
        let text = Differences::between(&old, &new).to_string();
        assert!(text.contains("~ services users ") && text.contains("    port: 80 -> 81\n"), "{text}");
        assert!(text.contains("+ services orders ") && text.contains("- consumers bob "), "{text}");
        assert!(text.contains("~ plugins cors ") && text.contains("    config\n"), "{text}");
        assert!(text.ends_with("1 come, 2 change, 1 go\n"), "{text}");
        assert!(!text.contains("s3cret") && !text.contains("updated_at"), "{text}");
        assert_eq!(Differences::between(&old, &old).to_string(), "nothing differs\n");
    }

    #[test]
    fn a_time_alone_is_no_difference() {
        let mut users = Service::new("users", "h");
        let old = Config::default().with(users.clone());
        users.updated_at = 7;
        assert!(Differences::between(&old, &Config::default().with(users)).is_empty());
    }
}
