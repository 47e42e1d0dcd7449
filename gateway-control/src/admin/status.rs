//! `/status` and `/status/ready`.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gateway_core::observe::{PolicyReading, ServerStatus};
use http::StatusCode;
use serde_json::json;

use super::{
    extract::Short,
    history,
    reply::{self, message},
};
use crate::Control;

/// The state of the node (compat A43), and how changes of its configuration went.
pub(super) async fn status(State(control): State<Arc<Control>>) -> Response {
    let mut status = json!({
        "memory": { "lua_shared_dicts": {}, "workers_lua_vms": [] },
        "server": server(&control),
        "configuration": control.loads().outcome(),
        "plugins": { "quarantined": quarantined(control.gateway().snapshot().readings()) },
    });
    match control.revision() {
        None => status["configuration_hash"] = control.hash().to_string().into(),
        Some(revision) => {
            let reachable = history::read(&control, move |store| store.since(revision, 1)).await.is_ok();
            status["database"] = json!({ "reachable": reachable, "revision": revision });
        }
    }
    reply::ok(&status)
}

/// The plugins that are shut out for a while, because their instances ended in traps.
fn quarantined(readings: Vec<PolicyReading>) -> BTreeSet<String> {
    let is_out =
        |it: &PolicyReading| it.reading.metric == "gateway_plugin_quarantined" && it.reading.value > 0;
    readings.into_iter().filter(is_out).map(|it| it.plugin).collect()
}

/// Whether new requests should come here (compat 1.12). What is known to be missing is said in any case.
pub(super) async fn ready(State(control): State<Arc<Control>>) -> Response {
    let (status, text) = match control.ready() {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    };
    match control.incomplete() {
        None => message(status, text),
        Some(incomplete) => {
            reply::json(status, &json!({ "message": text, "incomplete": incomplete.to_string() }))
        }
    }
}

/// `status=draining` sends load balancers away before a stop.
pub(super) async fn set_ready(State(control): State<Arc<Control>>, Short(body): Short) -> Response {
    let form = form_urlencoded::parse(&body).any(|(name, value)| name == "status" && value == "draining");
    let json = serde_json::from_slice::<serde_json::Value>(&body);
    if form || json.is_ok_and(|body| body.get("status").is_some_and(|status| status == "draining")) {
        control.set_draining();
        return StatusCode::NO_CONTENT.into_response();
    }
    message(StatusCode::BAD_REQUEST, "status must be draining")
}

/// Connections as the server counts them, requests as the gateway does.
pub(super) fn server(control: &Control) -> ServerStatus {
    let mut status = control.gateway().observer().server().status();
    if let Some(connections) = control.connections() {
        status.connections_accepted = connections.accepted;
        status.connections_active = connections.active;
        status.connections_handled = connections.handled;
        status.connections_reading = connections.reading;
        status.connections_waiting = connections.waiting;
        status.connections_writing = connections.writing;
    }
    status
}

#[cfg(test)]
mod tests {
    use gateway_core::{observe::PolicyReading, plugin::Reading};

    #[test]
    fn plugins_that_are_shut_out_are_named() {
        let reading = |plugin: &str, metric: &'static str, value| PolicyReading {
            service: String::new(),
            plugin: plugin.to_owned(),
            reading: Reading { metric: metric.into(), help: "", service: None, labels: Vec::new(), value },
        };
        let readings = vec![
            reading("loops", "gateway_plugin_quarantined", 1),
            reading("good", "gateway_plugin_quarantined", 0),
            reading("traps", "gateway_plugin_quarantines_total", 4),
        ];
        assert_eq!(super::quarantined(readings).into_iter().collect::<Vec<_>>(), ["loops"]);
    }
}
