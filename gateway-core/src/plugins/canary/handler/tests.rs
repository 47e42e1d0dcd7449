use std::{sync::Arc, time::Duration};

use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{
    Body, Reason,
    config::{Config, Consumer, Route, Service},
    plugin::{Exchange, Handler, Matched, Source, Way, Ways},
    plugins::{
        Canary,
        testing::{exchange, filled, handler},
    },
};

/// A way that may be down.
struct Somewhere {
    down: bool,
}

impl Way for Somewhere {
    fn is_down(&self) -> bool {
        self.down
    }

    fn send(
        &self,
        _: Request<Body>,
        _: Exchange,
    ) -> std::pin::Pin<Box<dyn Future<Output = http::Response<Body>> + Send>> {
        unreachable!("only asked whether it is down")
    }
}

fn canary(mut config: Value) -> Arc<dyn Handler> {
    let fields = config.as_object_mut().unwrap();
    fields.entry("upstream_host").or_insert(json!("canary.pool"));
    let plugin = Canary::new();
    handler(&plugin, &filled(&plugin, config))
}

fn on_route(handler: &dyn Handler, down: bool) -> Exchange {
    let mut exchange = exchange();
    let service = Arc::new(Service::new("stable", "stable"));
    let mut matched = Matched::new(Arc::new(Route::new("r").to(&service)), Some(service));
    let way = |to| (to, Arc::new(Somewhere { down }) as Arc<dyn Way>);
    matched.ways = handler.destinations().into_iter().map(way).collect::<Ways>();
    exchange.matched = Some(Arc::new(matched));
    exchange
}

fn goes(handler: &dyn Handler, request: &mut Request<Body>, exchange: &mut Exchange) -> bool {
    handler.on_request(request, exchange);
    exchange.destination.is_some()
}

fn plain() -> Request<Body> {
    Request::get("/a?x=1").body(Body::empty()).unwrap()
}

fn with(name: &'static str, value: &'static str) -> Request<Body> {
    Request::get("/a").header(name, value).body(Body::empty()).unwrap()
}

#[test]
fn a_share_of_callers_is_in_it_and_stays_in_it() {
    let consumers: Vec<_> = (0..400).map(|number| Arc::new(Consumer::new(&format!("c{number}")))).collect();
    let mut before = vec![false; consumers.len()];
    for percent in [0, 10, 40, 100] {
        let handler = canary(json!({ "percentage": percent }));
        let mut now = Vec::new();
        for consumer in &consumers {
            let mut exchange = on_route(handler.as_ref(), false);
            exchange.consumer = Some(Arc::clone(consumer));
            now.push(goes(handler.as_ref(), &mut plain(), &mut exchange));
        }
        let count = now.iter().filter(|goes| **goes).count();
        assert!(count.abs_diff(consumers.len() * percent / 100) <= 25, "{percent}: {count}");
        assert!(before.iter().zip(&now).all(|(before, now)| !before || *now), "{percent}");
        before = now;
    }
}

#[test]
fn a_header_decides_before_a_cookie_and_both_before_the_share() {
    let names =
        json!({ "percentage": 0, "canary_by_header_name": "x-canary", "canary_by_cookie_name": "canary" });
    let handler = canary(names);
    let goes = |mut request| goes(handler.as_ref(), &mut request, &mut on_route(handler.as_ref(), false));
    assert!(
        goes(with("x-canary", "always")) && !goes(with("x-canary", "never")) && !goes(with("x-canary", "?"))
    );
    assert!(goes(with("cookie", "a=1; canary=always")) && !goes(plain()));
    let mut both = with("x-canary", "never");
    both.headers_mut().insert("cookie", "canary=always".parse().unwrap());
    assert!(!goes(both));
}

#[test]
fn it_has_a_path_of_its_own_and_keeps_the_query() {
    let handler = canary(json!({ "percentage": 100, "upstream_uri": "/v2" }));
    let mut request = plain();
    assert!(goes(handler.as_ref(), &mut request, &mut on_route(handler.as_ref(), false)));
    assert_eq!(request.uri(), "/v2?x=1");
    // With nothing but a path it goes to the same host.
    let handler = canary(json!({ "percentage": 100, "upstream_host": null, "upstream_uri": "/v2?y=2" }));
    let mut request = plain();
    assert!(goes(handler.as_ref(), &mut request, &mut on_route(handler.as_ref(), false)));
    assert_eq!(request.uri(), "/v2?y=2");
}

#[test]
fn one_that_is_down_leaves_requests_to_the_stable_side_where_it_is_told_to() {
    for (fallback, goes_on) in [(true, false), (false, true)] {
        let handler =
            canary(json!({ "percentage": 100, "upstream_fallback": fallback, "upstream_uri": "/v2" }));
        let mut request = plain();
        assert_eq!(goes(handler.as_ref(), &mut request, &mut on_route(handler.as_ref(), true)), goes_on);
        assert_eq!(request.uri().path() == "/v2", goes_on);
    }
}

fn log(handler: &dyn Handler, of_canary: bool, status: u16, millis: u64) {
    let mut exchange = on_route(handler, false);
    if of_canary {
        exchange.send_to(&handler.destinations()[0]);
    }
    exchange.status = StatusCode::from_u16(status).unwrap();
    exchange.source = Source::Service;
    exchange.timings.forwarded = Some(Duration::from_millis(1));
    exchange.timings.responded = Some(Duration::from_millis(1 + millis));
    handler.on_log(&exchange);
}

fn reading(handler: &dyn Handler, metric: &str) -> u64 {
    handler.readings().into_iter().find(|reading| reading.metric == metric).unwrap().value
}

#[test]
fn one_that_fails_more_often_is_broken_off() {
    let handler = canary(json!({
        "percentage": 50, "hash": "none", "abort_error_points": 10, "abort_minimum": 20, "canary_by_header_name": "x",
    }));
    for _ in 0..19 {
        log(handler.as_ref(), true, 500, 1);
    }
    assert_eq!(reading(handler.as_ref(), "gateway_canary_percent"), 50);
    log(handler.as_ref(), true, 500, 1);
    assert_eq!(reading(handler.as_ref(), "gateway_canary_broken_off"), 1);
    assert_eq!(reading(handler.as_ref(), "gateway_canary_percent"), 0);
    let exchange = || on_route(handler.as_ref(), false);
    assert!((0..50).all(|_| !goes(handler.as_ref(), &mut plain(), &mut exchange())));
    // Who looks for the reason still gets there.
    assert!(goes(handler.as_ref(), &mut with("x", "always"), &mut exchange()));
}

#[test]
fn what_no_upstream_did_is_not_held_against_it() {
    let handler = canary(json!({ "percentage": 50, "abort_error_points": 0, "abort_minimum": 1 }));
    let mut exchange = on_route(handler.as_ref(), false);
    exchange.send_to(&handler.destinations()[0]);
    exchange.status = StatusCode::INTERNAL_SERVER_ERROR;
    for reason in Reason::ALL.into_iter().filter(|reason| !reason.blames_upstream()) {
        exchange.reason = Some(reason);
        handler.on_log(&exchange);
    }
    assert_eq!(reading(handler.as_ref(), "gateway_canary_broken_off"), 0);
    (exchange.reason, exchange.source) = (Some(Reason::ConnectRefused), Source::Error);
    handler.on_log(&exchange);
    assert_eq!(reading(handler.as_ref(), "gateway_canary_broken_off"), 1);
}

#[test]
fn one_that_is_slower_is_broken_off() {
    let handler = canary(json!({ "percentage": 50, "abort_latency_percent": 100, "abort_minimum": 20 }));
    for _ in 0..30 {
        log(handler.as_ref(), false, 200, 10);
        log(handler.as_ref(), true, 200, 12);
    }
    assert_eq!(reading(handler.as_ref(), "gateway_canary_broken_off"), 0);
    for _ in 0..100 {
        log(handler.as_ref(), true, 200, 80);
    }
    assert_eq!(reading(handler.as_ref(), "gateway_canary_broken_off"), 1);
}

#[test]
fn impossible_settings_are_refused() {
    let registry = crate::plugins::bundled();
    for (config, problem) in [
        ("{}", "at least one of these fields must be non-empty"),
        ("{upstream_host: a, hash: header}", "required field missing"),
        ("{upstream_host: a, hash: allow}", "required field missing"),
        ("{upstream_host: a, percentage: 101}", "value should be between 0 and 100"),
        ("{upstream_uri: v2}", "should start with: /"),
        ("{upstream_host: a, steps: 0}", "value should be between 1 and 1000000"),
    ] {
        let text = format!("{{_format_version: '3.0', plugins: [{{name: canary, config: {config}}}]}}");
        let problems = Config::parse(&text, &registry).unwrap_err().to_string();
        assert!(problems.contains(problem), "{config}: {problems}");
    }
}
