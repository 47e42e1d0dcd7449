//! The plugin `circuit-breaker` over real sockets, with upstreams that really fail.
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
    Edge, Scripted, Step, balanced_with, config, eventually, nowhere, read_until, route,
    scripted::{ok, send},
    service, settings,
};
use gateway_core::{
    Gateway,
    config::{Config, Plugin, derived_id},
    observe::{Exposition, NodeState},
    plugins,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, time::sleep};

const UNAVAILABLE: &str = "The upstream server is currently unavailable";

/// A global breaker with these settings, as a file would have it.
fn breaker(settings: &Value) -> Plugin {
    let text =
        json!({ "_format_version": "3.0", "plugins": [{ "name": "circuit-breaker", "config": settings }] });
    let config = Config::parse(&text.to_string(), &plugins::bundled()).unwrap();
    let mut plugin = Plugin::clone(config.plugins.values().next().unwrap());
    plugin.id = derived_id("plugins", "breaker");
    plugin
}

fn edge(config: Config, settings: &Value) -> Edge {
    Edge::new(config.with(breaker(settings)))
}

/// An upstream that answers with 500 for as long as it is ill.
async fn moody() -> (Scripted, Arc<AtomicBool>) {
    let ill = Arc::new(AtomicBool::new(true));
    let mood = Arc::clone(&ill);
    let upstream = Scripted::start(move |_| match mood.load(Relaxed) {
        true => vec![Step::Body, send("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")],
        false => ok("good"),
    })
    .await;
    (upstream, ill)
}

#[tokio::test]
async fn a_service_that_fails_is_not_asked_until_it_may_be_well_again() {
    let (upstream, ill) = moody().await;
    let settings = json!({ "apply_to": ["service"], "consecutive_failures": 3, "open_time": 1000, "half_open_probes": 2 });
    let edge = edge(config(service(upstream.address)), &settings);
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.status, 500);
    }
    for _ in 0..5 {
        let reply = edge.post("/", "", "hello").await;
        reply.assert_failed(503, UNAVAILABLE, "breaker_open");
        assert_eq!(reply.header("retry-after"), "1");
    }
    assert_eq!(upstream.seen().len(), 3);
    // Still ill: one request finds out, and it is open for twice as long.
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(edge.get("/").await.status, 500);
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "breaker_open");
    assert_eq!(upstream.seen().len(), 4);
    ill.store(false, Relaxed);
    sleep(Duration::from_millis(2_050)).await;
    for _ in 0..10 {
        edge.get("/").await.assert_ok("good");
    }
}

#[tokio::test]
async fn while_half_open_no_more_than_the_probes_reach_the_service() {
    let (ill, slow) = (Arc::new(AtomicBool::new(true)), Duration::from_secs(2));
    let mood = Arc::clone(&ill);
    let upstream = Scripted::start(move |_| match mood.load(Relaxed) {
        true => vec![Step::Reset],
        false => [vec![Step::Wait(slow)], ok("good")].concat(),
    })
    .await;
    let mut service = service(upstream.address);
    service.retries = 0;
    let settings = json!({ "consecutive_failures": 1, "open_time": 100, "half_open_probes": 3 });
    let edge = Arc::new(edge(config(service), &settings));
    assert_eq!(edge.get("/").await.status, 502);
    ill.store(false, Relaxed);
    sleep(Duration::from_millis(150)).await;
    let mut herd = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let edge = Arc::clone(&edge);
        herd.spawn(async move { edge.get("/").await.status });
    }
    let mut statuses = herd.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[2], statuses[3]), (200, 503), "{statuses:?}");
    assert_eq!(upstream.seen().len(), 4);
    edge.get("/").await.assert_ok("good");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_passed_over_for_another() {
    let (ill, good) = (moody().await.0, Scripted::start(|_| ok("good")).await);
    let settings = json!({ "apply_to": ["endpoint"], "consecutive_failures": 2, "open_time": 60000 });
    let (config, _) = balanced_with(&[ill.address, good.address], |service| service.retries = 0);
    let edge = edge(config, &settings);
    let mut failed = 0;
    for _ in 0..30 {
        failed += usize::from(edge.post("/", "", "hello").await.status == 500);
    }
    assert_eq!((failed, ill.seen().len(), good.seen().len()), (2, 2, 28));
}

#[tokio::test]
async fn with_all_endpoints_open_the_answer_says_so() {
    let (config, _) = balanced_with(&[nowhere(), nowhere(), nowhere()], |service| service.retries = 0);
    let edge =
        edge(config, &json!({ "apply_to": ["endpoint"], "consecutive_failures": 1, "open_time": 60000 }));
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.header("x-gateway-reason"), "connect_refused");
    }
    let reply = edge.get("/").await;
    reply.assert_failed(503, UNAVAILABLE, "breaker_open");
    assert!((59..=60).contains(&reply.header("retry-after").parse::<u64>().unwrap()), "{reply:?}");
}

#[tokio::test]
async fn retries_go_on_where_a_breaker_lets_them() {
    // Kong's `retries` keep their meaning beside a breaker, and a retry asks its leave as well.
    let good = Scripted::start(|_| ok("good")).await;
    let (config, _) = balanced_with(&[nowhere(), good.address, nowhere()], |_| {});
    let edge = edge(config, &json!({ "consecutive_failures": 2, "open_time": 60000 }));
    for _ in 0..12 {
        edge.post("/", "", "hello").await.assert_ok("good");
    }
    assert_eq!(good.seen().len(), 12);
}

#[tokio::test]
async fn what_clients_do_never_opens_it() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/slow" => vec![Step::Body, Step::Hang],
        "/bad" => vec![Step::Body, send("HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n")],
        _ => ok("good"),
    })
    .await;
    let edge = edge(config(service(upstream.address)), &json!({ "consecutive_failures": 1 }));
    for _ in 0..5 {
        assert_eq!(edge.get("/bad").await.status, 400);
        // A body that breaks its framing.
        let broken =
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        let reply = edge.raw(broken).await;
        assert!(reply.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&reply));
        // A client that leaves.
        let before = upstream.seen().len();
        let mut client = edge.connect().await;
        client.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        eventually("the request arrives", || upstream.seen().len() > before).await;
        drop(client);
    }
    eventually("all slow requests are given up", || upstream.open() <= 1).await;
    edge.get("/").await.assert_ok("good");
}

#[tokio::test]
async fn a_probe_whose_client_leaves_does_not_block_it_for_ever() {
    let (ill, hangs) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let (mood, pace) = (Arc::clone(&ill), Arc::clone(&hangs));
    let upstream = Scripted::start(move |_| match (mood.load(Relaxed), pace.load(Relaxed)) {
        (true, _) => vec![Step::Reset],
        (false, true) => vec![Step::Hang],
        (false, false) => ok("good"),
    })
    .await;
    let mut service = service(upstream.address);
    service.retries = 0;
    let edge =
        edge(config(service), &json!({ "consecutive_failures": 1, "open_time": 50, "half_open_probes": 1 }));
    assert_eq!(edge.get("/").await.status, 502);
    ill.store(false, Relaxed);
    sleep(Duration::from_millis(80)).await;
    let mut client = edge.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    eventually("the probe arrives", || upstream.seen().len() == 2).await;
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "breaker_open");
    hangs.store(false, Relaxed);
    drop(client);
    eventually("the probe is given up", || upstream.open() == 0).await;
    edge.get("/").await.assert_ok("good");
}

#[tokio::test]
async fn it_stays_open_over_changes_that_keep_it_its_own_settings_included() {
    let (upstream, ill) = moody().await;
    let all = config(service(upstream.address));
    let with = |more: Value| {
        let mut settings = json!({ "consecutive_failures": 1, "open_time": 60000 });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all.clone().with(breaker(&settings))
    };
    let gateway = Gateway::builder().config(with(json!({}))).settings(settings()).build().unwrap();
    let edge = Edge::of(gateway);
    assert_eq!(edge.get("/").await.status, 500);
    ill.store(false, Relaxed);
    // Another route, another setting of the breaker, and a change that is refused.
    let tested = service(upstream.address);
    let mut more = route(&tested);
    (more.id, more.name, more.paths) =
        (derived_id("routes", "more"), Some("more".into()), Some(vec!["/more".into()]));
    edge.gateway.reload(&with(json!({})).with(more.clone())).unwrap();
    edge.get("/more").await.assert_failed(503, UNAVAILABLE, "breaker_open");
    edge.gateway.reload(&with(json!({ "minimum_calls": 7 })).with(more)).unwrap();
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "breaker_open");
    let mut wrong = gateway_core::config::Route::new("wrong");
    wrong.paths = Some(vec!["~/(".into()]);
    edge.gateway.reload(&with(json!({ "consecutive_failures": 99 })).with(wrong)).unwrap_err();
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "breaker_open");
    // Without the plugin nobody stops the request; put back, it begins anew.
    edge.gateway.reload(&all).unwrap();
    edge.get("/").await.assert_ok("good");
    edge.gateway.reload(&with(json!({}))).unwrap();
    edge.get("/").await.assert_ok("good");
}

#[tokio::test]
async fn its_state_is_among_the_metrics() {
    let (upstream, _) = moody().await;
    let edge =
        edge(config(service(upstream.address)), &json!({ "consecutive_failures": 1, "open_time": 60000 }));
    assert_eq!(edge.get("/").await.status, 500);
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "breaker_open");
    let (observer, gateway) = (edge.gateway.observer().clone(), edge.gateway.clone());
    let node = move || {
        let mut node = NodeState::default();
        node.readings = gateway.snapshot().readings();
        node
    };
    let page = Exposition::new(Arc::clone(observer.metrics()), &edge.gateway.settings().branding, node);
    let text = Arc::new(page).text();
    let plugin = derived_id("plugins", "breaker");
    for line in [
        format!("gateway_circuit_breaker_state{{service=\"tested\",plugin=\"{plugin}\",endpoint=\"\"}} 1"),
        format!(
            "gateway_circuit_breaker_openings_total{{service=\"tested\",plugin=\"{plugin}\",endpoint=\"{}\"}} 1",
            upstream.address
        ),
        "gateway_reasons_total{service=\"tested\",route=\"all\",reason=\"breaker_open\"} 1".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[tokio::test]
async fn an_upgraded_connection_counts_as_an_answer() {
    let upstream = Scripted::start(|_| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello";
        vec![send(head), Step::Hang]
    })
    .await;
    let edge = edge(config(service(upstream.address)), &json!({ "consecutive_failures": 1 }));
    let mut client = edge.connect().await;
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
               sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let read = read_until(&mut client, b"hello").await;
    assert!(read.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&read));
}

#[tokio::test]
async fn once_it_closes_it_lets_ever_more_in() {
    let (upstream, ill) = moody().await;
    let settings = json!({
        "apply_to": ["service"],
        "consecutive_failures": 1,
        "open_time": 50,
        "half_open_probes": 1,
        "ramp": 600_000,
    });
    let edge = edge(config(service(upstream.address)), &settings);
    assert_eq!(edge.get("/").await.status, 500);
    ill.store(false, Relaxed);
    sleep(Duration::from_millis(100)).await;
    edge.get("/").await.assert_ok("good");
    // Of ten minutes hardly any is over: a tenth is let in, evenly.
    let mut let_in = 0;
    for _ in 0..40 {
        let reply = edge.get("/").await;
        match reply.status {
            200 => let_in += 1,
            _ => reply.assert_failed(503, UNAVAILABLE, "breaker_open"),
        }
    }
    assert!((3..=5).contains(&let_in), "{let_in} of 40");
}
