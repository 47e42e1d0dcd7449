//! Which failures are tried again, as Kong does it: on the next target, never a request that may have been acted
//! on unless its method is idempotent (compat P5, P6, P37; RFC 9110 9.2.2).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Edge, Reply, Script, Scripted, Step, balanced, balanced_with, config, nowhere, read_until,
    scripted::{ok, send},
    service,
};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::sleep};

const INVALID: &str = "An invalid response was received from the upstream server";
const TIMING_OUT: &str = "The upstream server is timing out";
const NO_PEER: &str = "failure to get a peer from the ring-balancer";

async fn good() -> Scripted {
    Scripted::start(|_| ok("good")).await
}

async fn always(script: Script) -> Scripted {
    Scripted::start(move |_| script.clone()).await
}

#[tokio::test]
async fn a_refused_target_is_followed_by_the_next_one() {
    let good = good().await;
    let edge = Edge::new(balanced(&[nowhere(), good.address, nowhere()]).0);
    for _ in 0..6 {
        edge.get("/").await.assert_ok("good");
        edge.post("/", "", "hello").await.assert_ok("good");
    }
    assert_eq!(good.seen().len(), 12);
}

#[tokio::test]
async fn all_refused_is_502_after_the_retries() {
    let edge = Edge::new(balanced(&[nowhere(), nowhere()]).0);
    edge.get("/").await.assert_failed(502, INVALID, "connect_refused");
}

#[tokio::test]
async fn without_retries_the_first_failure_is_the_answer() {
    let good = good().await;
    let edge = Edge::new(balanced_with(&[nowhere(), good.address], |service| service.retries = 0).0);
    let mut statuses = [edge.get("/").await.status, edge.get("/").await.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
}

#[tokio::test]
async fn as_many_retries_as_the_service_says() {
    let reset = always(vec![Step::Reset]).await;
    let mut service = service(reset.address);
    service.retries = 3;
    let edge = Edge::new(config(service));
    edge.get("/").await.assert_failed(502, INVALID, "reset");
    assert_eq!(reset.seen().len(), 4);
}

#[tokio::test]
async fn an_upstream_without_usable_targets_is_503() {
    let (none, upstream) = balanced(&[]);
    Edge::new(none.clone()).get("/").await.assert_failed(503, NO_PEER, "no_targets");
    let mut target = gateway_core::config::Target::new(&upstream, "127.0.0.1:1");
    target.weight = 0;
    Edge::new(none.with(target)).get("/").await.assert_failed(503, NO_PEER, "weight_zero");
}

#[tokio::test]
async fn a_written_get_is_sent_again_and_a_written_post_never() {
    let (bad, good) = (always(vec![Step::Body, Step::Reset]).await, good().await);
    let edge = Edge::new(balanced(&[bad.address, good.address]).0);
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        for _ in 0..4 {
            assert_eq!(edge.ask(method, "/").await.status, 200, "{method}");
        }
    }
    let mut failed = 0;
    for id in 0..20 {
        let reply = edge.post("/", &format!("x-id: {id}\r\n"), "hello").await;
        if reply.status != 200 {
            reply.assert_failed(502, INVALID, "reset");
            failed += 1;
        }
    }
    assert_eq!(failed, 10);
    let mut ids: Vec<_> =
        bad.seen().into_iter().chain(good.seen()).filter(|seen| seen.method() == "POST").collect();
    ids.sort_by_key(|seen| seen.header("x-id").parse::<u32>().unwrap());
    assert_eq!(ids.len(), 20);
    assert!(ids.iter().enumerate().all(|(id, seen)| seen.header("x-id") == id.to_string()));
}

#[tokio::test]
async fn a_short_put_is_sent_again_with_its_body_and_a_long_one_is_not() {
    let (bad, good) = (always(vec![Step::Body, Step::Reset]).await, good().await);
    let edge = Edge::new(balanced(&[bad.address, good.address]).0);
    let mut long = 0;
    for length in [5, 5, 100_000, 100_000] {
        let body = "x".repeat(length);
        let request = format!(
            "PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let reply = Reply::to("PUT", &edge.raw(request).await);
        if length == 5 {
            reply.assert_ok("good");
            assert_eq!(good.seen().last().unwrap().body, body.as_bytes());
        } else {
            long += usize::from(reply.status == 502);
        }
    }
    assert!(long >= 1 && bad.seen().len() >= 2, "{long}");
}

#[tokio::test]
async fn a_bad_response_is_not_tried_again() {
    let bad = always(vec![send("garbage\r\n\r\n"), Step::Close]).await;
    let edge = Edge::new(balanced(&[bad.address, bad.address]).0);
    edge.get("/").await.assert_failed(502, INVALID, "bad_response");
    assert_eq!(bad.seen().len(), 1);
}

/// Serves one answer a connection and closes, with an answer that promises to stay open.
fn leaves(seen: &common::scripted::Seen) -> Script {
    let mut script = ok("good");
    if seen.request > 0 {
        script.clear();
    }
    script.push(Step::Close);
    script
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_nobodys_failure() {
    let upstream = Scripted::start(leaves).await;
    let mut service = service(upstream.address);
    service.retries = 0;
    let edge = Edge::new(config(service));
    for _ in 0..20 {
        edge.get("/").await.assert_ok("good");
        sleep(Duration::from_millis(30)).await;
        // Closed for sure by now: nothing has been written, so a POST goes out again as well.
        edge.post("/", "", "hello").await.assert_ok("good");
        sleep(Duration::from_millis(30)).await;
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (40, 40));
}

#[tokio::test]
async fn the_keep_alive_race_costs_no_get() {
    // Each connection serves some answers, and is closed at about the time of the next request.
    let upstream = Scripted::start(|seen| {
        let lives = 1 + (seen.connection * 7) % 5;
        let mut script = if seen.request < lives { ok("good") } else { Vec::new() };
        if seen.request + 1 >= lives {
            script.push(Step::Close);
        }
        script
    })
    .await;
    let mut service = service(upstream.address);
    service.retries = 0;
    let edge = Arc::new(Edge::new(config(service)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let edge = Arc::clone(&edge);
        tasks.spawn(async move {
            let mut client = edge.connect().await;
            for _ in 0..250 {
                client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
                Reply::to("GET", &read_until(&mut client, b"\r\n\r\ngood").await).assert_ok("good");
            }
        });
    }
    tasks.join_all().await;
    assert!(upstream.seen().len() >= 2_000 && upstream.connections() > 300, "{}", upstream.connections());
}

#[tokio::test]
async fn a_killed_target_costs_no_get_and_no_post_twice() {
    // Two of three upstreams misbehave from the start of a request on: one resets, one hangs.
    let hung = Scripted::start(|seen| match seen.method() {
        "GET" => vec![Step::Hang],
        _ => ok("good"),
    })
    .await;
    let killed = Scripted::start(|seen| match seen.connection % 2 {
        0 => vec![Step::Reset],
        _ => ok("good"),
    })
    .await;
    let good = good().await;
    let targets = [hung.address, killed.address, good.address];
    let edge = Arc::new(Edge::new(balanced_with(&targets, |service| service.read_timeout = 1_500).0));
    let failed = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..10 {
        let (edge, failed) = (Arc::clone(&edge), Arc::clone(&failed));
        tasks.spawn(async move {
            for id in 0..6 {
                edge.get("/").await.assert_ok("good");
                let reply = edge.post("/", &format!("x-id: {worker}-{id}\r\n"), "hello").await;
                if reply.status != 200 {
                    failed.fetch_add(1, Relaxed);
                }
            }
        });
    }
    tasks.join_all().await;
    let mut times = HashMap::<String, usize>::new();
    for seen in hung.seen().into_iter().chain(killed.seen()).chain(good.seen()) {
        if seen.method() == "POST" {
            *times.entry(seen.header("x-id").to_owned()).or_default() += 1;
        }
    }
    assert!(times.len() == 60 && times.values().all(|times| *times == 1), "{times:?}");
    let resets =
        killed.seen().iter().filter(|seen| seen.method() == "POST" && seen.connection % 2 == 0).count();
    assert_eq!(failed.load(Relaxed), resets);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_504() {
    // A listener that never accepts, with its queue full: the handshake gets no answer.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(tokio::spawn(tokio::net::TcpStream::connect(address)));
    }
    sleep(Duration::from_millis(50)).await;
    let mut service = service(address);
    (service.retries, service.connect_timeout) = (1, 150);
    let reply = Edge::new(config(service)).get("/").await;
    reply.assert_failed(504, TIMING_OUT, "connect_timeout");
}

#[tokio::test]
async fn an_upstream_that_takes_no_body_is_504_write_timeout() {
    let upstream = always(vec![Step::Wait(Duration::from_secs(5))]).await;
    let mut service = service(upstream.address);
    (service.write_timeout, service.read_timeout) = (200, 300);
    let edge = Edge::new(config(service));
    let mut client = edge.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = client.into_split();
    let feeding = tokio::spawn(async move { while writing.write_all(&[b'x'; 65536]).await.is_ok() {} });
    let read = read_until(&mut reading, b"write_timeout").await;
    assert!(read.starts_with(b"HTTP/1.1 504 "), "{}", String::from_utf8_lossy(&read));
    feeding.abort();
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_read_timeout_is_tried_again_where_the_method_allows() {
    let (hung, good) = (always(vec![Step::Body, Step::Hang]).await, good().await);
    let targets = [hung.address, good.address];
    let edge = Edge::new(balanced_with(&targets, |service| service.read_timeout = 1_500).0);
    for _ in 0..4 {
        edge.get("/").await.assert_ok("good");
    }
    let gets = hung.seen().len();
    assert!((2..=4).contains(&gets), "{gets}");
    let mut failed = 0;
    for _ in 0..4 {
        let reply = edge.post("/", "", "hello").await;
        if reply.status != 200 {
            reply.assert_failed(504, TIMING_OUT, "read_timeout");
            failed += 1;
        }
    }
    assert_eq!((failed, hung.seen().len()), (2, gets + 2));
}

#[tokio::test]
async fn weights_come_out_as_a_smooth_pattern() {
    let order = Arc::new(Mutex::new(String::new()));
    let named = |name: char| {
        let order = Arc::clone(&order);
        Scripted::on(std_listener(), move |_| {
            order.lock().unwrap().push(name);
            ok("good")
        })
    };
    let (a, b) = (named('a'), named('b'));
    let (config, upstream) = balanced(&[b.address]);
    let mut heavy = gateway_core::config::Target::new(&upstream, &a.address.to_string());
    heavy.weight = 300;
    let edge = Edge::new(config.with(heavy));
    for _ in 0..8 {
        edge.get("/").await.assert_ok("good");
    }
    let order = order.lock().unwrap().clone();
    assert_eq!(
        (order.matches('a').count(), order.contains("bb"), order.contains("aaaa")),
        (6, false, false),
        "{order}"
    );
}

fn std_listener() -> TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    TcpListener::from_std(listener).unwrap()
}
