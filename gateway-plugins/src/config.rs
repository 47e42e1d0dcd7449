//! One configuration of a plugin: what the guest gets, and what the operator grants.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use gateway_core::config::schema::Record;
use serde_json::Value;

use crate::{
    call::Configuration,
    entity::Entity,
    grants::{Grants, HOST, granted},
    sources::Reach,
};

/// A plugin's configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// What foreign functions see of it.
    pub(crate) own: Configuration,
    /// What the guest gets: the JSON text of `config` without the host's part.
    pub(crate) text: Bytes,
    pub(crate) grants: Grants,
    /// The name that `plugin_root_id` has.
    pub(crate) root_id: String,
}

impl Config {
    /// Reads the `config` of `entity`; where it says nothing, `grants` count.
    pub(crate) fn new(entity: Entity, config: &Value, grants: &Grants) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut guest = config.as_object().cloned().unwrap_or_default();
        let mut grants = grants.clone();
        if let Some(Value::Object(host)) = guest.remove(HOST) {
            grants.read(&host)?;
        }
        grants.read_origins(&guest);
        let root_id = match guest.get("root_id") {
            Some(Value::String(id)) => id.clone(),
            _ => String::new(),
        };
        let text = Bytes::from(Value::Object(guest).to_string());
        Ok(Self { own: Configuration::new(NEXT.fetch_add(1, Relaxed), entity), text, grants, root_id })
    }

    /// Tells it from all others of the process.
    pub(crate) const fn id(&self) -> u64 {
        self.own.id
    }

    /// How far the guest may go to call this upstream, if it may.
    pub(crate) fn reach(&self, upstream: &str) -> Option<Reach> {
        self.grants.reach(upstream)
    }
}

/// The table of a foreign plugin's `config`: the host's part, and whatever the guest takes.
pub(crate) fn schema() -> Record {
    Record::new(vec![granted()]).open()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::Config;
    use crate::{Entity, OnError, grants::Grants, sources::Reach};

    #[test]
    fn the_guest_gets_all_but_the_hosts_part() {
        let config = json!({ "realm": "x", "host": { "on_error": 503, "upstreams": ["auth"] } });
        let config = Config::new(Entity::default(), &config, &Grants::default()).unwrap();
        assert_eq!(config.text, r#"{"realm":"x"}"#);
        assert_eq!(config.grants.on_error, OnError::Status(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!((config.reach("auth"), config.reach("other")), (Some(Reach::Named), None));
    }

    #[test]
    fn the_plugins_own_grants_count_where_the_configuration_is_silent() {
        let grants = Grants {
            on_error: OnError::Allow,
            upstreams: vec!["auth".into()],
            body_while_held: true,
            ..Grants::default()
        };
        let config =
            Config::new(Entity::default(), &json!({ "host": { "on_error": null } }), &grants).unwrap();
        assert_eq!(config.text, "{}");
        assert_eq!(config.grants.on_error, OnError::Allow);
        assert!(config.reach("auth").is_some() && config.grants.body_while_held);
    }

    #[test]
    fn a_policy_that_is_none_is_refused_with_its_path() {
        let refused =
            Config::new(Entity::default(), &json!({ "host": { "on_error": "maybe" } }), &Grants::default());
        assert!(refused.unwrap_err().starts_with("host.on_error: expected deny, allow"));
    }

    #[test]
    fn origins_are_called_as_far_as_they_are_named() {
        let origins_in = vec!["issuer".to_owned(), "token_endpoint".to_owned()];
        let grants = Grants { upstreams: vec!["https://*".into()], origins_in, ..Grants::default() };
        let own =
            json!({ "issuer": "http://keycloak:8080/realms/a", "token_endpoint": null, "other": "http://x" });
        let config = Config::new(Entity::default(), &own, &grants).unwrap();
        for (upstream, reach) in [
            ("http://keycloak:8080", Some(Reach::Named)),
            ("https://keycloak", Some(Reach::Public)),
            ("http://x", None),
            ("http://keycloak", None),
            ("https://*", None),
        ] {
            assert_eq!(config.reach(upstream), reach, "{upstream}");
        }
        let own = json!({ "issuer": "https://a", "host": { "upstreams": [] } });
        let config = Config::new(Entity::default(), &own, &grants).unwrap();
        assert_eq!((config.reach("https://a"), config.reach("https://b")), (Some(Reach::Named), None));
    }
}
