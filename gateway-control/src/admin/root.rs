//! `/` and the small lists about the node itself.

use std::{collections::BTreeSet, sync::Arc};

use axum::{extract::State, response::Response};
use gateway_core::plugin::Registry;
use http::HeaderName;
use serde_json::{Map, Value, json};

use super::{reply, version::KONG_VERSION};
use crate::Control;

/// What clients look at before anything else (compat A42, M8).
pub(super) async fn node(State(control): State<Arc<Control>>) -> Response {
    let pid = std::process::id();
    reply::ok(&json!({
        "tagline": "Welcome to kong",
        "version": KONG_VERSION,
        "edition": "community",
        "gateway": { "name": "gateway", "version": env!("CARGO_PKG_VERSION") },
        "hostname": hostname(),
        "node_id": control.node_id().to_string(),
        "pids": { "master": pid, "workers": [pid] },
        "timers": timers_of_node(),
        "plugins": {
            "available_on_server": available(&control.gateway().plugins()),
            "enabled_in_cluster": in_use(&control),
        },
        "configuration": configuration(&control),
    }))
}

/// What runs beside requests: nothing of nginx's kind.
pub(super) async fn timers() -> Response {
    reply::ok(&timers_of_node())
}

fn timers_of_node() -> Value {
    json!({ "running": 0, "pending": 0 })
}

/// The plugins that configurations may name (compat A44).
pub(super) async fn enabled_plugins(State(control): State<Arc<Control>>) -> Response {
    let plugins = control.gateway().plugins();
    let names: Vec<_> = plugins.iter().map(|plugin| plugin.name()).collect();
    reply::ok(&json!({ "enabled_plugins": names }))
}

fn available(registry: &Registry) -> Map<String, Value> {
    let describe = |priority: i32, version: &str| json!({ "priority": priority, "version": version });
    let plugins = registry.iter();
    plugins.map(|plugin| (plugin.name().to_owned(), describe(plugin.priority(), plugin.version()))).collect()
}

fn in_use(control: &Control) -> BTreeSet<String> {
    control.config().plugins.values().map(|plugin| plugin.name.clone()).collect()
}

/// The settings that have a counterpart in Kong. None of them is a secret.
fn configuration(control: &Control) -> Value {
    let settings = control.gateway().settings();
    let plugins = control.gateway().plugins();
    let loaded: Map<_, _> = plugins.iter().map(|plugin| (plugin.name().to_owned(), true.into())).collect();
    json!({
        // What clients of Kong take for an Admin API that can be written to (D29).
        "database": if control.store().is_some() { "postgres" } else { "off" },
        "role": "traditional",
        "router_flavor": settings.router_flavor.as_str(),
        "plugins": ["bundled"],
        "loaded_plugins": loaded,
        "proxy_listen": control.addresses(),
        "allow_debug_header": settings.debug_header,
        "real_ip_header": settings.trust.real_ip_header.as_ref().map_or("proxy_protocol", HeaderName::as_str),
        "real_ip_recursive": if settings.trust.real_ip_recursive { "on" } else { "off" },
        "upstream_keepalive_pool_size": settings.pool.idle,
        "upstream_keepalive_max_requests": settings.pool.requests,
        "upstream_keepalive_idle_timeout": settings.pool.idle_timeout.as_secs(),
        "tls_certificate_verify": settings.tls_verify,
    })
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
