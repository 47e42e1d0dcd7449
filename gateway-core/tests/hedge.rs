//! The plugin `hedge` over real sockets: a second endpoint is asked where the first one is slow, and never twice what must
//! not be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Edge, Scripted, Step, balanced, eventually,
    scripted::{ok, send},
};
use gateway_core::{
    config::{Config, Plugin, derived_id},
    plugins,
};
use serde_json::{Value, json};

fn hedge(mut settings: Value) -> Plugin {
    let fields = settings.as_object_mut().unwrap();
    for (name, value) in [
        ("minimum_requests", 10),
        ("min_delay", 20),
        // A slow answer among the first ones must not put off the second tries.
        ("max_delay", 20),
        ("budget_percent", 100),
        ("budget_per_second", 1000),
    ] {
        fields.entry(name).or_insert(json!(value));
    }
    let text = json!({ "_format_version": "3.0", "plugins": [{ "name": "hedge", "config": settings }] });
    let config = Config::parse(&text.to_string(), &plugins::bundled()).unwrap();
    let mut plugin = Plugin::clone(config.plugins.values().next().unwrap());
    plugin.id = derived_id("plugins", "hedge");
    plugin
}

/// Answers at once, until it is told to hang.
struct Tired {
    server: Scripted,
    hangs: Arc<AtomicBool>,
}

impl Tired {
    async fn new(text: &'static str) -> Self {
        let hangs = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&hangs);
        let server = Scripted::start(move |_| match seen.load(Relaxed) {
            true => vec![Step::Body, Step::Hang],
            false => ok(text),
        });
        Self { server: server.await, hangs }
    }
}

/// Two endpoints, of which the first one has begun to hang once enough is known of both.
async fn one_hangs(settings: Value) -> (Edge, Tired, Tired) {
    let (slow, fast) = (Tired::new("slow").await, Tired::new("fast").await);
    let config = balanced(&[slow.server.address, fast.server.address]).0;
    let edge = Edge::new(config.with(hedge(settings)));
    for _ in 0..20 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    slow.hangs.store(true, Relaxed);
    (edge, slow, fast)
}

fn reading(edge: &Edge, metric: &str) -> u64 {
    let readings = edge.gateway.snapshot().readings();
    readings.iter().find(|it| it.reading.metric == metric).unwrap().reading.value
}

#[tokio::test]
async fn a_slow_endpoint_is_not_waited_for() {
    let (edge, slow, fast) = one_hangs(json!({})).await;
    let counts = || {
        let [begun, won] =
            ["gateway_hedges_total", "gateway_hedges_won_total"].map(|metric| reading(&edge, metric));
        (slow.server.seen().len() as u64, fast.server.seen().len(), begun, won)
    };
    let before = counts();
    for _ in 0..10 {
        edge.get("/").await.assert_ok("fast");
    }
    let after = counts();
    assert_eq!(after.1 - before.1, 10);
    // Whatever went to the slow one was asked twice.
    let hung = after.0 - before.0;
    assert!((1..=10).contains(&hung) && hung <= after.2 - before.2, "{before:?} {after:?}");
    assert!(after.3 > before.3);
    // Who has lost is let go.
    eventually("no try is left", || slow.server.open() == 0).await;
}

#[tokio::test]
async fn a_post_is_asked_once() {
    // A second try of a GET before the POSTs would be counted with them.
    let (edge, slow, fast) = one_hangs(json!({ "min_delay": 500, "max_delay": 1000 })).await;
    let before = (slow.server.seen().len(), fast.server.seen().len());
    let hedges = reading(&edge, "gateway_hedges_total");
    let request = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = edge.connect().await;
        tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes()).await.unwrap();
        clients.push(client);
    }
    eventually("both have come", || {
        slow.server.seen().len() > before.0 && fast.server.seen().len() > before.1
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((slow.server.seen().len(), fast.server.seen().len()), (before.0 + 1, before.1 + 1));
    assert_eq!(reading(&edge, "gateway_hedges_total"), hedges);
}

#[tokio::test]
async fn a_put_is_asked_twice_with_its_body_where_that_is_allowed() {
    let (edge, slow, fast) = one_hangs(json!({ "methods": ["PUT", "GET"] })).await;
    for _ in 0..2 {
        let request = "PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
        let reply = common::Reply::to("PUT", &edge.raw(request).await);
        reply.assert_ok("fast");
    }
    let of = |tired: &Tired| tired.server.seen().iter().filter(|seen| seen.body == b"hello").count();
    assert_eq!(of(&fast), 2);
    assert!(of(&slow) >= 1 && of(&slow) as u64 <= reading(&edge, "gateway_hedges_total"));
}

#[tokio::test]
async fn second_tries_stay_within_the_budget() {
    // 30 requests pay for 3.
    let settings = json!({ "budget_percent": 10, "budget_per_second": 0 });
    let (edge, slow, _fast) = one_hangs(settings).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = edge.connect().await;
        let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut client, request).await.unwrap();
        clients.push(client);
    }
    eventually("the rest is refused", || reading(&edge, "gateway_hedges_over_budget_total") >= 6).await;
    assert!(reading(&edge, "gateway_hedges_total") <= 4);
    eventually("its half of all requests", || slow.server.seen().len() >= 20).await;
}

#[tokio::test]
async fn a_failure_of_one_waits_for_the_other() {
    let late = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&late);
    let broken = Scripted::start(move |_| match seen.load(Relaxed) {
        // Long after the second try has begun.
        true => vec![Step::Body, Step::Wait(Duration::from_millis(100)), Step::Reset],
        false => ok("broken"),
    })
    .await;
    let answers = Scripted::start({
        let late = Arc::clone(&late);
        move |_| match late.load(Relaxed) {
            true => vec![
                Step::Body,
                Step::Wait(Duration::from_millis(200)),
                send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlater"),
            ],
            false => ok("quick"),
        }
    })
    .await;
    let edge = Edge::new(balanced(&[broken.address, answers.address]).0.with(hedge(json!({}))));
    for _ in 0..20 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    late.store(true, Relaxed);
    for _ in 0..4 {
        edge.get("/").await.assert_ok("later");
    }
    assert!(reading(&edge, "gateway_hedges_total") >= 2);
}
