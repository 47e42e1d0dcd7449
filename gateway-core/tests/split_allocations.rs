//! To choose where a request goes allocates nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{future::Future, pin::Pin, sync::Arc};

use allocation_counter::measure;
use gateway_core::{
    Body, ConnectInfo,
    config::{Config, Consumer, Route, Service},
    plugin::{Configured, Exchange, Handler, Matched, Way},
    plugins,
};
use http::{Request, Response};

struct Somewhere;

impl Way for Somewhere {
    fn is_down(&self) -> bool {
        false
    }

    fn send(&self, _: Request<Body>, _: Exchange) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(async { Response::new(Body::empty()) })
    }
}

fn handler(name: &str, config: &str) -> Arc<dyn Handler> {
    let registry = plugins::bundled();
    let text = format!("{{_format_version: '3.0', plugins: [{{name: {name}, config: {config}}}]}}");
    let all = Config::parse(&text, &registry).unwrap();
    let entity = all.plugins.values().next().unwrap();
    match registry.get(name).unwrap().configure_entity(entity).unwrap() {
        Configured::Handler(handler) => handler,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_choice_allocates_nothing() {
    for (name, config) in [
        ("traffic-split", "{destinations: [{service: next}], fallback: true}"),
        (
            "traffic-split",
            "{destinations: [{service: next}, {weight: 1}], hash: header, hash_header: x-user}",
        ),
        ("traffic-split", "{destinations: [{upstream: pool}], hash: cookie, hash_cookie: user}"),
        ("canary", "{upstream_host: pool, percentage: 50}"),
        (
            "canary",
            "{upstream_host: pool, hash: ip, start: 0, canary_by_header_name: x-canary, abort_error_points: 5}",
        ),
    ] {
        let handler = handler(name, config);
        let service = Arc::new(Service::new("own", "own"));
        let mut matched = Matched::new(Arc::new(Route::new("r").to(&service)), Some(service));
        let way = |to| (to, Arc::new(Somewhere) as Arc<dyn Way>);
        matched.ways = handler.destinations().into_iter().map(way).collect();
        let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        exchange.matched = Some(Arc::new(matched));
        exchange.consumer = Some(Arc::new(Consumer::new("alice")));
        let request = Request::get("/").header("x-user", "7").header("cookie", "a=1; user=7");
        let mut request = request.body(Body::empty()).unwrap();
        // The first lot of a thread seeds its generator.
        handler.on_request(&mut request, &mut exchange);
        let counted = measure(|| {
            handler.on_request(&mut request, &mut exchange);
            handler.on_log(&exchange);
        });
        assert_eq!(counted.count_total, 0, "{name} {config}");
    }
}
