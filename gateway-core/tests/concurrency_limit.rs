//! The plugin `concurrency-limit` over real sockets: how many reach the upstream at a time, who waits, who is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Edge, Reply, Scripted, Step, balanced, config, eventually, read_until,
    scripted::{ok, send},
    service, until_closed,
};
use gateway_core::{
    config::{Config, Plugin, derived_id},
    plugins,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore, task::JoinSet, time::sleep};

const UNAVAILABLE: &str = "The upstream server is currently unavailable";

fn limit(settings: &Value) -> Plugin {
    let text =
        json!({ "_format_version": "3.0", "plugins": [{ "name": "concurrency-limit", "config": settings }] });
    let config = Config::parse(&text.to_string(), &plugins::bundled()).unwrap();
    let mut plugin = Plugin::clone(config.plugins.values().next().unwrap());
    plugin.id = derived_id("plugins", "limit");
    plugin
}

fn edge(upstream: &Scripted, settings: &Value) -> Arc<Edge> {
    Arc::new(Edge::new(config(service(upstream.address)).with(limit(settings))))
}

/// The value of a metric now.
fn reading(edge: &Edge, metric: &str) -> u64 {
    let readings = edge.gateway.snapshot().readings();
    readings.iter().find(|it| it.reading.metric == metric).unwrap().reading.value
}

fn in_flight(edge: &Edge) -> u64 {
    reading(edge, "gateway_concurrency_in_flight")
}

fn queued(edge: &Edge) -> u64 {
    reading(edge, "gateway_concurrency_queued")
}

/// An upstream that answers `/slow` after a while.
async fn slow(time: Duration) -> Scripted {
    Scripted::start(move |seen| match seen.path() {
        "/slow" => [vec![Step::Body, Step::Wait(time)], ok("good")].concat(),
        "/hang" => vec![Step::Body, Step::Hang],
        _ => ok("good"),
    })
    .await
}

#[tokio::test]
async fn no_more_than_the_limit_are_there_at_a_time_and_the_others_wait() {
    let upstream = slow(Duration::from_millis(30)).await;
    let edge = edge(&upstream, &json!({ "limit": 3, "queue": 100, "queue_timeout": 9_000 }));
    let mut clients = JoinSet::new();
    for _ in 0..30 {
        let edge = Arc::clone(&edge);
        clients.spawn(async move { edge.get("/slow").await.status });
    }
    assert!(clients.join_all().await.into_iter().all(|status| status == 200));
    // Each connection of the upstream served one request at a time.
    assert!(upstream.connections() <= 3, "{}", upstream.connections());
    eventually("all seats are free", || in_flight(&edge) == 0).await;
    assert_eq!(queued(&edge), 0);
}

#[tokio::test]
async fn who_finds_the_queue_full_is_refused_at_once() {
    let upstream = slow(Duration::ZERO).await;
    let edge = edge(&upstream, &json!({ "limit": 1, "queue": 1, "queue_timeout": 9_000 }));
    let holding = hang(&edge).await;
    eventually("one holds the seat", || in_flight(&edge) == 1).await;
    let waiting = tokio::spawn({
        let edge = Arc::clone(&edge);
        async move { edge.get("/").await.status }
    });
    eventually("one waits", || queued(&edge) == 1).await;
    let reply = edge.post("/", "", "hello").await;
    reply.assert_failed(503, UNAVAILABLE, "pending_limit");
    assert_eq!(reply.header("retry-after"), "9");
    drop(holding);
    assert_eq!(waiting.await.unwrap(), 200);
    assert_eq!(upstream.seen().len(), 2);
}

async fn hang(edge: &Edge) -> TcpStream {
    let mut client = edge.connect().await;
    client.write_all(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    client
}

#[tokio::test]
async fn who_waits_too_long_is_told() {
    let upstream = slow(Duration::ZERO).await;
    let edge = edge(&upstream, &json!({ "limit": 1, "queue_timeout": 100 }));
    let _holding = hang(&edge).await;
    eventually("one holds the seat", || in_flight(&edge) == 1 && upstream.seen().len() == 1).await;
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "pending_timeout");
    assert_eq!((queued(&edge), upstream.seen().len()), (0, 1));
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_leaves_no_trace() {
    let upstream = slow(Duration::ZERO).await;
    let edge = edge(&upstream, &json!({ "limit": 1, "queue": 5, "queue_timeout": 9_000 }));
    let holding = hang(&edge).await;
    eventually("one holds the seat", || in_flight(&edge) == 1).await;
    let leaving = hang(&edge).await;
    eventually("one waits", || queued(&edge) == 1).await;
    drop(leaving);
    eventually("nobody waits", || queued(&edge) == 0).await;
    drop(holding);
    eventually("the seat is free", || in_flight(&edge) == 0).await;
    edge.get("/").await.assert_ok("good");
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn a_request_counts_until_the_last_byte_of_its_answer() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/half" => vec![
            Step::Body,
            send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngo"),
            Step::Wait(Duration::from_millis(1_000)),
            send("od"),
        ],
        _ => ok("good"),
    })
    .await;
    let edge = edge(&upstream, &json!({ "limit": 1, "queue": 0 }));
    let mut client = edge.connect().await;
    client.write_all(b"GET /half HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut read = read_until(&mut client, b"\r\n\r\n").await;
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "pending_limit");
    read.extend(until_closed(&mut client).await);
    Reply::to("GET", &read).assert_ok("good");
    eventually("the seat is free", || in_flight(&edge) == 0).await;
    edge.get("/").await.assert_ok("good");
}

#[tokio::test]
async fn an_upgraded_connection_counts_until_it_is_over() {
    let upstream = Scripted::start(|_| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello";
        vec![send(head), Step::Hang]
    })
    .await;
    let edge = edge(&upstream, &json!({ "limit": 1, "queue": 0 }));
    let mut client = edge.connect().await;
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
               sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    read_until(&mut client, b"hello").await;
    sleep(Duration::from_millis(50)).await;
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "pending_limit");
    drop(client);
    eventually("the seat is free", || in_flight(&edge) == 0).await;
}

/// How many are at each endpoint.
fn at_endpoints(edge: &Edge) -> Vec<u64> {
    let readings = edge.gateway.snapshot().readings().into_iter();
    let at = readings.filter(|it| it.reading.metric == "gateway_concurrency_endpoint_in_flight");
    at.map(|it| it.reading.value).collect()
}

#[tokio::test]
async fn an_endpoint_that_has_its_most_is_passed_over_and_all_that_have_are_told_of() {
    let servers = [slow(Duration::ZERO).await, slow(Duration::ZERO).await];
    let (config, _) = balanced(&servers.each_ref().map(|server| server.address));
    let with = |most: u32| {
        let settings = json!({ "limit": 3, "queue": 1, "queue_timeout": 100, "endpoint_limit": most });
        config.clone().with(limit(&settings))
    };
    let edge = Edge::new(with(1));
    let first = hang(&edge).await;
    eventually("one is there", || servers.iter().any(|server| !server.seen().is_empty())).await;
    assert_eq!(at_endpoints(&edge).iter().sum::<u64>(), 1);
    // Whoever's turn it is: all go to the other one.
    let free = servers.iter().position(|server| server.seen().is_empty()).unwrap();
    for _ in 0..6 {
        edge.post("/", "", "once").await.assert_ok("good");
    }
    assert_eq!((servers[free].seen().len(), servers[1 - free].seen().len()), (6, 1));
    assert!(servers.iter().all(|server| server.connections() == 1));
    let second = hang(&edge).await;
    eventually("both are there", || at_endpoints(&edge) == [1, 1]).await;
    let reply = edge.get("/").await;
    reply.assert_failed(503, UNAVAILABLE, "pending_limit");
    assert_eq!(reply.header("retry-after"), "1");
    // Who is there stays so over a change of the limit.
    edge.gateway.reload(&with(2)).unwrap();
    edge.get("/").await.assert_ok("good");
    assert_eq!(at_endpoints(&edge).iter().sum::<u64>(), 2);
    // A place at the service is waited for, and no longer than it says.
    let third = hang(&edge).await;
    eventually("three are there", || at_endpoints(&edge).iter().sum::<u64>() == 3).await;
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "pending_timeout");
    drop((first, second, third));
    eventually("all have left", || at_endpoints(&edge) == [0, 0]).await;
}

#[tokio::test]
async fn a_place_at_an_endpoint_is_held_until_the_last_byte_and_not_against_a_repetition() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/half" => vec![Step::Body, send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngo"), Step::Hang],
        _ => vec![Step::Body, send("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")],
    })
    .await;
    let retry = json!({ "_format_version": "3.0", "plugins": [{ "name": "retry",
        "config": { "retries": 2, "backoff_base": 1, "backoff_max": 1 } }] });
    let retry = Config::parse(&retry.to_string(), &plugins::bundled()).unwrap();
    let retry = Plugin::clone(retry.plugins.values().next().unwrap());
    let config = config(service(upstream.address)).with(limit(&json!({ "endpoint_limit": 1 }))).with(retry);
    let edge = Edge::new(config);
    assert_eq!(edge.get("/").await.status, 503);
    assert_eq!(upstream.seen().len(), 3, "its own answer does not keep the next try out");
    eventually("it has left", || at_endpoints(&edge) == [0]).await;
    let mut client = edge.connect().await;
    client.write_all(b"GET /half HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut client, b"\r\n\r\ngo").await;
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "pending_limit");
    drop(client);
    eventually("it has left as well", || at_endpoints(&edge) == [0]).await;
}

#[tokio::test]
async fn seats_are_kept_over_a_change_of_the_limit() {
    let upstream = slow(Duration::ZERO).await;
    let all =
        |most: u32| config(service(upstream.address)).with(limit(&json!({ "limit": most, "queue": 0 })));
    let edge = Edge::new(all(1));
    let _holding = hang(&edge).await;
    eventually("one holds the seat", || in_flight(&edge) == 1).await;
    edge.gateway.reload(&all(2)).unwrap();
    edge.get("/").await.assert_ok("good");
    edge.gateway.reload(&all(1)).unwrap();
    edge.get("/").await.assert_failed(503, UNAVAILABLE, "pending_limit");
}

#[tokio::test]
async fn a_limit_that_finds_itself_lets_no_more_through_than_the_upstream_takes() {
    // It works on two requests at a time, each for 20 ms; all others wait for it.
    let (peak, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let address = two_at_a_time(Arc::clone(&peak), Arc::clone(&now)).await;
    let settings = json!({ "mode": "adaptive", "min_limit": 2, "queue": 1_000, "queue_timeout": 9_000 });
    let edge = Arc::new(Edge::new(config(service(address)).with(limit(&settings))));
    let mut clients = JoinSet::new();
    for _ in 0..60 {
        let edge = Arc::clone(&edge);
        clients.spawn(async move {
            let mut client = edge.connect().await;
            for _ in 0..5 {
                client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
                let read = read_until(&mut client, b"\r\n\r\ngood").await;
                assert!(read.starts_with(b"HTTP/1.1 200 "));
            }
        });
    }
    clients.join_all().await;
    let found = reading(&edge, "gateway_concurrency_limit");
    assert!((2..=12).contains(&found), "{found}");
    // At first it lets 20 through, once it has measured.
    assert!(peak.load(Relaxed) <= 40, "{}", peak.load(Relaxed));
    assert_eq!(now.load(Relaxed), 0);
}

/// Says how many requests are there at a time, and at most.
async fn two_at_a_time(peak: Arc<AtomicUsize>, now: Arc<AtomicUsize>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let workers = Arc::new(Semaphore::new(2));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (peak, now, workers) = (Arc::clone(&peak), Arc::clone(&now), Arc::clone(&workers));
            tokio::spawn(async move {
                let mut read = [0; 4_096];
                while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut stream, &mut read).await {
                    peak.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    let worker = workers.acquire().await.unwrap();
                    sleep(Duration::from_millis(20)).await;
                    drop(worker);
                    now.fetch_sub(1, Relaxed);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
