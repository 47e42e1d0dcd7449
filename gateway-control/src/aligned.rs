//! A configuration with the ids of what is there already.

use std::collections::HashMap;

use gateway_core::config::{Change, Config};
use serde_json::{Map, Value};

/// Kinds in an order in which none refers to a later one, and what tells the entities of each apart.
const KINDS: [(&str, &[&str]); 14] = [
    ("vaults", &["prefix"]),
    ("certificates", &["cert"]),
    ("ca_certificates", &["cert"]),
    ("snis", &["name"]),
    ("upstreams", &["name"]),
    ("targets", &["upstream", "target"]),
    ("services", &["name"]),
    ("routes", &["name"]),
    ("consumers", &["username", "custom_id"]),
    ("consumer_groups", &["name"]),
    ("credentials", &["kind", "consumer", "key", "username", "group", "client_id"]),
    ("plugins", &["name", "instance_name", "service", "route", "consumer", "consumer_group"]),
    ("key_sets", &["name"]),
    ("keys", &["name", "kid", "set"]),
];

/// `wanted`, where what comes has the id of what would go for it: a file without ids means the route named `users`
/// that is there, not another one.
///
/// ```
/// use gateway_control::aligned;
/// use gateway_core::config::{Config, Plugin};
///
/// let cors = || Config::default().with(Plugin::new("cors", serde_json::json!({})));
/// let (current, wanted) = (cors(), cors());
/// assert_ne!(current, wanted, "plugins have no id that a name would give");
/// assert_eq!(aligned(&current, wanted), current);
/// ```
#[must_use]
pub fn aligned(current: &Config, wanted: Config) -> Config {
    let (Ok(comes), Ok(goes)) = (json(&current.diff(&wanted)), json(&wanted.diff(current))) else {
        return wanted;
    };
    let mut ids = HashMap::new();
    for (kind, key) in KINDS {
        let mut free = HashMap::new();
        for (id, entity) in missing(&goes, &comes, kind) {
            free.entry(identity(entity, key, &HashMap::new())).or_insert_with(Vec::new).push(id);
        }
        // The first content of a store, above all.
        if free.is_empty() {
            continue;
        }
        for (id, entity) in missing(&comes, &goes, kind) {
            if let Some(old) = free.get_mut(&identity(entity, key, &ids)).and_then(Vec::pop) {
                ids.insert(id.clone(), old.clone());
            }
        }
    }
    if ids.is_empty() {
        return wanted;
    }
    renamed(&wanted, &ids).unwrap_or(wanted)
}

fn json(change: &Change) -> serde_json::Result<Value> {
    serde_json::to_value(change)
}

/// The entities of a kind that are in `of`, and not in `other`.
fn missing<'a>(of: &'a Value, other: &Value, kind: &str) -> Vec<(&'a String, &'a Map<String, Value>)> {
    let entities = of.get(kind).and_then(Value::as_object).into_iter().flatten();
    let only = entities.filter(|(id, _)| other[kind][id.as_str()].is_null());
    only.filter_map(|(id, entity)| Some((id, entity.as_object()?))).collect()
}

/// What tells an entity from others of its kind: the key's fields, or all of them where it has no name.
fn identity(entity: &Map<String, Value>, key: &[&str], ids: &HashMap<String, String>) -> String {
    let plain = |name: &str| entity.get(name).filter(|value| !value.is_null());
    let is_named = key.iter().any(|name| plain(name).is_some_and(Value::is_string));
    let of_key = |name: &str| key.contains(&name);
    let of_all = |name: &str| !["id", "created_at", "updated_at"].contains(&name);
    let fields = entity.iter().filter(|(name, _)| if is_named { of_key(name) } else { of_all(name) });
    let fields = fields.map(|(name, value)| (name.clone(), replaced(value, ids)));
    Value::Object(fields.collect()).to_string()
}

fn renamed(wanted: &Config, ids: &HashMap<String, String>) -> Option<Config> {
    let all = json(&Config::default().diff(wanted)).ok()?;
    let change: Change = serde_json::from_value(replaced(&all, ids)).ok()?;
    Some(Config::default().apply(&change))
}

/// The same with other ids, wherever they stand.
fn replaced(value: &Value, ids: &HashMap<String, String>) -> Value {
    let id = |text: &String| ids.get(text).unwrap_or(text).clone();
    match value {
        Value::String(text) => Value::String(id(text)),
        Value::Array(items) => items.iter().map(|item| replaced(item, ids)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (id(name), replaced(value, ids))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::{config::Config, plugins};

    use super::aligned;

    const FILE: &str = "
_format_version: '3.0'
services:
- name: users
  host: users.internal
  plugins: [{name: cors}]
  routes:
  - name: users
    paths: [/users]
    plugins: [{name: cors, config: {max_age: 7}}]
  - paths: [/nameless]
upstreams:
- name: pool
  targets: [{target: '127.0.0.1:1'}, {target: '127.0.0.1:2', weight: 7}]
consumers:
- username: alice
  keyauth_credentials: [{key: k1}, {key: k2}]
  acls: [{group: g}]
plugins: [{name: cors}]
";

    fn parse(text: &str) -> Config {
        Config::parse(text, &plugins::bundled()).unwrap()
    }

    #[test]
    fn the_same_file_twice_is_the_same() {
        let current = parse(FILE);
        assert_eq!(aligned(&current, parse(FILE)), current);
    }

    #[test]
    fn what_has_the_name_has_the_id_and_what_refers_to_it_follows() {
        let id = "- id: 00000000-0000-4000-8000-000000000001\n  name: users\n  host";
        let current = parse(&FILE.replace("- name: users\n  host", id));
        let wanted = FILE.replace("users.internal", "other.internal").replace("max_age: 7", "max_age: 8");
        let aligned = aligned(&current, parse(&wanted));
        let change = current.diff(&aligned);
        assert_eq!((change.services.len(), change.plugins.len()), (1, 1));
        assert!(change.routes.is_empty() && change.credentials.is_empty() && change.targets.is_empty());
        assert!(change.services.values().all(Option::is_some));
    }

    #[test]
    fn what_is_new_comes_and_what_is_not_there_goes() {
        let (current, wanted) = (parse(FILE), parse(&FILE.replace("{key: k2}", "{key: k3}, {key: k4}")));
        let change = current.diff(&aligned(&current, wanted));
        let goes = change.credentials.values().filter(|credential| credential.is_none()).count();
        assert_eq!((change.credentials.len(), goes), (3, 1));
    }
}
