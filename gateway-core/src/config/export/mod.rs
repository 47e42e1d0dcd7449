//! A configuration written out again as a declarative file.

mod yaml;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Config, CredentialKind, Entities};

impl Config {
    /// The configuration as a declarative document: flat lists of entities that refer to each
    /// other by id. [`parse`](Self::parse) of it gives the same configuration.
    ///
    /// What `{vault://...}` stood for is in it in clear, unless the configuration was read with
    /// [`Options::keep_references`](super::Options::keep_references).
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut document = Map::new();
        document.insert("_format_version".to_owned(), "3.0".into());
        let mut put = |name: &str, list: Vec<Value>| {
            if !list.is_empty() {
                document.insert(name.to_owned(), Value::Array(list));
            }
        };
        put("vaults", list(&self.vaults));
        put("certificates", list(&self.certificates));
        put("ca_certificates", list(&self.ca_certificates));
        put("snis", list(&self.snis));
        put("upstreams", list(&self.upstreams));
        put("targets", list(&self.targets));
        put("services", list(&self.services));
        put("routes", list(&self.routes));
        put("consumers", list(&self.consumers));
        put("consumer_groups", list(&self.consumer_groups));
        for kind in CredentialKind::ALL {
            put(kind.collection(), self.credentials_of(kind));
        }
        put("plugins", list(&self.plugins));
        put("key_sets", list(&self.key_sets));
        put("keys", list(&self.keys));
        Value::Object(document)
    }

    /// The same as YAML text.
    ///
    /// ```
    /// use gateway_core::{config::{Config, Service}, plugin::Registry};
    ///
    /// let config = Config::default().with(Service::new("users", "users.internal"));
    /// assert_eq!(Config::parse(&config.to_yaml(), &Registry::empty()).expect("its own words"), config);
    /// ```
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::write(&self.to_value())
    }

    fn credentials_of(&self, kind: CredentialKind) -> Vec<Value> {
        let credentials = self.credentials.values().filter(|credential| credential.kind == kind);
        let mut list: Vec<_> = credentials.map(entity).collect();
        for fields in list.iter_mut().filter_map(Value::as_object_mut) {
            fields.remove("kind");
        }
        list
    }
}

fn list<T: Serialize>(entities: &Entities<T>) -> Vec<Value> {
    entities.values().map(entity).collect()
}

/// One entity without the fields that are null.
fn entity<T: Serialize>(entity: &Arc<T>) -> Value {
    // Entities are structs of texts, numbers and lists: they always serialise.
    let mut value = serde_json::to_value(entity).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}
