//! Plugins in Rust: some with Kong's names, fields, priorities and behaviour, some for what goes beyond Kong.

mod canary;
mod circuit_breaker;
#[cfg(feature = "compression")]
mod compression;
mod concurrency_limit;
mod correlation_id;
mod cors;
mod file_log;
mod hedge;
mod http_log;
mod lua_fields;
mod mirror;
mod prometheus;
mod proxy_cache;
mod request_size_limiting;
mod retry;
mod sites;
mod told_apart;
mod traffic_split;

pub use canary::Canary;
pub use circuit_breaker::CircuitBreaker;
#[cfg(feature = "compression")]
pub use compression::Compression;
pub use concurrency_limit::ConcurrencyLimit;
pub use correlation_id::CorrelationId;
pub use cors::Cors;
pub use file_log::FileLog;
pub use hedge::Hedge;
pub use http_log::HttpLog;
pub use mirror::Mirror;
pub use prometheus::Prometheus;
pub use proxy_cache::ProxyCache;
pub use request_size_limiting::RequestSizeLimiting;
pub use retry::Retry;
pub use traffic_split::TrafficSplit;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::plugin::{Configured, Registry};

/// All plugins of this module.
///
/// ```
/// let registry = gateway_core::plugins::bundled();
/// assert!(registry.get("cors").is_some());
/// ```
#[must_use]
pub fn bundled() -> Registry {
    let registry = Registry::empty()
        .with(Canary::new())
        .with(CircuitBreaker::new())
        .with(ConcurrencyLimit::new())
        .with(CorrelationId::new())
        .with(Cors::new())
        .with(FileLog::new())
        .with(Hedge::new())
        .with(HttpLog::new())
        .with(Mirror::new())
        .with(Prometheus::new())
        .with(ProxyCache::new())
        .with(RequestSizeLimiting::new())
        .with(Retry::new())
        .with(TrafficSplit::new());
    #[cfg(feature = "compression")]
    let registry = registry.with(Compression::new());
    registry
}

/// A plugin's `config` as its own type.
fn decode<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    serde_json::from_value(config.clone()).map_err(|error| error.to_string())
}

/// What a policy of before leaves to the one that takes its place.
fn policy_before<P: 'static, T>(before: &Configured, left: impl FnOnce(&P) -> T) -> Option<T> {
    let Configured::Policy(policy) = before else { return None };
    policy.as_any().downcast_ref().map(left)
}

#[cfg(test)]
mod testing {
    use std::sync::Arc;

    use http::{Request, Response};
    use serde_json::Value;

    use crate::{
        Body, ConnectInfo,
        plugin::{Configured, Exchange, Flow, Handler, Plugin},
    };

    pub(super) fn handler(plugin: &impl Plugin, config: &Value) -> Arc<dyn Handler> {
        match plugin.configure(config).unwrap() {
            Configured::Handler(handler) => handler,
            other => unreachable!("{other:?}"),
        }
    }

    /// A `config` with its defaults filled in.
    pub(super) fn filled(plugin: &impl Plugin, mut config: Value) -> Value {
        for field in &plugin.schema().fields {
            let fields = config.as_object_mut().unwrap();
            if let (false, Some(default)) = (fields.contains_key(&*field.name), &field.default) {
                fields.insert(field.name.to_string(), default.clone());
            }
        }
        config
    }

    pub(super) fn exchange() -> Exchange {
        let info = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "192.0.2.1:8000".parse().unwrap());
        Exchange::new(Arc::new(info))
    }

    /// One request through one plugin: what becomes of the upstream's answer, or the plugin's own.
    pub(super) fn run(
        handler: &dyn Handler,
        request: &mut Request<Body>,
        upstream: Response<Body>,
    ) -> Result<Response<Body>, Box<Response<Body>>> {
        let mut exchange = exchange();
        let (mut response, replied) = match handler.on_request(request, &mut exchange) {
            Flow::Continue => (upstream, false),
            Flow::Reply(reply) => (*reply, true),
            Flow::Wait(_) => unreachable!("nothing to wait for"),
        };
        assert!(matches!(handler.on_response(&mut response, &mut exchange), Flow::Continue));
        if replied { Err(Box::new(response)) } else { Ok(response) }
    }
}
