//! The plugins that send requests elsewhere, over real sockets: `traffic-split` and `canary`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use common::{Edge, Scripted, config, eventually, nowhere, route, scripted::ok, service, settings};
use gateway_core::{
    Gateway,
    config::{Checked, Config, Plugin, Route, Service, Target, Upstream, derived_id},
    explain::Question,
    observe::{AccessLog, Sink},
    plugins,
};
use serde_json::{Value, json};

/// A plugin with these settings, as a file would have it.
fn plugin(name: &str, settings: &Value) -> Plugin {
    let text = json!({ "_format_version": "3.0", "plugins": [{ "name": name, "config": settings }] });
    let config = Config::parse(&text.to_string(), &plugins::bundled()).unwrap();
    let mut plugin = Plugin::clone(config.plugins.values().next().unwrap());
    plugin.id = derived_id("plugins", name);
    plugin
}

async fn saying(text: &'static str) -> Scripted {
    Scripted::start(move |_| ok(text)).await
}

fn named(name: &str, address: SocketAddr) -> Service {
    let mut service = Service::new(name, &address.ip().to_string());
    service.port = address.port();
    service
}

fn pool(name: &str, addresses: &[SocketAddr], config: Config) -> Config {
    let upstream = Upstream::new(name);
    let targets = addresses.iter().map(|address| Target::new(&upstream, &address.to_string()));
    targets.fold(config.with(upstream.clone()), Config::with)
}

#[tokio::test]
async fn requests_are_shared_by_weight() {
    let (own, next, third) = (saying("own").await, saying("next").await, saying("third").await);
    let settings = json!({ "destinations": [
        { "weight": 50 }, { "service": "next", "weight": 30 }, { "upstream": "third.pool", "weight": 20 },
        { "service": "never", "weight": 0 },
    ] });
    let config =
        config(service(own.address)).with(named("next", next.address)).with(named("never", nowhere()));
    let config = pool("third.pool", &[third.address], config);
    let edge = Edge::new(config.with(plugin("traffic-split", &settings)));
    for _ in 0..200 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    let seen = [&own, &next, &third].map(|upstream| upstream.seen().len());
    assert_eq!(seen.iter().sum::<usize>(), 200);
    // Six standard deviations.
    for (seen, expected, margin) in [(seen[0], 100, 43), (seen[1], 60, 39), (seen[2], 40, 34)] {
        assert!(seen.abs_diff(expected) <= margin, "{seen} of {expected}");
    }
}

#[tokio::test]
async fn who_calls_stays_with_one_destination() {
    let (own, next) = (saying("own").await, saying("next").await);
    for (hash, field) in [
        (json!({ "hash": "header", "hash_header": "x-user" }), "x-user: "),
        (json!({ "hash": "cookie", "hash_cookie": "user" }), "cookie: user="),
    ] {
        let mut settings = json!({ "destinations": [{ "weight": 1 }, { "service": "next", "weight": 1 }] });
        settings.as_object_mut().unwrap().extend(hash.as_object().unwrap().clone());
        let config = config(service(own.address)).with(named("next", next.address));
        let edge = Edge::new(config.with(plugin("traffic-split", &settings)));
        let mut bodies = Vec::new();
        for user in 0..20 {
            let field = format!("{field}u{user}\r\n");
            let first = edge.post("/", &field, "").await.body;
            for _ in 0..3 {
                assert_eq!(edge.post("/", &field, "").await.body, first, "{user}");
            }
            bodies.push(first);
        }
        assert!(bodies.iter().any(|body| *body != bodies[0]), "both get somebody");
    }
}

#[tokio::test]
async fn a_destination_is_asked_with_its_own_path_and_keeps_its_tries() {
    let (own, good) = (saying("own").await, saying("next").await);
    let mut stable = service(own.address);
    stable.path = Some("/v1".into());
    let mut next = Service::new("next", "next.pool");
    next.path = Some("/v2".into());
    let config = Config::default().with(route(&stable)).with(stable).with(next);
    let config = pool("next.pool", &[nowhere(), good.address], config);
    let settings = json!({ "destinations": [{ "service": "next" }] });
    let edge = Edge::new(config.with(plugin("traffic-split", &settings)));
    for _ in 0..6 {
        edge.get("/users?a=1").await.assert_ok("next");
    }
    assert!(own.seen().is_empty(), "a try that fails is followed by one at the same destination");
    assert!(good.seen().iter().all(|seen| seen.path() == "/v2/users?a=1"));
}

#[tokio::test]
async fn a_destination_that_is_switched_off_or_down_leaves_requests_to_the_own_service() {
    let own = saying("own").await;
    let mut off = named("next", nowhere());
    off.enabled = false;
    let settings = json!({ "destinations": [{ "service": "next" }] });
    let edge = Edge::new(config(service(own.address)).with(off).with(plugin("traffic-split", &settings)));
    edge.get("/").await.assert_ok("own");
    // A pool without anybody.
    let settings = |fallback| json!({ "destinations": [{ "upstream": "empty.pool" }], "fallback": fallback });
    let config = pool("empty.pool", &[], config(service(own.address)));
    let edge = Edge::new(config.clone().with(plugin("traffic-split", &settings(true))));
    edge.get("/").await.assert_ok("own");
    let edge = Edge::new(config.with(plugin("traffic-split", &settings(false))));
    let refused = edge.get("/").await;
    assert_eq!((refused.status, refused.header("x-gateway-reason")), (503, "no_targets"));
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_refused_and_so_is_taking_it_away() {
    let own = saying("own").await;
    let settings = json!({ "destinations": [{ "service": "next" }] });
    let split = plugin("traffic-split", &settings);
    let without = config(service(own.address));
    let problems =
        Gateway::builder().config(without.clone().with(split.clone())).build().err().unwrap().to_string();
    assert!(problems.contains("there is no service 'next'"), "{problems}");
    let next = saying("next").await;
    let gateway =
        Gateway::builder().config(without.clone().with(split.clone()).with(named("next", next.address)));
    let gateway = gateway.settings(settings_of_one()).build().unwrap();
    let problems = gateway.reload(&without.clone().with(split.clone())).unwrap_err().to_string();
    assert!(problems.contains("there is no service 'next'"), "{problems}");
    // With the plugin it may go.
    gateway.reload(&without).unwrap();
}

fn settings_of_one() -> gateway_core::Settings {
    settings()
}

/// What the access log has written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_change_of_a_destination_reaches_the_routes_that_lead_there() {
    let (own, first, second) = (saying("own").await, saying("first").await, saying("second").await);
    for by_service in [true, false] {
        let settings = if by_service {
            json!({ "destinations": [{ "service": "next" }] })
        } else {
            json!({ "destinations": [{ "upstream": "next.pool" }] })
        };
        let all = |address| {
            let config = config(service(own.address)).with(named("next", address));
            pool("next.pool", &[address], config).with(plugin("traffic-split", &settings))
        };
        let edge = Edge::new(all(first.address));
        edge.get("/").await.assert_ok("first");
        edge.gateway.reload(&all(second.address)).unwrap();
        edge.get("/").await.assert_ok("second");
        // Its open connections survive a change of something else.
        let before = second.connections();
        let mut other = Route::new("other").to(&named("next", second.address));
        other.paths = Some(vec!["/other".into()]);
        edge.gateway.reload(&all(second.address).with(other)).unwrap();
        edge.get("/").await.assert_ok("second");
        assert_eq!(second.connections(), before);
        // Without the plugin the own service answers again.
        edge.gateway.reload(&config(service(own.address))).unwrap();
        edge.get("/").await.assert_ok("own");
    }
}

#[tokio::test]
async fn a_canary_grows_and_is_broken_off_where_it_fails() {
    let good = saying("stable").await;
    let bad = Scripted::start(|_| {
        vec![common::Step::Body, common::scripted::send("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")]
    });
    let bad = bad.await;
    let settings = json!({
        "percentage": 50, "hash": "none", "upstream_host": "canary.pool",
        "abort_error_points": 20, "abort_minimum": 10,
    });
    let config = pool("canary.pool", &[bad.address], config(service(good.address)));
    let edge = Edge::new(config.with(plugin("canary", &settings)));
    for _ in 0..120 {
        edge.get("/").await;
    }
    assert_eq!(bad.seen().len(), 10, "then it is known to be worse");
    assert_eq!(good.seen().len(), 110);
    let readings = edge.gateway.snapshot().readings();
    let value = |metric| readings.iter().find(|it| it.reading.metric == metric).unwrap().reading.value;
    assert_eq!(value("gateway_canary_broken_off"), 1);
    assert_eq!(value("gateway_canary_requests_total"), 10);
}

#[tokio::test]
async fn a_canary_is_broken_off_where_it_is_slower() {
    let good = saying("stable").await;
    let late = vec![common::Step::Body, common::Step::Wait(std::time::Duration::from_millis(200))];
    let slow = Scripted::start(move |_| [late.clone(), ok("canary")].concat()).await;
    let settings = json!({
        "percentage": 50, "hash": "none", "upstream_host": "canary.pool",
        "abort_latency_percent": 100, "abort_minimum": 10,
    });
    let config = pool("canary.pool", &[slow.address], config(service(good.address)));
    let edge = Edge::new(config.with(plugin("canary", &settings)));
    let broken_off = || {
        let readings = edge.gateway.snapshot().readings();
        readings.iter().any(|it| it.reading.metric == "gateway_canary_broken_off" && it.reading.value == 1)
    };
    for round in 0.. {
        assert_eq!(edge.get("/").await.status, 200);
        if broken_off() {
            break;
        }
        assert!(round < 400, "it was not found to be slower");
    }
    let seen = slow.seen().len();
    for _ in 0..20 {
        edge.get("/").await.assert_ok("stable");
    }
    assert_eq!(slow.seen().len(), seen, "nobody is sent there any more");
}

#[tokio::test]
async fn explain_and_the_access_log_show_the_destination() {
    let (own, next) = (saying("own").await, saying("next").await);
    let settings = json!({ "destinations": [{ "service": "next" }] });
    let config = config(service(own.address)).with(named("next", next.address));
    let lines = Lines::default();
    let checked = Checked::of(&config.with(plugin("traffic-split", &settings)), &plugins::bundled()).unwrap();
    let log = AccessLog::start(Sink::Writer(Box::new(lines.clone())), 1).unwrap();
    let gateway = Gateway::builder().checked(checked).settings(settings_of_one()).access_log(log);
    let edge = Edge::of(gateway.build().unwrap());
    edge.get("/").await.assert_ok("next");
    eventually("the line of the log", || lines.text().contains("\"destination\":\"next\"")).await;
    let report = edge.gateway.explain(&Question::new("http://a/")).unwrap();
    assert_eq!(report.elsewhere[0].destination, "next");
    assert_eq!(report.elsewhere[0].endpoints[0].address, Some(next.address));
    let told = report.to_string();
    assert!(told.contains("plugins may send it to next instead"), "{told}");
}
