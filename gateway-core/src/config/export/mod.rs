//! A configuration written out again as a declarative file.

mod yaml;

use serde_json::{Map, Value};

use super::{Config, schema::EntityKind};

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
        for kind in ORDER {
            let list = self.values_of(*kind);
            if !list.is_empty() {
                document.insert(kind.collection().to_owned(), Value::Array(list));
            }
        }
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
}

/// The lists in the order in which they are written: what others refer to first, consumers before their groups.
const ORDER: &[EntityKind] = &[
    EntityKind::Vaults,
    EntityKind::Certificates,
    EntityKind::CaCertificates,
    EntityKind::Snis,
    EntityKind::Upstreams,
    EntityKind::Targets,
    EntityKind::Services,
    EntityKind::Routes,
    EntityKind::Consumers,
    EntityKind::ConsumerGroups,
    EntityKind::Acls,
    EntityKind::BasicauthCredentials,
    EntityKind::HmacauthCredentials,
    EntityKind::JwtSecrets,
    EntityKind::KeyauthCredentials,
    EntityKind::Oauth2Credentials,
    EntityKind::Plugins,
    EntityKind::KeySets,
    EntityKind::Keys,
];
