//! Plugins in Rust, with Kong's names, fields, priorities and behaviour. Each is one file.

#[cfg(feature = "compression")]
mod compression;
mod correlation_id;
mod cors;
mod file_log;
mod http_log;
mod lua_fields;
mod prometheus;
mod proxy_cache;
mod request_size_limiting;

#[cfg(feature = "compression")]
pub use compression::Compression;
pub use correlation_id::CorrelationId;
pub use cors::Cors;
pub use file_log::FileLog;
pub use http_log::HttpLog;
pub use prometheus::Prometheus;
pub use proxy_cache::ProxyCache;
pub use request_size_limiting::RequestSizeLimiting;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::plugin::Registry;

/// All plugins of this module.
///
/// ```
/// let registry = gateway_core::plugins::bundled();
/// assert!(registry.get("cors").is_some());
/// ```
#[must_use]
pub fn bundled() -> Registry {
    let registry = Registry::empty()
        .with(CorrelationId::new())
        .with(Cors::new())
        .with(FileLog::new())
        .with(HttpLog::new())
        .with(Prometheus::new())
        .with(ProxyCache::new())
        .with(RequestSizeLimiting::new());
    #[cfg(feature = "compression")]
    let registry = registry.with(Compression::new());
    registry
}

/// A plugin's `config` as its own type.
fn decode<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    serde_json::from_value(config.clone()).map_err(|error| error.to_string())
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
            Configured::Layer(_) => unreachable!("not a layer"),
        }
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
