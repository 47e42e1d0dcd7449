//! What a plugin may do.

use serde_json::{Map, Value};

use crate::OnError;

/// What a configuration lets a plugin do, and what becomes of requests where it fails.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    pub(crate) on_error: OnError,
    pub(crate) upstreams: Vec<String>,
    /// References, or their beginnings with a `*` behind.
    pub(crate) secrets: Vec<String>,
    pub(crate) body_while_held: bool,
}

impl Grants {
    /// Whether the guest may call this upstream.
    pub(crate) fn may_call(&self, upstream: &str) -> bool {
        self.upstreams.iter().any(|granted| granted == upstream)
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

fn given<'v>(host: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    host.get(name).filter(|value| !value.is_null())
}
