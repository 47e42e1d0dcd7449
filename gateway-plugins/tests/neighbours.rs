//! What bad plugins, and very many requests, cost the others: told by counts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Plugin as PluginEntity, Reference, Route},
    plugin::{Configured, Exchange, Flow, Plugin, Registry},
};
use gateway_plugins::{Engine, Limits, Module, WasmPlugin, Watch};
use http::Request;
use kit::{ENGINE, ask, empty, module, request, start, to};
use serde_json::json;

/// A guest that does this with each request, and counts them.
fn guest(code: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1) (global $seen (mut i32) (i32.const 0))
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
                {code} (i32.const 0)))"#
    )
}

/// Plugins that do harm, each on a route of its name.
const HARM: [(&str, &str); 3] = [
    ("loops", "(loop $again (br $again))"),
    // Memory grows until it does not, and then the guest gives up.
    (
        "eats",
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
    ),
    // Every second request.
    ("traps", "(if (i32.eqz (i32.and (global.get $seen) (i32.const 1))) (then (unreachable)))"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_that_loop_eat_and_trap_fail_their_own_requests_and_no_other() {
    let service = to("echo", kit::upstream().await);
    let mut config = Config::default().with(service.clone());
    let (mut registry, mut watches) = (Registry::empty(), Vec::<Watch>::new());
    for (name, code) in HARM.into_iter().chain([("good", "")]) {
        let mut limits = if name == "loops" { Limits::default() } else { kit::patient() };
        // Of a second quarantine nothing is to be seen here.
        (limits.traps, limits.quarantine) = (5, Duration::from_secs(60));
        let code = module(&wat::parse_str(guest(code)).unwrap());
        let plugin = WasmPlugin::builder(name).limits(limits).module(&ENGINE, &code);
        watches.push(plugin.watch());
        registry = registry.with(plugin);
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        let mut entity = PluginEntity::new(name, json!({}));
        entity.route = Some(Reference { id: route.id });
        config = config.with(route).with(entity);
    }
    let gateway = Gateway::builder().config(config).plugins(registry).build().unwrap();
    let (address, _running) = start(&gateway);
    let all = async |path: &'static str, times: u32| {
        let mut statuses = Vec::new();
        for _ in 0..times {
            statuses.push(ask(address, request("GET", path).body(empty()).unwrap()).await.status.as_u16());
        }
        statuses
    };
    let work =
        async { tokio::join!(all("/loops", 40), all("/eats", 40), all("/traps", 40), all("/good", 300)) };
    let (loops, eats, traps, good) = tokio::time::timeout(3 * kit::PATIENCE, work).await.unwrap();
    assert_eq!(good, [200; 300], "no other request fails");
    assert_eq!((loops, eats), (vec![500; 40], vec![500; 40]), "the error policy of its own");
    let half: Vec<_> = (0..10).map(|number| if number % 2 == 0 { 200 } else { 500 }).collect();
    assert_eq!(
        (&traps[..10], &traps[10..]),
        (half.as_slice(), [500; 30].as_slice()),
        "and then it is shut out"
    );
    let stats: Vec<_> = watches.iter().map(Watch::stats).collect();
    for stats in &stats[..3] {
        // Five traps, and none after: nobody waits for a plugin that is shut out.
        assert_eq!((stats.traps, stats.quarantines), (5, 1), "{stats:?}");
        assert_eq!(stats.instances_alive, 0, "what it ate is given back: {stats:?}");
    }
    assert_eq!((stats[0].failed, stats[1].failed, stats[2].failed), (40, 40, 35));
    assert_eq!((stats[0].timeouts, stats[1].timeouts, stats[2].timeouts), (5, 0, 0));
    assert_eq!((stats[3].traps, stats[3].failed, stats[3].instances), (0, 0, 1), "{:?}", stats[3]);
}

/// A guest that holds each request, and whose memory cannot grow.
const HOLDS: &str = r#"(module
    (memory (export "memory") 4 4)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1)))"#;

#[tokio::test]
async fn ten_thousand_requests_that_are_held_share_one_instance() {
    const HELD: usize = 10_000;
    let engine = Engine::new().unwrap();
    let module = Module::new(&engine, &wat::parse_str(HOLDS).unwrap(), &Limits::default()).unwrap();
    let plugin = WasmPlugin::builder("holds").module(&engine, &module);
    let watch = plugin.watch();
    let Ok(Configured::Handler(handler)) = plugin.configure(&json!({})) else { panic!("it has phases") };
    let connection = Arc::new(ConnectInfo::unknown());
    let mut held = Vec::with_capacity(HELD);
    for number in 0..HELD {
        let (mut request, mut exchange) =
            (Request::new(Body::empty()), Exchange::new(Arc::clone(&connection)));
        let mut flow = handler.on_request(&mut request, &mut exchange);
        if number == 0 {
            // The first one waits for the instance.
            let Flow::Wait(wait) = flow else { panic!("there is no instance yet") };
            flow = wait.await(&mut request, &mut exchange);
        }
        assert!(matches!(flow, Flow::Wait(_)), "request {number} is held");
        held.push((flow, request, exchange));
    }
    let stats = watch.stats();
    assert_eq!((stats.contexts, stats.instances_alive, stats.instances), (HELD, 1, 1), "{stats:?}");
    let alive = engine.alive();
    assert_eq!((alive.modules, alive.instances), (1, 1), "whose memory cannot grow");
    drop(held);
    assert_eq!(watch.stats().contexts, 0, "nothing stays of those who left");
}
