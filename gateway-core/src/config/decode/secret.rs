//! References into vaults: `{vault://env/db-password}`, `{vault://env/db/password}`.

use std::collections::HashMap;

use serde_json::Value;

use super::{Environment, Options};
use crate::config::document::Node;

/// Looks references up.
pub(super) struct Secrets<'a> {
    environment: Option<&'a Environment<'a>>,
    /// What each vault puts before the names of variables.
    vaults: HashMap<String, String>,
}

impl<'a> Secrets<'a> {
    /// The vaults that the file at `root` declares, and `env`, which is always there.
    pub(super) fn new(root: &Node, options: &Options<'a>) -> Self {
        let declared = root.get("vaults").into_iter().flat_map(Node::items).filter_map(|vault| {
            let prefix = vault.get("prefix")?.as_str()?;
            let config = vault.get("config");
            let before = config.and_then(|config| config.get("prefix")).and_then(Node::as_str);
            Some((prefix.to_owned(), before.unwrap_or_default().to_owned()))
        });
        let vaults = declared.chain([("env".to_owned(), String::new())]).collect();
        Self { environment: options.environment, vaults }
    }

    /// What `reference` stands for; nothing where references are kept as they are.
    pub(super) fn resolve(&self, reference: &str) -> Result<Option<String>, String> {
        let Some(environment) = self.environment else { return Ok(None) };
        let refuse = |reason: String| format!("failed to dereference '{reference}': {reason}");
        self.look_up(reference, environment).map(Some).map_err(refuse)
    }

    fn look_up(&self, reference: &str, environment: &Environment<'_>) -> Result<String, String> {
        let inside = reference.trim_start_matches("{vault://").trim_end_matches('}');
        let inside = inside.split_once(['?', '#']).map_or(inside, |(path, _)| path);
        let mut parts = inside.splitn(3, '/').filter(|part| !part.is_empty());
        let (Some(vault), Some(resource)) = (parts.next(), parts.next()) else {
            return Err("it needs a vault and a name: {vault://env/name}".to_owned());
        };
        let before = self.vaults.get(vault).ok_or_else(|| format!("there is no vault '{vault}'"))?;
        let variable = format!("{before}{resource}").to_uppercase().replace('-', "_");
        let value =
            environment(&variable).ok_or_else(|| format!("environment variable {variable} is not set"))?;
        match parts.next() {
            Some(key) => field(&value, key)
                .ok_or_else(|| format!("{variable} is no JSON object with the field '{key}'")),
            None => Ok(value),
        }
    }
}

/// A field of a secret that is a JSON object.
fn field(secret: &str, key: &str) -> Option<String> {
    let object: Value = serde_json::from_str(secret).ok()?;
    match object.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Options, Secrets};
    use crate::{config::document::Node, plugin::Registry};

    fn resolve(reference: &str) -> Result<Option<String>, String> {
        let environment = |name: &str| match name {
            "MY_KEY" => Some("k".to_owned()),
            "APP_DB" => Some(r#"{"password":"p","port":5432}"#.to_owned()),
            _ => None,
        };
        let registry = Registry::empty();
        let options = Options::new(&registry).environment(&environment);
        let file = json!({"vaults": [{"prefix": "app", "name": "env", "config": {"prefix": "app-"}}]});
        Secrets::new(&Node::of(&file, None), &options).resolve(reference)
    }

    #[test]
    fn variables_are_named_in_upper_case_and_may_hold_json() {
        assert_eq!(resolve("{vault://env/my-key}"), Ok(Some("k".to_owned())));
        assert_eq!(resolve("{vault://app/db/password}"), Ok(Some("p".to_owned())));
        assert_eq!(resolve("{vault://app/db/port}"), Ok(Some("5432".to_owned())));
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |reference| resolve(reference).expect_err("missing");
        assert!(message("{vault://env/other}").ends_with("environment variable OTHER is not set"));
        assert!(message("{vault://nope/x}").ends_with("there is no vault 'nope'"));
        assert!(message("{vault://app/db/user}").ends_with("APP_DB is no JSON object with the field 'user'"));
        assert!(message("{vault://env}").contains("it needs a vault and a name"));
    }
}
