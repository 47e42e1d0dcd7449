//! Who meets in an instance, and how many of them there are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{net::SocketAddr, time::Duration};

use gateway_core::{
    Gateway,
    config::{Config, Plugin as PluginEntity, Reference, Route},
    plugin::Registry,
    server::Running,
};
use gateway_plugins::{Isolation, Module, WasmPlugin, Watch};
use kit::{ENGINE, PATIENCE, ask, empty, request, start, to};
use serde_json::json;
use tokio::time::{sleep, timeout};

/// A guest that counts in a global and in memory, and tells the upstream what it finds there. It traps on a request with
/// `x-trap`, and holds one with `x-hold`.
const COUNTS: &str = r#"(module
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $seen (mut i32) (i32.const 48))
    (data (i32.const 16) "x-seen") (data (i32.const 32) "00")
    (data (i32.const 48) "x-trap") (data (i32.const 64) "x-hold")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
        (i32.store8 (i32.const 32) (global.get $seen))
        (i32.store8 (i32.const 33) (i32.add (i32.load8_u (i32.const 33)) (i32.const 1)))
        (if (i32.eqz (call $get (i32.const 0) (i32.const 48) (i32.const 6) (i32.const 0) (i32.const 4)))
            (then (unreachable)))
        (drop (call $add (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 2)))
        (i32.eqz (call $get (i32.const 0) (i32.const 64) (i32.const 6) (i32.const 0) (i32.const 4))))
    (func (export "proxy_on_log") (param i32)))"#;

struct Bed {
    address: SocketAddr,
    gateway: Gateway,
    watch: Watch,
    _running: Running,
}

/// Three routes, `/a` to `/c`: the plugin of `/a` has a configuration of its own, all others share one.
async fn bed(isolation: Isolation, instances: usize) -> Bed {
    let mut limits = kit::patient();
    limits.instances = instances;
    let module = Module::new(&ENGINE, &wat::parse_str(COUNTS).unwrap(), &limits).unwrap();
    let plugin = WasmPlugin::builder("counts").limits(limits).isolation(isolation).module(&ENGINE, &module);
    let watch = plugin.watch();
    let service = to("echo", kit::upstream().await);
    let mut config = Config::default().with(service.clone()).with(PluginEntity::new("counts", json!({})));
    for name in ["a", "b", "c"] {
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        if name == "a" {
            let mut entity = PluginEntity::new("counts", json!({}));
            entity.route = Some(Reference { id: route.id });
            config = config.with(entity);
        }
        config = config.with(route);
    }
    let registry = Registry::empty().with(plugin);
    let gateway = Gateway::builder().config(config).plugins(registry).build().unwrap();
    let (address, running) = start(&gateway);
    Bed { address, gateway, watch, _running: running }
}

impl Bed {
    /// What the guest found: its global and its memory; or the status where it failed.
    async fn seen(&self, path: &str) -> String {
        let answer = timeout(PATIENCE, ask(self.address, request("GET", path).body(empty()).unwrap()));
        let answer = answer.await.unwrap();
        match answer.status.as_u16() {
            200 => answer.sent("x-seen").concat(),
            status => status.to_string(),
        }
    }

    async fn all<const N: usize>(&self, paths: [&str; N]) -> Vec<String> {
        let mut seen = Vec::new();
        for path in paths {
            seen.push(self.seen(path).await);
        }
        seen
    }

    async fn trap(&self, path: &str) -> u16 {
        let request = request("GET", path).header("x-trap", "1").body(empty()).unwrap();
        timeout(PATIENCE, ask(self.address, request)).await.unwrap().status.as_u16()
    }

    /// A request that the guest holds until this is dropped.
    async fn hold(&self, path: &'static str) -> Held {
        let before = self.watch.stats().contexts;
        let request = request("GET", path).header("x-hold", "1").body(empty()).unwrap();
        let held = Held(tokio::spawn(ask(self.address, request)));
        self.until(|contexts| contexts > before).await;
        held
    }

    async fn until(&self, holds: impl Fn(usize) -> bool) {
        let all = async {
            while !holds(self.watch.stats().contexts) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{:?}", self.watch.stats()));
    }
}

struct Held(tokio::task::JoinHandle<kit::Answer>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn by_default_all_requests_of_a_worker_meet() {
    let bed = bed(Isolation::Shared, 1).await;
    assert_eq!(bed.all(["/a", "/b", "/a", "/c"]).await, ["11", "22", "33", "44"]);
    assert_eq!((bed.watch.stats().instances, bed.watch.stats().no_room), (1, 0));
}

#[tokio::test]
async fn nothing_that_a_guest_keeps_passes_from_route_to_route() {
    let bed = bed(Isolation::Route, 10).await;
    assert_eq!(bed.all(["/a", "/b", "/a", "/c", "/b", "/b"]).await, ["11", "11", "22", "11", "22", "33"]);
    bed.until(|contexts| contexts == 0).await;
    let stats = bed.watch.stats();
    assert_eq!((stats.instances, stats.instances_alive), (3, 3), "{stats:?}");
    assert_eq!(stats.entries, 3 + 2 * 6, "each start, and two callbacks a request: {stats:?}");
    // One that traps ends the instance of its route alone.
    assert_eq!(bed.trap("/a").await, 500);
    assert_eq!(bed.all(["/a", "/b"]).await, ["11", "44"]);
    // With the last configuration all of them go.
    bed.gateway.reload(&Config::default()).unwrap();
    let gone = async {
        while bed.watch.stats().instances_alive > 0 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn nothing_that_a_guest_keeps_passes_from_request_to_request() {
    let bed = bed(Isolation::Request, 10).await;
    assert_eq!(bed.all(["/a", "/a", "/b", "/a"]).await, ["11"; 4]);
    assert_eq!(bed.trap("/a").await, 500);
    assert_eq!(bed.all(["/a", "/b"]).await, ["11"; 2]);
    bed.until(|contexts| contexts == 0).await;
    let stats = bed.watch.stats();
    assert_eq!((stats.instances, stats.instances_alive, stats.traps), (7, 0, 1), "{stats:?}");
}

#[tokio::test]
async fn routes_that_nobody_uses_make_room_for_others() {
    let bed = bed(Isolation::Route, 2).await;
    assert_eq!(bed.all(["/a", "/b", "/a", "/c"]).await, ["11", "11", "22", "11"]);
    assert_eq!(bed.seen("/a").await, "33", "the one that went was used before it");
    assert_eq!(bed.seen("/b").await, "11");
    let stats = bed.watch.stats();
    assert_eq!((stats.instances_alive, stats.no_room, stats.failed), (2, 0, 0), "{stats:?}");
}

#[tokio::test]
async fn where_requests_are_in_every_instance_a_route_without_one_gets_its_error_policy() {
    let bed = bed(Isolation::Route, 2).await;
    let (one, other) = (bed.hold("/a").await, bed.hold("/b").await);
    assert_eq!(bed.seen("/c").await, "500");
    assert_eq!(bed.seen("/a").await, "22", "its instance is there");
    let stats = bed.watch.stats();
    assert_eq!((stats.instances_alive, stats.no_room, stats.failed), (2, 1, 1), "{stats:?}");
    drop(one);
    bed.until(|contexts| contexts == 1).await;
    assert_eq!(bed.seen("/c").await, "11");
    drop(other);
    bed.until(|contexts| contexts == 0).await;
}

#[tokio::test]
async fn so_many_requests_at_a_time_have_an_instance_of_their_own() {
    let bed = bed(Isolation::Request, 2).await;
    let held = [bed.hold("/a").await, bed.hold("/a").await];
    assert_eq!(bed.seen("/b").await, "500");
    let stats = bed.watch.stats();
    assert_eq!((stats.instances_alive, stats.contexts, stats.no_room), (2, 2, 1), "{stats:?}");
    drop(held);
    bed.until(|contexts| contexts == 0).await;
    assert_eq!(bed.all(["/a", "/b"]).await, ["11"; 2]);
}

#[test]
fn a_configuration_that_takes_longer_than_a_request_may_is_refused_where_each_request_takes_it() {
    use gateway_core::plugin::Plugin as _;

    // A minute of counting.
    let slow = r#"(module (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) (local i64)
            (loop $again
                (local.set 2 (i64.add (local.get 2) (i64.const 1)))
                (br_if $again (i64.lt_u (local.get 2) (i64.const 100000000000))))
            (i32.const 1)))"#;
    let module = kit::module(&wat::parse_str(slow).unwrap());
    let refused = |isolation| {
        let plugin = WasmPlugin::builder("slow").isolation(isolation).module(&ENGINE, &module);
        plugin.configure(&json!({})).unwrap_err()
    };
    assert!(refused(Isolation::Request).contains("used up its 4ms of processor time"));
    assert!(refused(Isolation::Route).contains("used up its 50ms of processor time"));
}
