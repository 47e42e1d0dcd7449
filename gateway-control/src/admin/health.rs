//! The targets of upstreams with the state of their addresses (compat A45).

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use gateway_core::{
    Gateway, Snapshot,
    config::{Target, Upstream},
    observe::{TargetHealth, TargetState},
};
use http::Uri;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    kind::{Kind, id_of},
    page::{Page, Query},
    reply::{self, Failure},
};
use crate::Control;

/// Nobody probes targets yet, so this is the state of each that has an address.
const UNCHECKED: &str = "HEALTHCHECKS_OFF";

/// `/upstreams/{upstream}/health`.
pub(super) async fn upstream(
    State(control): State<Arc<Control>>,
    Path(wanted): Path<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    let mut list = page(&control, &wanted, &uri)?;
    list["node_id"] = control.node_id().to_string().into();
    let snapshot = control.gateway().snapshot();
    for row in list["data"].as_array_mut().into_iter().flatten() {
        let id = id_of(row).and_then(|id| Uuid::parse_str(id).ok());
        let Some(target) = id.and_then(|id| snapshot.config().targets.get(&id)) else { continue };
        let Some(addresses) = addresses(&snapshot, target) else { continue };
        row["health"] = UNCHECKED.into();
        row["data"] = data(target, &addresses);
    }
    Ok(reply::ok(&list))
}

/// `/upstreams/{upstream}/targets/all`: those of weight 0 too, which the plain list has as well.
pub(super) async fn all_targets(
    State(control): State<Arc<Control>>,
    Path(wanted): Path<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    page(&control, &wanted, &uri).map(|list| reply::ok(&list))
}

fn page(control: &Control, wanted: &str, uri: &Uri) -> Result<Value, Failure> {
    let config = control.config();
    let find = |collection| Kind::of(collection).ok_or(Failure::NotFound);
    let upstream = find("upstreams")?.find(&config, wanted).ok_or(Failure::NotFound)?;
    let page = Page::of(&Query::of(uri.query()))?.forgetful();
    let from = page.offset.as_ref().and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
    let rows = (find("targets")?.rows)(&config, from);
    let rows = rows.filter(|row| row.get("upstream").and_then(id_of) == id_of(&upstream));
    Ok(page.cut(uri.path(), rows, |row| row.get("id").cloned().unwrap_or_default()))
}

fn data(target: &Target, addresses: &[std::net::SocketAddr]) -> Value {
    let (host, port) = split(&target.target);
    let weight = target.weight;
    let list: Vec<_> = addresses
        .iter()
        .map(|address| {
            json!({ "ip": address.ip().to_string(), "port": address.port(), "weight": weight, "health": UNCHECKED })
        })
        .collect();
    json!({
        "host": host, "port": port, "dns": "A", "nodeWeight": weight, "addresses": list,
        "weight": { "total": weight, "available": weight, "unavailable": 0 },
    })
}

/// The addresses of a target; none where nothing uses its upstream.
fn addresses(snapshot: &Snapshot, target: &Target) -> Option<Vec<std::net::SocketAddr>> {
    let upstream = snapshot.upstream(target.upstream.id)?;
    let (host, port) = split(&target.target);
    let endpoints = upstream.endpoints();
    let own = endpoints.iter().filter(|it| &**it.name() == host && it.address().port() == port);
    Some(own.map(|endpoint| endpoint.address()).collect())
}

fn split(target: &str) -> (&str, u16) {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "8000"));
    (host, port.parse().unwrap_or(8000))
}

/// Every target as `/metrics` shows it.
pub(super) fn targets(gateway: &Gateway) -> Vec<TargetState> {
    let snapshot = gateway.snapshot();
    let config = snapshot.config();
    let states = config.targets.values().filter_map(|target| {
        let upstream = config.upstreams.get(&target.upstream.id)?;
        Some(states(upstream, target, &addresses(&snapshot, target)?))
    });
    states.flatten().collect()
}

fn states(upstream: &Upstream, target: &Target, addresses: &[std::net::SocketAddr]) -> Vec<TargetState> {
    let state = |address: String| TargetState {
        upstream: upstream.name.clone(),
        target: target.target.clone(),
        address,
        health: TargetHealth::HealthchecksOff,
    };
    addresses.iter().map(|address| state(address.to_string())).collect()
}
