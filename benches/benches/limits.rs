//! What a rate limit costs, beside a map behind one lock.
//!
//! `cargo bench -p gateway-benches --bench limits`
//!
//! - `map`: a lock around a `HashMap` from texts to one window's count: the baseline.
//! - `one`, `two`: a limiter with one window, with a minute and an hour, for a key that is known.
//! - `keys`: the same for one of 10,000 keys.
//! - `guest`: a guest that asks in its request phase, so many times, by `gateway.ratelimit.check`.
//!
//! The last lines give what follows: a check from within a guest, and checks in eight threads at once.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench ends with its set-up")]

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Arc, Mutex},
    time::{Instant, SystemTime},
};

use criterion::Criterion;
use gateway_core::{
    Body, ConnectInfo,
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};
use gateway_plugins::{Area, Checked, Engine, Entity, Limiters, RateLimit, RateLimits, Scope, WasmPlugin};
use http::Request;
use plugin_contract::ratelimit::{Algorithm, Check, Limiter, Period, Store, Window};
use serde_json::json;
use tokio::runtime::Runtime;

/// The checks of one entry.
const TIMES: u32 = 100;
/// So large that it is never reached.
const LIMIT: u64 = 1 << 40;
const KEY: &str = "203.0.113.217";

/// A window's start and its count, by key.
#[derive(Default)]
struct Map(Mutex<HashMap<String, (u64, u64)>>);

impl Map {
    fn check(&self, key: &str) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let start = now - now % 60;
        let mut map = self.0.lock().unwrap();
        let (window, count) = map.entry(key.to_owned()).or_default();
        if *window != start {
            (*window, *count) = (start, 0);
        }
        let allowed = *count < LIMIT;
        *count += u64::from(allowed);
        allowed
    }
}

fn spec(periods: &[Period]) -> Limiter<'static> {
    let windows = periods.iter().map(|&period| Window { period, limit: LIMIT }).collect();
    Limiter { algorithm: Algorithm::Fixed, windows, store: Store::Local, name: "" }
}

fn limiter(limiters: &Limiters, periods: &[Period]) -> Arc<dyn RateLimit> {
    limiters.limiter(&spec(periods), Scope::new("bench", &Entity::default())).expect("a limiter")
}

fn allowed(limiter: &dyn RateLimit, key: &str) -> bool {
    matches!(limiter.check(black_box(key), 1), Checked::Now(verdict) if verdict.allowed)
}

/// A guest that makes a limiter when it is configured, and asks it so many times for each request.
fn guest(engine: &Engine, times: u32) -> Arc<dyn Handler> {
    let encoded =
        |value: &dyn Fn() -> Vec<u8>| value().iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let spec = encoded(&|| plugin_contract::encode(&spec(&[Period::Minute]), Vec::new()).unwrap());
    let check = encoded(&|| {
        plugin_contract::encode(&Check { limiter: 0, key: KEY.into(), cost: 1 }, Vec::new()).unwrap()
    });
    let (spec_size, check_size) = (spec.len() / 3, check.len() / 3);
    let text = format!(
        r#"(module
        (import "env" "proxy_call_foreign_function" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "gateway.ratelimit.limiter") (data (i32.const 64) "gateway.ratelimit.check")
        (data (i32.const 128) "{spec}") (data (i32.const 256) "{check}")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (i32.eqz (call $call (i32.const 16) (i32.const 25) (i32.const 128) (i32.const {spec_size}) (i32.const 0) (i32.const 4))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i32)
            (local.set 3 (i32.const {times}))
            (block (loop (br_if 1 (i32.eqz (local.get 3)))
                (if (call $call (i32.const 64) (i32.const 23) (i32.const 256) (i32.const {check_size}) (i32.const 0) (i32.const 4))
                    (then (unreachable)))
                (local.set 3 (i32.sub (local.get 3) (i32.const 1))) (br 0)))
            (i32.const 0)))"#
    );
    let module = wat::parse_str(text).expect("a module");
    let builder = WasmPlugin::builder("bench").grant([Area::RateLimit]);
    match builder.bytes(engine, &module).expect("it loads").configure(&json!({})).expect("it starts") {
        Configured::Handler(handler) => handler,
        _ => unreachable!("a plugin of phases"),
    }
}

/// One request through its request phase and its end.
fn run(runtime: &Runtime, handler: &dyn Handler, connection: &Arc<ConnectInfo>) {
    let (mut request, mut exchange) = (Request::new(Body::empty()), Exchange::new(Arc::clone(connection)));
    let mut flow = handler.on_request(&mut request, &mut exchange);
    while let Flow::Wait(wait) = flow {
        flow = runtime.block_on(wait)(&mut request, &mut exchange);
    }
    assert!(matches!(flow, Flow::Continue));
    handler.on_log(&exchange);
}

/// The lowest of many short runs: nanoseconds of one call.
fn least(times: u32, mut act: impl FnMut()) -> f64 {
    let mut batch = || {
        let start = Instant::now();
        (0..times).for_each(|_| act());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    (0..50).map(|_| batch()).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds of one call, in eight threads at once, each with its own key.
fn crowd(act: impl Fn(&str) -> bool + Sync) -> f64 {
    const EACH: u32 = 200_000;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let act = &act;
            scope.spawn(move || {
                let key = format!("203.0.113.{thread}");
                (0..EACH).for_each(|_| assert!(act(black_box(&key))));
            });
        }
    });
    start.elapsed().as_secs_f64() * 1e9 / f64::from(8 * EACH)
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let (map, limiters) = (Map::default(), Limiters::default());
    let (one, two) =
        (limiter(&limiters, &[Period::Minute]), limiter(&limiters, &[Period::Minute, Period::Hour]));
    let keys: Vec<String> = (0..10_000).map(|key| format!("10.0.{}.{}", key / 256, key % 256)).collect();
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("map", |bench| bench.iter(|| map.check(black_box(KEY))));
    criterion.bench_function("one", |bench| bench.iter(|| allowed(&*one, KEY)));
    criterion.bench_function("two", |bench| bench.iter(|| allowed(&*two, KEY)));
    let mut next = keys.iter().cycle();
    criterion.bench_function("keys", |bench| bench.iter(|| allowed(&*one, next.next().unwrap())));
    criterion.final_summary();
    let engine = Engine::new().expect("an engine");
    let (nothing, asks) = (guest(&engine, 0), guest(&engine, TIMES));
    let connection = Arc::new(ConnectInfo::unknown());
    let through = |handler: &dyn Handler| least(1_000, || run(&runtime, handler, &connection));
    println!("a map behind a lock:      {:8.1} ns", least(10_000, || assert!(map.check(black_box(KEY)))));
    println!("a limiter, one window:    {:8.1} ns", least(10_000, || assert!(allowed(&*one, KEY))));
    println!("a limiter, two windows:   {:8.1} ns", least(10_000, || assert!(allowed(&*two, KEY))));
    println!(
        "a check from a guest:     {:8.1} ns",
        (through(&*asks) - through(&*nothing)) / f64::from(TIMES)
    );
    println!("eight threads, map:       {:8.1} ns", crowd(|key| map.check(key)));
    println!("eight threads, limiter:   {:8.1} ns", crowd(|key| allowed(&*one, key)));
}
