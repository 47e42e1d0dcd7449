//! `/metrics`: what Prometheus reads (compat P51), and what is known only here.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use axum::{extract::State, response::IntoResponse};
use gateway_core::{
    observe::{Exposition, NodeState},
    server::{Refusal, Timeout},
};
use http::header;

use super::{health, status, version::KONG_VERSION};
use crate::Control;

pub(super) async fn metrics(State(control): State<Arc<Control>>) -> impl IntoResponse {
    let mut page = traffic(&control);
    // Writing to a string does not fail.
    changes(&mut page, &control).ok();
    connections(&mut page, &control).ok();
    ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], page)
}

fn traffic(control: &Arc<Control>) -> String {
    let gateway = control.gateway();
    let metrics = Arc::clone(gateway.observer().metrics());
    let known = Arc::clone(control);
    let node = move || node(&known);
    Arc::new(Exposition::new(metrics, &gateway.settings().branding, node)).text()
}

fn node(control: &Control) -> NodeState {
    let mut node = NodeState::default();
    node.node_id = control.node_id().to_string();
    node.version = KONG_VERSION.to_owned();
    node.server = status::server(control);
    node.datastore_reachable = true;
    node.targets = health::targets(control.gateway());
    node.readings = control.gateway().snapshot().readings();
    node.access_log_dropped =
        control.gateway().observer().access_log().map_or(0, |access_log| access_log.dropped());
    node
}

fn changes(page: &mut String, control: &Control) -> fmt::Result {
    let outcome = control.loads().outcome();
    let name = "gateway_config_reload_total";
    describe(page, name, "counter", "Changes of the configuration by result")?;
    writeln!(page, "{name}{{result=\"success\"}} {}", outcome.succeeded)?;
    writeln!(page, "{name}{{result=\"failure\"}} {}", outcome.failed)?;
    let name = "gateway_config_last_reload_successful";
    describe(page, name, "gauge", "Whether the last change of the configuration was taken")?;
    writeln!(page, "{name} {}", u8::from(outcome.failure.is_none()))?;
    let name = "gateway_config_last_success_timestamp_seconds";
    describe(page, name, "gauge", "When the configuration that runs was taken")?;
    writeln!(page, "{name} {}", outcome.last_success)
}

fn connections(page: &mut String, control: &Control) -> fmt::Result {
    let Some(connections) = control.connections() else { return Ok(()) };
    let name = "gateway_connections_refused_total";
    describe(page, name, "counter", "Connections and heads refused before the gateway saw a request")?;
    for refusal in Refusal::ALL {
        writeln!(page, "{name}{{cause=\"{}\"}} {}", refusal.word(), connections.refused(refusal))?;
    }
    let name = "gateway_client_timeouts_total";
    describe(page, name, "counter", "Patience with clients that ended")?;
    for timeout in Timeout::ALL {
        writeln!(page, "{name}{{wait=\"{}\"}} {}", timeout.word(), connections.timed_out(timeout))?;
    }
    Ok(())
}

fn describe(page: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(page, "# HELP {name} {help}.\n# TYPE {name} {kind}")
}
