//! What a plugin may do.

use gateway_core::config::schema::{Field, Record};
use serde_json::{Map, Value};

use crate::{OnError, origins::origin, sources::Reach};

/// What a configuration lets a plugin do, and what becomes of requests where it fails.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    pub(crate) on_error: OnError,
    /// Names of services and origins; `https://*` for all origins that are public.
    pub(crate) upstreams: Vec<String>,
    /// Fields of the configuration whose URLs may be called: who wrote them there has named them.
    pub(crate) origins_in: Vec<String>,
    /// References, or their beginnings with a `*` behind.
    pub(crate) secrets: Vec<String>,
    pub(crate) body_while_held: bool,
}

impl Grants {
    /// How far the guest may go to call this upstream, if it may.
    pub(crate) fn reach(&self, upstream: &str) -> Option<Reach> {
        let granted = |name: &str| self.upstreams.iter().any(|granted| granted == name);
        match upstream {
            ANY_ORIGIN => None,
            named if granted(named) => Some(Reach::Named),
            origin if origin.starts_with("https://") && granted(ANY_ORIGIN) => Some(Reach::Public),
            _ => None,
        }
    }

    /// Takes over the origins of the URLs that a configuration has in the fields that are for that.
    pub(crate) fn read_origins(&mut self, config: &Map<String, Value>) {
        let urls = self.origins_in.iter().filter_map(|name| config.get(name)?.as_str());
        let origins: Vec<_> = urls.filter_map(origin).collect();
        self.upstreams.extend(origins);
    }

    /// Takes over what the host's part of a configuration says.
    pub(crate) fn read(&mut self, host: &Map<String, Value>) -> Result<(), String> {
        if let Some(value) = given(host, "on_error") {
            self.on_error =
                OnError::from_value(value).map_err(|message| format!("host.on_error: {message}"))?;
        }
        for (name, granted) in [("upstreams", &mut self.upstreams), ("secrets", &mut self.secrets)] {
            if let Some(Value::Array(names)) = given(host, name) {
                *granted = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
        }
        if let Some(Value::Bool(held)) = given(host, "body_while_held") {
            self.body_while_held = *held;
        }
        Ok(())
    }
}

/// The field of `config` that is the host's.
pub(crate) const HOST: &str = "host";

/// The host's part of any plugin's `config`.
pub(crate) fn granted() -> Field {
    let host = Record::new(vec![
        Field::any("on_error")
            .check(|value| OnError::from_value(value).map(drop))
            .doc("what becomes of a request whose plugin fails: deny, allow or a status from 400 to 599"),
        Field::strings("upstreams")
            .doc("what the plugin may call: names of services, origins, or https://* for public ones"),
        Field::strings("secrets")
            .doc("references of secrets that the plugin may use, or their beginnings with a * behind"),
        Field::boolean("body_while_held")
            .doc("whether body callbacks run while the plugin holds a request's headers"),
    ]);
    Field::record(HOST, host).sparse().doc("what the gateway grants the plugin; the guest does not see it")
}

/// Grants all origins with TLS whose addresses are public.
pub(crate) const ANY_ORIGIN: &str = "https://*";

fn given<'v>(host: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    host.get(name).filter(|value| !value.is_null())
}
