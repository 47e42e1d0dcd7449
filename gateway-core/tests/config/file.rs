//! A file that uses most of the format.

use gateway_core::config::{Config, CredentialKind, Options, schema::PluginSchemas};

use crate::{Tables, parse};

const SHOP: &str = include_str!("../data/kong.yml");

#[test]
fn it_parses_with_all_its_entities() {
    let config = parse(SHOP).unwrap_or_else(|problems| panic!("{problems}"));
    let counts = [
        config.services.len(),
        config.routes.len(),
        config.upstreams.len(),
        config.targets.len(),
        config.consumers.len(),
        config.consumer_groups.len(),
        config.credentials.len(),
        config.plugins.len(),
        config.certificates.len(),
        config.snis.len(),
        config.ca_certificates.len(),
        config.vaults.len(),
        config.key_sets.len(),
        config.keys.len(),
    ];
    assert_eq!(counts, [7, 16, 3, 7, 4, 2, 10, 5, 1, 2, 1, 1, 1, 2]);
}

#[test]
fn merge_keys_nesting_and_names_mean_what_they_say() {
    let config = parse(SHOP).unwrap_or_else(|problems| panic!("{problems}"));
    let users =
        config.services.values().find(|service| service.name.as_deref() == Some("users")).expect("there");
    assert_eq!((users.connect_timeout, users.read_timeout, users.retries), (2000, 5000, 2));
    let route = config.routes.values().find(|route| route.name.as_deref() == Some("health")).expect("there");
    assert_eq!(route.service.map(|service| service.id), Some(users.id));
    let limit =
        config.plugins.values().find(|plugin| plugin.config["allowed_payload_size"] == 8).expect("there");
    assert!(limit.route.is_some() && limit.service.is_none());
    let keys =
        config.credentials.values().filter(|one| one.kind == CredentialKind::KeyauthCredentials).count();
    assert_eq!(keys, 3);
    let anchor = config.ca_certificates.values().next().expect("there");
    assert_eq!(anchor.cert_digest.len(), 64);
}

#[test]
fn written_out_and_read_again_it_is_the_same() {
    let config = parse(SHOP).unwrap_or_else(|problems| panic!("{problems}"));
    let yaml = config.to_yaml();
    let again = parse(&yaml).unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
    assert_eq!(again, config);
    assert!(config.diff(&again).is_empty());
    let json = config.to_value().to_string();
    assert_eq!(parse(&json).unwrap_or_else(|problems| panic!("{problems}")), config);
    assert_eq!(config.check(&Tables::new()).unwrap_or_else(|problems| panic!("{problems}")), config);
}

#[test]
fn it_names_no_plugin_that_every_gateway_does_not_have() {
    struct Native(Tables);
    impl PluginSchemas for Native {
        fn schema(&self, name: &str) -> Option<&gateway_core::config::schema::Record> {
            let native = ["cors", "correlation-id", "request-size-limiting"].contains(&name);
            native.then(|| self.0.schema(name)).flatten()
        }
    }
    let native = Native(Tables::new());
    assert!(Config::parse(SHOP, Options::new(&native)).is_ok());
}
