//! Configurations.

use gateway_core::{
    Gateway,
    config::{Config, Plugin, Route, Service, Target, Upstream},
    upstream::{Resolve, Resolving},
};
use serde_json::Value;

use super::within;

/// A configuration of hostile but well-typed entities is refused with its problems, or served.
pub fn config(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let upstream = Upstream::new("u");
    let mut config = Config::default();
    for service in patched(&Service::new("s", "127.0.0.1"), &value, "services") {
        config = config.with(service);
    }
    for route in patched(&Route::new("r").to(&Service::new("s", "h")), &value, "routes") {
        config = config.with(route);
    }
    for plugin in patched(&Plugin::new("cors", serde_json::json!({})), &value, "plugins") {
        config = config.with(plugin);
    }
    for target in patched(&Target::new(&upstream, "127.0.0.1:1"), &value, "targets") {
        config = config.with(target);
    }
    for upstream in patched(&upstream, &value, "upstreams") {
        config = config.with(upstream);
    }
    within(async {
        let mut settings = gateway_core::Settings::default();
        settings.shards = 1;
        match Gateway::builder().config(config.clone()).settings(settings).resolver(Nowhere).build() {
            Ok(gateway) => {
                let change = gateway.reload(&config).expect("it was taken once");
                assert!(change.is_empty(), "{change:?}");
                assert!(
                    !gateway
                        .reload(&config.with(Service::new("one-more", "h")))
                        .expect("one more")
                        .is_empty()
                );
            }
            Err(problems) => assert!(!problems.to_string().is_empty()),
        }
    });
}

/// An entity with some of its fields out of a JSON object, the others at their defaults.
fn patched<E: Clone + Entity>(default: &E, patches: &Value, kind: &str) -> Vec<E> {
    let patches = patches.get(kind).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    patches.iter().take(16).filter_map(|patch| default.clone().patched(patch)).collect()
}

/// What can be written as JSON and read again.
trait Entity: Sized {
    fn patched(self, patch: &Value) -> Option<Self>;
}

macro_rules! entities {
    ($($kind:ty),*) => {
        $(impl Entity for $kind {
            fn patched(self, patch: &Value) -> Option<Self> {
                let mut value = serde_json::to_value(self).expect("entities are JSON");
                let fields = value.as_object_mut().expect("entities are objects");
                for (name, field) in patch.as_object()? {
                    fields.insert(name.clone(), field.clone());
                }
                serde_json::from_value(value).ok()
            }
        })*
    };
}
entities!(Service, Route, Plugin, Upstream, Target);

/// Knows no name.
#[derive(Debug)]
struct Nowhere;

impl Resolve for Nowhere {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(async { Err("no names here".into()) })
    }
}
