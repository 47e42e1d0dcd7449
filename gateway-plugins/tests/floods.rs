//! Guests that do many short things, one after the other: each is within the bounds of a callback, and all together are
//! within others. Told by counts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{sync::Arc, time::Instant};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Plugin as PluginEntity, Reference, Route},
    plugin::{Configured, Exchange, Flow, Plugin, Registry},
};
use gateway_plugins::{Area, Engine, GatewayUpstreams, Limits, MetricValue, Module, Watch};
use http::Request;
use kit::{ENGINE, ask, builder, edge, edge_among, empty, line, module, request, start, to};
use plugin_contract::response;
use serde_json::json;

/// A guest with what these tests call; 16 to 80 are texts, an allocator gives the same place each time.
fn guest(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_send_local_response"
            (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_http_call"
            (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
        (import "env" "proxy_set_tick_period_milliseconds" (func $ticks (param i32) (result i32)))
        (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
        (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
        (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
        (import "env" "proxy_define_metric" (func $metric (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_increment_metric" (func $count (param i32 i64) (result i32)))
        (memory (export "memory") 4)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 4096))
        (data (i32.const 16) "auth") (data (i32.const 32) "x-y")
        (data (i32.const 128) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00"
            ":method\00GET\00:path\00/\00:authority\00a\00")
        (func $call (result i32)
            (call $http (i32.const 16) (i32.const 4) (i32.const 128) (i32.const 61) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 8)))
        (func $burn (param $rounds i32)
            (loop $again (br_if $again
                (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1))))))
        {body})"#
    );
    wat::parse_str(text).unwrap()
}

/// A gateway with a hostile plugin on all its routes but one, in so many configurations.
struct Neighbours {
    address: std::net::SocketAddr,
    watch: Watch,
    _running: gateway_core::server::Running,
}

impl Neighbours {
    async fn of(code: &[u8], configurations: usize) -> Self {
        let upstreams = Arc::new(GatewayUpstreams::default());
        let plugin = builder("hostile").upstreams(upstreams.clone(), ["auth"]);
        let plugin = plugin.module(&ENGINE, &module(code));
        let watch = plugin.watch();
        let service = to("auth", kit::upstream().await);
        let mut good = Route::new("good").to(&service);
        good.paths = Some(vec!["/good".into()]);
        let mut config = Config::default().with(service.clone()).with(good);
        for number in 0..configurations {
            let mut route = Route::new(&format!("bad-{number}")).to(&service);
            route.paths = Some(vec![format!("/bad/{number}")]);
            let mut entity = PluginEntity::new("hostile", json!({}));
            entity.route = Some(Reference { id: route.id });
            config = config.with(route).with(entity);
        }
        let gateway =
            Gateway::builder().config(config).plugins(Registry::empty().with(plugin)).build().unwrap();
        upstreams.connect(&gateway);
        let (address, running) = start(&gateway);
        Self { address, watch, _running: running }
    }

    async fn get(&self, path: &str) -> u16 {
        let request = request("GET", path).body(empty()).unwrap();
        tokio::time::timeout(kit::PATIENCE, ask(self.address, request)).await.unwrap().status.as_u16()
    }

    /// Asks for other things until the hostile guest had to wait so often.
    async fn go_on_until_put_off(&self, times: u64) {
        let mut asked = 0;
        while self.watch.stats().put_off < times {
            assert_eq!(self.get("/good").await, 200, "{:?}", self.watch.stats());
            asked += 1;
            assert!(asked < 1_500, "nothing holds it back: {:?}", self.watch.stats());
        }
        assert_eq!(self.watch.stats().traps, 0, "none of it is wrong by itself");
    }
}

#[tokio::test]
async fn a_queue_that_feeds_itself_takes_its_share_and_no_more() {
    let code = guest(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
               (drop (call $register (i32.const 32) (i32.const 3) (i32.const 0)))
               (drop (call $enqueue (i32.load (i32.const 0)) (i32.const 16) (i32.const 4)))
               (i32.const 0))
           (func (export "proxy_on_queue_ready") (param $root i32) (param $queue i32)
               (drop (call $dequeue (local.get $queue) (i32.const 4) (i32.const 8)))
               (drop (call $enqueue (local.get $queue) (i32.const 16) (i32.const 4)))
               (drop (call $enqueue (local.get $queue) (i32.const 16) (i32.const 4))))"#,
    );
    let edge = Neighbours::of(&code, 1).await;
    let begun = Instant::now();
    assert_eq!(edge.get("/bad/0").await, 200);
    edge.go_on_until_put_off(20).await;
    // Of the shortest callbacks, of 2 us, 500 have room in what may be taken on credit, and one in each 20 us that pass.
    let (stats, passed) = (edge.watch.stats(), begun.elapsed().as_micros());
    assert!(u128::from(stats.entries) <= 510 + passed / 20, "{stats:?} in {passed} us");
    assert_eq!(edge.get("/bad/0").await, 200, "its own requests go on as well");
}

#[tokio::test]
async fn ticks_of_many_configurations_share_one_part_of_the_worker() {
    let code = guest(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
               (drop (call $ticks (i32.const 1))) (i32.const 1))
           (func (export "proxy_on_tick") (param i32) (call $burn (i32.const 200000)))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))"#,
    );
    let edge = Neighbours::of(&code, 64).await;
    assert_eq!(edge.get("/bad/0").await, 200);
    edge.go_on_until_put_off(20).await;
}

#[tokio::test]
async fn callouts_that_beget_callouts_take_their_share_and_no_more() {
    let code = guest(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
               (drop (call $ticks (i32.const 10))) (i32.const 1))
           (func (export "proxy_on_tick") (param i32) (drop (call $ticks (i32.const 0))) (drop (call $call)))
           (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
               (drop (call $call)) (drop (call $call)))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))"#,
    );
    let edge = Neighbours::of(&code, 1).await;
    assert_eq!(edge.get("/bad/0").await, 200);
    edge.go_on_until_put_off(20).await;
    let stats = edge.watch.stats();
    // Two are asked for in each callback, and of them five have room in what may be taken on credit.
    assert!(stats.entries <= 8 * (stats.put_off + 2) + 10, "{stats:?}");
}

#[tokio::test]
async fn a_request_may_ask_for_so_many_callouts() {
    // It calls until it may not, and then answers.
    let code = guest(
        r#"(global $held (mut i32) (i32.const 0))
           (func $next
               (if (i32.eqz (call $call))
                   (then
                       (drop (call $metric (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 0)))
                       (drop (call $count (i32.load (i32.const 0)) (i64.const 1))))
                   (else (drop (call $reply (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                       (i32.const 0) (i32.const 0) (i32.const -1))))))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
               (global.set $held (local.get 0)) (call $next) (i32.const 1))
           (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
               (drop (call $effective (global.get $held))) (call $next))"#,
    );
    let mut limits = kit::patient();
    limits.request_calls = 20;
    let edge = edge(builder("calls").limits(limits), &module(&code), json!({})).await;
    for number in 1..3_u64 {
        assert_eq!(edge.get("/x").await.status, 418);
        assert_eq!(edge.watch.metrics()[0].value, MetricValue::Counter(20 * number), "of each request");
    }
}

#[tokio::test]
async fn lines_of_the_log_have_a_bound_for_each_callback_and_for_each_second() {
    // Without anybody who listens lines are no lines.
    let _ = tracing::subscriber::set_global_default(Listener);
    let code = guest(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
               (local $left i32) (local.set $left (i32.const 70))
               (loop $again
                   (drop (call $log (i32.const 0) (i32.const 16) (i32.const 4)))
                   (drop (call $log (i32.const 4) (i32.const 16) (i32.const 4)))
                   (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
               (i32.const 0))"#,
    );
    for (rate, left_out) in [(1_000_000, 6 * 3), (0, 70 * 3)] {
        let mut limits = kit::patient();
        limits.log_rate = rate;
        let edge = edge(builder("talks").limits(limits), &module(&code), json!({})).await;
        for _ in 0..3 {
            assert_eq!(edge.get("/x").await.status, 200);
        }
        // Those of a level that is not shown do not count.
        assert_eq!(edge.watch.stats().lines_left_out, left_out);
    }
}

/// Listens to errors.
struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::ERROR)
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_head_has_an_end_however_it_is_written() {
    // Fields of so many bytes, until one has no room.
    for (length, most) in [(1, 1_000), (60_000, 4)] {
        let code = guest(&format!(
            r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                   (local $written i32)
                   (memory.fill (i32.const 8192) (i32.const 97) (i32.const 60000))
                   (loop $again
                       (if (i32.eqz (call $add (i32.const 2) (i32.const 32) (i32.const 3)
                               (i32.const 8192) (i32.const {length})))
                           (then (local.set $written (i32.add (local.get $written) (i32.const 1)))
                               (br $again))))
                   (if (i32.gt_u (local.get $written) (i32.const {most})) (then (unreachable)))
                   (drop (call $reply (i32.const 202) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                       (i32.const 0) (i32.const 0) (i32.const -1)))
                   (i32.const 0))"#
        ));
        // It is the number that ends this guest, not the time.
        let edge = edge(builder("fields"), &module(&code), json!({})).await;
        assert_eq!(edge.get("/x").await.status, 202);
    }
}

#[tokio::test]
async fn functions_write_so_many_fields_of_an_answer() {
    let names: Vec<_> = (0..300).map(|number| format!("x-{}", number % 7)).collect();
    let headers = |count: usize, value: &str| {
        let set = names.iter().take(count).map(|name| (name.as_str(), value)).collect();
        line(&response::Headers { set })
    };
    let builder = builder("relay-fields").grant([Area::Response]);
    let edge = edge_among(builder, &kit::RELAY, json!({}), Config::default(), Registry::empty()).await;
    for (calls, told) in [
        (vec![headers(200, "1"), headers(57, "2"), headers(56, "3")], vec!["00", "InternalFailure", "00"]),
        (vec![headers(257, "1")], vec!["InternalFailure"]),
    ] {
        let request = calls.iter().fold(request("GET", "/x"), |request, call| request.header("x-call", call));
        let answer = edge.ask(request.body(empty()).unwrap()).await;
        assert_eq!(answer.sent("x-answer"), told, "all of a call, or none: {answer:?}");
    }
}

#[tokio::test]
async fn contexts_that_never_end_do_not_take_the_place_of_requests() {
    let code = guest(
        r#"(func (export "proxy_on_done") (param i32) (result i32) (i32.const 0))
           (func (export "proxy_on_log") (param i32))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))"#,
    );
    let engine = Engine::new().unwrap();
    let module = Module::new(&engine, &code, &Limits::default()).unwrap();
    let plugin = builder("lingers").module(&engine, &module);
    let watch = plugin.watch();
    let Ok(Configured::Handler(handler)) = plugin.configure(&json!({})) else { panic!("it has phases") };
    let connection = Arc::new(ConnectInfo::unknown());
    for _ in 0..1_500 {
        let (mut request, mut exchange) =
            (Request::new(Body::empty()), Exchange::new(Arc::clone(&connection)));
        if let Flow::Wait(wait) = handler.on_request(&mut request, &mut exchange) {
            assert!(matches!(wait.await(&mut request, &mut exchange), Flow::Continue));
        }
        handler.on_log(&exchange);
    }
    assert_eq!(watch.stats().contexts, 1_000);
}
