//! Admits requests that carry the key of a known consumer.
use plugin_sdk::prelude::*;

/// The configuration.
#[config]
pub struct Config {
    /// Names of the header fields, query arguments and body fields that carry the key.
    #[field(default = ["apikey"], shortest = 1)]
    key_names: Vec<String>,
    /// Whether header fields are looked at.
    #[field(default = true)]
    key_in_header: bool,
}

/// The plugin.
pub struct KeyAuth(Config);

#[plugin(name = "key-auth", priority = 1250, no_consumer)]
impl KeyAuth {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn on_request(&self, request: &mut Request) -> Flow {
        let key = self.0.key_names.iter().find_map(|name| request.header(name));
        let Some(key) = key.filter(|key| self.0.key_in_header && !key.is_empty()) else {
            return Reply::refuse(401, "No API key found in request")
                .header("www-authenticate", "Key")
                .into();
        };
        match consumer::admit(consumer::Kind::Key, &key) {
            Ok(true) => Flow::Continue,
            Ok(false) => Reply::refuse(401, "Unauthorized").header("www-authenticate", "Key").into(),
            Err(_) => Reply::new(500).into(),
        }
    }
}
