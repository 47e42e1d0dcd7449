//! A plugin that is replaced a thousand times while requests go on: nothing of what was there stays.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use gateway_core::{
    Body, Gateway,
    config::{Config, Plugin as PluginEntity, Route},
    plugin::Registry,
};
use gateway_plugins::{Alive, Engine, Folder, Plugins};
use http::Request;
use kit::to;
use serde_json::json;
use tokio::{runtime::Handle, time::sleep};
use tower::ServiceExt;

/// A guest that has something of all that could be left behind: memory, ticks, a queue that it listens to, values, a
/// metric, callouts under way, and requests that it holds until a callout is answered.
fn module(number: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "env" "proxy_set_tick_period_milliseconds" (func $ticks (param i32) (result i32)))
            (import "env" "proxy_register_shared_queue" (func $queue (param i32 i32 i32) (result i32)))
            (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
            (import "env" "proxy_set_shared_data" (func $keep (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_define_metric" (func $metric (param i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_http_call"
                (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
            (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
            (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 8)
            (data (i32.const 0) "auth") (data (i32.const 16) "x-swap{number:04}")
            (data (i32.const 128) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00a\00")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 4096))
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (drop (call $ticks (i32.const 10)))
                (drop (call $queue (i32.const 0) (i32.const 4) (i32.const 64)))
                (drop (call $keep (i32.const 0) (i32.const 4) (i32.const 16) (i32.const 10) (i32.const 0)))
                (drop (call $metric (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 68)))
                (i32.store (i32.const 8192) (i32.const {number}))
                (i32.const 1))
            (func (export "proxy_on_tick") (param i32)
                (drop (call $enqueue (i32.load (i32.const 64)) (i32.const 0) (i32.const 4))))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (if (call $call (i32.const 0) (i32.const 4) (i32.const 128) (i32.const 71) (i32.const 0) (i32.const 0)
                        (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 72)) (then (unreachable)))
                ;; Who waits, by the call's number.
                (i32.store (call $place (i32.load (i32.const 72))) (local.get 0))
                (i32.const 1))
            (func $place (param i32) (result i32)
                (i32.add (i32.const 16384) (i32.shl (i32.and (local.get 0) (i32.const 1023)) (i32.const 2))))
            (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
                (drop (call $effective (i32.load (call $place (local.get 1)))))
                (drop (call $continue (i32.const 0))))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                (drop (call $add (i32.const 2) (i32.const 16) (i32.const 6) (i32.const 22) (i32.const 4)))
                (i32.const 0)))"#
    );
    wat::parse_str(text).unwrap()
}

const SWAPS: u32 = 1_000;
/// Modules that differ. The others are in the cache of compiled code, and are mapped anew.
const MODULES: u32 = 8;

/// Resident memory of this process, KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

struct Bed {
    folder: Folder,
    path: PathBuf,
    gateway: Gateway,
    engine: Engine,
}

impl Bed {
    async fn new() -> Self {
        let path = std::env::temp_dir().join(format!("gateway-swaps-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("swapped.wasm"), module(0)).unwrap();
        let shared = Plugins::on(Engine::cached(&path.join("cache")).unwrap());
        let allowed = BTreeMap::from([("swapped".to_owned(), vec!["upstream:auth".to_owned()])]);
        let folder = Folder::open(&shared, &path, allowed).unwrap();
        let upstream = kit::upstream().await;
        let service = to("echo", upstream);
        let mut route = Route::new("all").to(&service);
        route.paths = Some(vec!["/".into()]);
        let entity = PluginEntity::new("swapped", json!({ "host": { "upstreams": ["auth"] } }));
        let config = Config::default().with(service).with(to("auth", upstream)).with(route).with(entity);
        let registry = folder.over(Registry::empty());
        let gateway = Gateway::builder().config(config).plugins(registry).build().unwrap();
        shared.upstreams().connect(&gateway);
        Self { folder, path, gateway, engine: shared.engine().clone() }
    }

    /// As an operator does it: another file, which is seen and taken.
    async fn swap(&mut self, number: u32) {
        fs::write(self.path.join("swapped.wasm"), module(number % MODULES)).unwrap();
        let begun = Instant::now();
        while !tokio::task::block_in_place(|| self.folder.look().unwrap()) {
            assert!(begun.elapsed() < kit::PATIENCE);
            // Two files of one size within one tick of the file system's clock look alike.
            sleep(Duration::from_millis(1)).await;
            fs::write(self.path.join("swapped.wasm"), module(number % MODULES)).unwrap();
            let _ = self.folder.look().unwrap();
        }
        tokio::task::block_in_place(|| {
            self.gateway.replace_plugins(self.folder.over(Registry::empty())).unwrap()
        });
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The number of the plugin that saw a request.
async fn ask(gateway: &Gateway) -> u32 {
    let request = Request::builder().uri("http://a.example/").header("host", "a.example");
    let answer = gateway.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.headers()["x-swap"].to_str().unwrap().parse().unwrap()
}

/// Waits for what ends by itself, in a moment.
async fn settled(engine: &Engine, holds: impl Fn(Alive) -> bool) {
    let begun = Instant::now();
    while !holds(engine.alive()) {
        assert!(begun.elapsed() < kit::PATIENCE, "{:?}", engine.alive());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_thousand_plugins_that_were_replaced_under_load() {
    let mut bed = Bed::new().await;
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, stop, asked) = (bed.gateway.clone(), Arc::clone(&stop), Arc::clone(&asked));
            tokio::spawn(async move {
                while !stop.load(Relaxed) {
                    ask(&gateway).await;
                    asked.fetch_add(1, Relaxed);
                    sleep(Duration::from_millis(1)).await;
                }
            })
        })
        .collect();
    let (mut tasks, mut memory, mut running) = (0, 0, 0);
    for number in 1..=SWAPS {
        bed.swap(number).await;
        let modules = bed.engine.alive().modules;
        // What requests and the last snapshot still have.
        assert!(modules <= 8, "{modules} modules are alive after {number} swaps");
        if number % 100 == 0 {
            assert_eq!(ask(&bed.gateway).await, number % MODULES);
        }
        if number == SWAPS / 2 {
            (tasks, memory, running) = (Handle::current().metrics().num_alive_tasks(), resident(), threads());
        }
    }
    let (later_tasks, later_memory, later_running) =
        (Handle::current().metrics().num_alive_tasks(), resident(), threads());
    eprintln!(
        "requests {}, tasks {tasks} -> {later_tasks}, threads {running} -> {later_running}, resident KiB {memory} -> {later_memory}",
        asked.load(Relaxed)
    );
    stop.store(true, Relaxed);
    for task in load {
        tokio::time::timeout(kit::PATIENCE, task).await.unwrap().unwrap();
    }
    assert!(asked.load(Relaxed) > 100, "there was load");
    assert!(later_tasks < tasks + 50, "tasks: {tasks} -> {later_tasks}");
    assert!(later_running < running + 20, "threads: {running} -> {later_running}");
    // A module with its code is more than 64 KiB: 500 of them would be 32 MiB.
    assert!(later_memory < memory + (16 << 10), "resident KiB: {memory} -> {later_memory}");

    assert_eq!(ask(&bed.gateway).await, SWAPS % MODULES);
    // One for each thread that requests run on.
    settled(&bed.engine, |alive| alive.modules == 1 && alive.instances <= 3).await;
    // With its configuration goes the rest.
    bed.gateway.reload(&Config::default()).unwrap();
    bed.gateway.replace_plugins(Registry::empty()).unwrap();
    fs::remove_file(Path::new(&bed.path).join("swapped.wasm")).unwrap();
    assert!(!bed.folder.look().unwrap() && bed.folder.look().unwrap());
    settled(&bed.engine, |alive| alive.modules == 0 && alive.instances == 0).await;
}
