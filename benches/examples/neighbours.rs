//! What a plugin that loops, one that eats memory and one that traps cost the requests of other routes:
//!
//! `cargo run --release -p gateway-benches --example neighbours`
//!
//! One worker serves five routes over real sockets: `/loops`, `/eats` and `/traps`, each with the plugin of its name, `/tame`
//! and `/good`, each with a guest that does nothing. One client asks for `/good` and is timed. Three others ask for
//! something else, so many times a second:
//!
//! - until each bad plugin is in quarantine: what the longest answer of `/good` took. Each trap of the one that loops
//!   takes its budget of processor time, 4 ms, and there are five;
//! - afterwards, in turns, for `/tame` and for the bad ones: the p99 of `/good` beside the one, over that beside the other. The
//!   goal is 1.2 at most.
#![allow(clippy::unwrap_used, reason = "a tool that nobody depends on")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use gateway_benches::Answer;
use gateway_core::{
    Gateway,
    config::{Config, Plugin as Entity, Reference, Route, Service},
    plugin::Registry,
    server::{Server, Settings},
};
use gateway_plugins::{Engine, Limits, WasmPlugin, Watch};
use serde_json::json;

/// The routes, and what the guest of each does with a request. That of `/traps` fails on each second one.
const GUESTS: [(&str, &str); 5] = [
    ("loops", "(loop $again (br $again))"),
    (
        "eats",
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
    ),
    ("traps", "(if (i32.and (global.get $seen) (i32.const 1)) (then (unreachable)))"),
    ("tame", ""),
    ("good", ""),
];
const BAD: [&str; 3] = ["loops", "eats", "traps"];

/// Pairs of rounds, and how long each round is.
const PAIRS: usize = 15;
const ROUND: Duration = Duration::from_millis(500);
/// Between two requests of one of the others, and of the one that is timed.
const PAUSE: Duration = Duration::from_millis(2);
const TIMED: Duration = Duration::from_micros(300);

fn main() {
    let engine = Engine::new().unwrap();
    let mut registry = Registry::empty().with(Answer::with(&[]));
    let mut service = Service::new("nobody", "127.0.0.1");
    service.port = 9;
    let mut config = Config::default().with(service.clone()).with(Entity::new("answer", json!({})));
    let mut watches = Vec::new();
    for (name, code) in GUESTS {
        let plugin = plugin(&engine, name, code);
        watches.push((name, plugin.watch()));
        registry = registry.with(plugin);
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        let mut entity = Entity::new(name, json!({}));
        entity.route = Some(Reference { id: route.id });
        config = config.with(route).with(entity);
    }
    let gateway = Gateway::builder().config(config).plugins(registry).build().unwrap();
    let mut settings = Settings::default();
    settings.workers = 1;
    let bound = Server::new(settings).listen(([127, 0, 0, 1], 0).into()).bind().unwrap();
    let address = bound.addresses()[0];
    let _running = bound.start(move |worker| gateway.serve(worker)).unwrap();

    // Every instance is there, and every connection's code has run.
    beside(address, ["tame"; 3], ROUND);
    let until = beside(address, BAD, 2 * ROUND);
    println!(
        "until quarantine: of {} answers the longest took {:?}, p99 {:?}",
        until.len(),
        until.last().unwrap(),
        p99(&until)
    );
    watches.iter().take(BAD.len()).for_each(shut_out);
    let mut pairs: Vec<_> = (0..PAIRS)
        .map(|_| (p99(&beside(address, ["tame"; 3], ROUND)), p99(&beside(address, BAD, ROUND))))
        .map(|(tame, bad)| (bad.as_secs_f64() / tame.as_secs_f64(), tame, bad))
        .collect();
    pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, tame, bad) = pairs[PAIRS / 2];
    println!(
        "after it: p99 beside tame ones {tame:?}, beside bad ones {bad:?}, ratio {ratio:.2} (median of {PAIRS} pairs; least {:.2})",
        pairs[0].0
    );
    watches.iter().take(BAD.len()).for_each(shut_out);
}

/// A plugin that is left alone for a minute after five traps.
fn plugin(engine: &Engine, name: &str, code: &str) -> WasmPlugin {
    let mut limits = Limits::default();
    limits.quarantine = Duration::from_secs(60);
    let text = format!(
        r#"(module (memory (export "memory") 1) (global $seen (mut i32) (i32.const 0))
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
                {code} (i32.const 0)))"#
    );
    WasmPlugin::builder(name).limits(limits).bytes(engine, &wat::parse_str(text).unwrap()).unwrap()
}

fn shut_out((name, watch): &(&str, Watch)) {
    let stats = watch.stats();
    assert!(stats.quarantined && stats.traps == 5, "{name}: {stats:?}");
}

/// How long answers of `/good` took while three others ask for these, the longest last.
fn beside(address: SocketAddr, others: [&'static str; 3], length: Duration) -> Vec<Duration> {
    let stop = Arc::new(AtomicBool::new(false));
    let others = others.map(|name| {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let mut client = Client::new(address, name);
            while !stop.load(Relaxed) {
                client.ask();
                thread::sleep(PAUSE);
            }
        })
    });
    let (mut client, mut took, begun) = (Client::new(address, "good"), Vec::new(), Instant::now());
    while begun.elapsed() < length {
        let asked = Instant::now();
        let status = client.ask();
        took.push(asked.elapsed());
        assert_eq!(status, *b"200", "no other request fails");
        thread::sleep(TIMED);
    }
    stop.store(true, Relaxed);
    others.into_iter().for_each(|other| other.join().unwrap());
    took.sort();
    took
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

/// A client with one connection.
struct Client {
    stream: TcpStream,
    request: String,
    buffer: [u8; 4096],
}

impl Client {
    fn new(address: SocketAddr, route: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, request: format!("GET /{route} HTTP/1.1\r\nhost: a\r\n\r\n"), buffer: [0; 4096] }
    }

    /// The status of the answer. It is short, and comes in one piece.
    fn ask(&mut self) -> [u8; 3] {
        self.stream.write_all(self.request.as_bytes()).unwrap();
        let length = self.stream.read(&mut self.buffer).unwrap();
        self.buffer[..length][9..12].try_into().unwrap()
    }
}
