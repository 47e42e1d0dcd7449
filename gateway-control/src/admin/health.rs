//! The targets of upstreams with the state of their addresses (compat A45), and setting it by hand.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use gateway_core::{
    Gateway,
    config::{Config, Target, Upstream},
    observe::{TargetHealth, TargetState},
    upstream::{Endpoint, Upstream as Running},
};
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    extract::Path,
    kind::{Kind, id_of},
    page::{Page, Query},
    reply::{self, Failure},
};
use crate::Control;

/// `/upstreams/{upstream}/health`, with `?balancer_health=1` that of the upstream as a whole.
pub(super) async fn upstream(
    State(control): State<Arc<Control>>,
    Path(wanted): Path<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    let snapshot = control.gateway().snapshot();
    let mut list = if Query::of(uri.query()).is_on("balancer_health") {
        let upstream = find_upstream(snapshot.config(), &wanted)?;
        json!({ "data": pool(snapshot.config(), upstream, snapshot.upstream(upstream.id)), "next": null })
    } else {
        page(&control, &wanted, &uri)?
    };
    list["node_id"] = control.node_id().to_string().into();
    for row in list["data"].as_array_mut().into_iter().flatten() {
        let id = id_of(row).and_then(|id| Uuid::parse_str(id).ok());
        let Some(target) = id.and_then(|id| snapshot.config().targets.get(&id)) else { continue };
        // Absent until something uses the upstream.
        let Some(running) = snapshot.upstream(target.upstream.id) else { continue };
        let seen = Seen::of(running, target);
        row["health"] = word(seen.health()).into();
        row["data"] = seen.data(target, |endpoint| json!({ "health": word(seen.health_of(endpoint)) }));
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

/// What a path below a target names.
#[derive(Deserialize)]
pub(super) struct Names {
    first: String,
    second: String,
    /// One address of the target, `ip:port`; none: all.
    third: Option<String>,
}

/// `PUT .../targets/{target}/healthy`, and of one address.
pub(super) async fn set_healthy(
    State(control): State<Arc<Control>>,
    Path(names): Path<Names>,
) -> Result<Response, Failure> {
    set(&control, &names, true)
}

/// `PUT .../targets/{target}/unhealthy`, and of one address.
pub(super) async fn set_unhealthy(
    State(control): State<Arc<Control>>,
    Path(names): Path<Names>,
) -> Result<Response, Failure> {
    set(&control, &names, false)
}

fn set(control: &Control, names: &Names, healthy: bool) -> Result<Response, Failure> {
    let snapshot = control.gateway().snapshot();
    let upstream = find_upstream(snapshot.config(), &names.first)?;
    let is_it = |target: &&Arc<Target>| {
        target.upstream.id == upstream.id
            && (target.target == names.second || target.id.to_string() == names.second)
    };
    let target = snapshot.config().targets.values().find(is_it).ok_or(Failure::NotFound)?;
    let missing = |what: &str| Failure::Health(format!("Upstream {} has no {what}", upstream.name));
    let running = snapshot.upstream(upstream.id).ok_or_else(|| missing("balancer"))?;
    let (host, port) = split(&target.target);
    let mut endpoints = running.endpoints_of(host, port);
    if let Some(address) = &names.third {
        endpoints
            .retain(|(endpoint, _)| endpoint.address().to_string() == *address || target.target == *address);
        if endpoints.is_empty() {
            return Err(Failure::NotFound);
        }
    }
    for (endpoint, _) in endpoints {
        running.set_health(&endpoint, healthy).map_err(|_| missing("healthchecker"))?;
    }
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn find_upstream<'c>(config: &'c Config, wanted: &str) -> Result<&'c Arc<Upstream>, Failure> {
    let is_it = |upstream: &&Arc<Upstream>| upstream.name == wanted || upstream.id.to_string() == wanted;
    config.upstreams.values().find(is_it).ok_or(Failure::NotFound)
}

fn page(control: &Control, wanted: &str, uri: &Uri) -> Result<Value, Failure> {
    let view = control.view();
    let find = |collection| Kind::of(collection).ok_or(Failure::NotFound);
    let upstream = find("upstreams")?.find(&view, wanted).ok_or(Failure::NotFound)?;
    let page = Page::of(&Query::of(uri.query()))?.forgetful();
    let from = page.offset.as_ref().and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
    let targets = find("targets")?;
    let id = id_of(&upstream).and_then(|id| Uuid::parse_str(id).ok());
    let (parent, id) = targets.parents.first().zip(id).ok_or(Failure::NotFound)?;
    let rows = targets.rows_below(&view, parent, id, from);
    Ok(page.cut(uri.path(), rows, |row| row.get("id").cloned().unwrap_or_default()))
}

/// The summary of an upstream (compat H24).
fn pool(config: &Config, upstream: &Upstream, running: Option<&Arc<Running>>) -> Value {
    let checked = running.filter(|running| running.is_checked());
    let Some(running) = checked else {
        let off = word(TargetHealth::HealthchecksOff);
        return json!({ "id": upstream.id, "health": off, "balancer_health": off });
    };
    let targets: Vec<_> =
        config.targets.values().filter(|target| target.upstream.id == upstream.id).collect();
    let (mut total, mut available, mut hosts) = (0, 0, Vec::new());
    for target in targets {
        let seen = Seen::of(running, target);
        total += seen.weight(|_| true);
        available += seen.weight(is_available);
        hosts.push(seen.data(target, |endpoint| json!({ "healthy": is_available(endpoint) })));
    }
    let outage = running.outage();
    let is_healthy = outage.is_none();
    let health = word(if is_healthy { TargetHealth::Healthy } else { TargetHealth::Unhealthy });
    let weight = weights(total, available);
    let mut details = json!({ "healthy": is_healthy, "weight": weight, "hosts": hosts });
    // Beyond Kong: the word that requests have in the log.
    if let (Some(reason), Some(details)) = (outage, details.as_object_mut()) {
        details.insert("reason".to_owned(), json!(reason.word()));
    }
    json!({ "id": upstream.id, "health": health, "balancer_health": health, "details": details })
}

/// A target as its upstream sees it now.
struct Seen {
    endpoints: Vec<(Arc<Endpoint>, u16)>,
    checked: bool,
    resolves: bool,
}

impl Seen {
    fn of(running: &Running, target: &Target) -> Self {
        let (host, port) = split(&target.target);
        let endpoints = running.endpoints_of(host, port);
        let resolves = !endpoints.is_empty() || !running.is_looked_up();
        Self { endpoints, checked: running.is_checked() && target.weight > 0, resolves }
    }

    /// Healthy if any of its addresses is.
    fn health(&self) -> TargetHealth {
        if !self.resolves {
            TargetHealth::DnsError
        } else if !self.checked {
            TargetHealth::HealthchecksOff
        } else if self.endpoints.iter().any(|(endpoint, _)| is_available(endpoint)) {
            TargetHealth::Healthy
        } else {
            TargetHealth::Unhealthy
        }
    }

    fn health_of(&self, endpoint: &Endpoint) -> TargetHealth {
        match endpoint {
            _ if !self.checked => TargetHealth::HealthchecksOff,
            endpoint if is_available(endpoint) => TargetHealth::Healthy,
            _ => TargetHealth::Unhealthy,
        }
    }

    /// The weight of the addresses that `counts` takes.
    fn weight(&self, counts: impl Fn(&Endpoint) -> bool) -> u64 {
        let counted = self.endpoints.iter().filter(|(endpoint, _)| counts(endpoint));
        counted.map(|(_, weight)| u64::from(*weight)).sum()
    }

    /// Kong's `data` of a target; `state` is what is said of each address besides.
    fn data(&self, target: &Target, state: impl Fn(&Endpoint) -> Value) -> Value {
        let (host, port) = split(&target.target);
        let address = |(endpoint, weight): &(Arc<Endpoint>, u16)| {
            let (ip, port) = (endpoint.address().ip().to_string(), endpoint.address().port());
            let mut shown = json!({ "ip": ip, "port": port, "weight": weight });
            if let (Some(shown), Value::Object(state)) = (shown.as_object_mut(), state(endpoint)) {
                shown.extend(state);
            }
            shown
        };
        let total = self.weight(|_| true);
        let available = if self.checked { self.weight(is_available) } else { total };
        json!({
            "host": host, "port": port, "dns": "A", "nodeWeight": target.weight,
            "addresses": self.endpoints.iter().map(address).collect::<Vec<_>>(),
            "weight": weights(total, available),
        })
    }
}

fn weights(total: u64, available: u64) -> Value {
    json!({ "total": total, "available": available, "unavailable": total.saturating_sub(available) })
}

fn is_available(endpoint: &Endpoint) -> bool {
    endpoint.health().is_available()
}

const fn word(health: TargetHealth) -> &'static str {
    match health {
        TargetHealth::HealthchecksOff => "HEALTHCHECKS_OFF",
        TargetHealth::Healthy => "HEALTHY",
        TargetHealth::Unhealthy => "UNHEALTHY",
        TargetHealth::DnsError => "DNS_ERROR",
    }
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
        Some(states(upstream, target, &Seen::of(snapshot.upstream(upstream.id)?, target)))
    });
    states.flatten().collect()
}

fn states(upstream: &Upstream, target: &Target, seen: &Seen) -> Vec<TargetState> {
    let state = |address: String, health, probed| TargetState {
        upstream: upstream.name.clone(),
        target: target.target.clone(),
        address,
        health,
        probed,
    };
    if !seen.resolves {
        return vec![state(String::new(), TargetHealth::DnsError, None)];
    }
    let endpoints = seen.endpoints.iter();
    let shown = |endpoint: &Endpoint| {
        state(endpoint.address().to_string(), seen.health_of(endpoint), endpoint.probed())
    };
    endpoints.map(|(endpoint, _)| shown(endpoint)).collect()
}
