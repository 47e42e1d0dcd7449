//! `prometheus` in a running gateway: its switches decide what the page shows of the routes it applies to (compat P51).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{Edge, config, echo::echo, service};
use gateway_core::{
    Body, Gateway,
    config::{Config, Consumer, Plugin, Route},
    observe::{Exposition, NodeState, TargetHealth, TargetState},
    plugin::{Configured, Exchange, Flow, Handler, Registry},
    plugins,
    reply::Branding,
};
use http::Request;
use serde_json::{Value, json};

const FAMILIES: [&str; 5] = [
    "kong_http_requests_total",
    "kong_bandwidth_bytes",
    "kong_kong_latency_ms",
    "kong_request_latency_ms",
    "kong_upstream_target_health",
];

fn page(gateway: &Gateway) -> String {
    let node = || {
        let (upstream, target, address) = ("u".to_owned(), "h:80".to_owned(), "127.0.0.1:80".to_owned());
        let target = TargetState { upstream, target, address, health: TargetHealth::Healthy, probed: None };
        let mut node = NodeState::default();
        node.targets = vec![target];
        node
    };
    let metrics = Arc::clone(gateway.observer().metrics());
    Arc::new(Exposition::new(metrics, &Branding::default(), node)).text()
}

/// The families with a sample that has `label`.
fn shown(page: &str, label: &str) -> Vec<&'static str> {
    let has = |family: &&str| {
        page.lines().any(|line| line.starts_with(*family) && line.contains(label) && !line.starts_with('#'))
    };
    FAMILIES.into_iter().filter(has).collect()
}

/// Two routes, `/a` and `/b`.
async fn routes() -> (Config, Route) {
    let service = service(echo().await);
    let route = |name: &str| {
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        route
    };
    let a = route("a");
    (Config::default().with(a.clone()).with(route("b")).with(service), a)
}

async fn pages(config: Config) -> String {
    let edge = Edge::new(config);
    edge.get("/a").await;
    edge.get("/b").await;
    page(&edge.gateway)
}

#[tokio::test]
async fn without_the_plugin_all_is_shown() {
    let (config, _) = routes().await;
    let page = pages(config).await;
    assert_eq!(shown(&page, "route=\"a\""), FAMILIES[..4]);
    assert_eq!(shown(&page, "upstream=\"u\""), FAMILIES[4..]);
}

#[tokio::test]
async fn each_switch_shows_its_own_metrics_and_no_more() {
    for (switch, families) in [
        ("status_code_metrics", &FAMILIES[..1]),
        ("bandwidth_metrics", &FAMILIES[1..2]),
        ("latency_metrics", &FAMILIES[2..4]),
        ("upstream_health_metrics", &FAMILIES[4..]),
        ("per_consumer", &[]),
    ] {
        let (config, _) = routes().await;
        let page = pages(config.with(Plugin::new("prometheus", json!({ switch: true })))).await;
        assert_eq!(shown(&page, ""), families, "{switch}");
        assert!(page.contains("kong_nginx_requests_total"), "the node is always shown");
    }
}

#[tokio::test]
async fn the_plugin_speaks_for_its_own_routes_only() {
    let (config, a) = routes().await;
    let plugin = Plugin::new("prometheus", json!({ "status_code_metrics": true })).on_route(&a);
    let page = pages(config.with(plugin)).await;
    assert_eq!(shown(&page, "route=\"a\""), FAMILIES[..1]);
    assert_eq!(shown(&page, "route=\"b\""), FAMILIES[..4]);
}

#[tokio::test]
async fn a_change_of_switches_shows_what_was_counted_before() {
    let (config, _) = routes().await;
    let with = |config: &Config, more: Value| config.clone().with(Plugin::new("prometheus", more));
    let edge = Edge::new(with(&config, json!({})));
    edge.get("/a").await;
    assert_eq!(shown(&page(&edge.gateway), "route=\"a\""), [""; 0]);
    edge.gateway.reload(&with(&config, json!({ "status_code_metrics": true }))).unwrap();
    edge.get("/a").await;
    let page = page(&edge.gateway);
    let line = page.lines().find(|line| line.starts_with("kong_http_requests_total{")).unwrap();
    assert!(line.contains("route=\"a\"") && line.ends_with(" 2"), "{line}");
}

/// Says who calls by a field of the request.
struct Identify;

impl Handler for Identify {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let name = request.headers().get("x-caller").and_then(|name| name.to_str().ok());
        exchange.consumer = name.map(|name| Arc::new(Consumer::new(name)));
        Flow::Continue
    }
}

struct IdentifyPlugin(gateway_core::config::schema::Record);

impl gateway_core::plugin::Plugin for IdentifyPlugin {
    fn name(&self) -> &str {
        "identify"
    }

    fn priority(&self) -> i32 {
        1000
    }

    fn schema(&self) -> &gateway_core::config::schema::Record {
        &self.0
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        Ok(Configured::handler(Identify))
    }
}

#[tokio::test]
async fn consumers_are_told_apart_where_that_is_switched_on_and_still_counted_where_it_is_not() {
    let registry: Registry =
        plugins::bundled().with(IdentifyPlugin(gateway_core::config::schema::Record::default()));
    let config = config(service(echo().await)).with(Plugin::new("identify", json!({})));
    let with = |per_consumer: bool| {
        let switches = json!({ "status_code_metrics": true, "per_consumer": per_consumer });
        config.clone().with(Plugin::new("prometheus", switches))
    };
    let gateway =
        Gateway::builder().plugins(registry).config(with(true)).settings(common::settings()).build().unwrap();
    let edge = Edge::of(gateway);
    for caller in ["alice", "alice", "bob"] {
        edge.post("/", &format!("x-caller: {caller}\r\n"), "").await;
    }
    let count = |page: &str, consumer: &str| -> u64 {
        let label = format!("consumer=\"{consumer}\"");
        let mut lines = page
            .lines()
            .filter(|line| line.starts_with("kong_http_requests_total{") && line.contains(&label));
        lines.next().map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    let before = page(&edge.gateway);
    assert_eq!((count(&before, "alice"), count(&before, "bob"), count(&before, "")), (2, 1, 0));
    edge.gateway.reload(&with(false)).unwrap();
    edge.post("/", "x-caller: alice\r\n", "").await;
    let after = page(&edge.gateway);
    assert_eq!((count(&after, "alice"), count(&after, "")), (0, 4));
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let refused = |plugin: Plugin, consumer: Option<&Consumer>| {
        let config =
            consumer.map_or_else(Config::default, |consumer| Config::default().with(consumer.clone()));
        Gateway::builder().config(config.with(plugin)).build().err().unwrap().to_string()
    };
    let ai = refused(Plugin::new("prometheus", json!({ "ai_metrics": true })), None);
    assert!(ai.contains("there are no AI plugins here"), "{ai}");
    let alice = Consumer::new("alice");
    let plugin = Plugin::new("prometheus", json!({})).on_consumer(&alice);
    let scoped = refused(plugin, Some(&alice));
    assert!(scoped.contains("value must be null"), "{scoped}");
}
