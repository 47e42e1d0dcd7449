//! Bodies on their way through: streamed with back-pressure, framed for each hop, and the client's own faults
//! (compat P31, P35; D16, D18; docs/threat-model.md, 3).
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
    BOUND, Edge, Reply, Scripted, Step, config, eventually, read_until, route,
    scripted::{ok, send},
    service,
};
use gateway_core::config::{Config, Plugin};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const BIG: usize = 256 << 20;
/// What the sockets of both hops may hold at the most, and room to spare.
const BOUNDED: usize = 64 << 20;

/// A service whose requests are not read ahead.
fn streaming(upstream: &Scripted) -> Config {
    let service = service(upstream.address);
    let mut route = route(&service);
    route.request_buffering = false;
    Config::default().with(service).with(route)
}

/// Writes `size` bytes and counts them.
async fn pour(stream: &mut (impl tokio::io::AsyncWrite + Unpin), size: usize, count: &AtomicUsize) {
    let block = vec![b'x'; 64 << 10];
    for _ in 0..size / block.len() {
        if stream.write_all(&block).await.is_err() {
            return;
        }
        count.fetch_add(block.len(), Relaxed);
    }
}

/// The count once it stands still.
async fn settled(count: &AtomicUsize) -> usize {
    loop {
        let before = count.load(Relaxed);
        sleep(Duration::from_millis(200)).await;
        if before > 0 && count.load(Relaxed) == before {
            return before;
        }
    }
}

#[tokio::test]
async fn a_slow_reader_holds_back_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let edge = Edge::new(config(service(listener.local_addr().unwrap())));
    let poured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&poured);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, b"\r\n\r\n").await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BIG}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        pour(&mut stream, BIG, &count).await;
    });
    let mut client = edge.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let held = timeout(BOUND, settled(&poured)).await.unwrap();
    assert!(held < BOUNDED, "{held}");
    let head = read_until(&mut client, b"\r\n\r\n").await;
    let at = head.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let rest = drain(&mut client).await;
    assert_eq!(head.len() - at + rest, BIG);
}

async fn drain(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> usize {
    let (mut buffer, mut count) = (vec![0; 256 << 10], 0);
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        count += length;
    }
    count
}

#[tokio::test]
async fn a_slow_upstream_holds_back_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let edge = Edge::new(config(service(listener.local_addr().unwrap())));
    let client = edge.connect().await;
    let (mut reading, mut writing) = client.into_split();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {BIG}\r\n\r\n");
    writing.write_all(head.as_bytes()).await.unwrap();
    let poured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&poured);
    tokio::spawn(async move {
        pour(&mut writing, BIG, &count).await;
        // The connection stays open for the answer.
        std::future::pending::<()>().await;
    });
    let (mut upstream, _) = listener.accept().await.unwrap();
    let held = timeout(BOUND, settled(&poured)).await.unwrap();
    assert!(held < BOUNDED, "{held}");
    let head = read_until(&mut upstream, b"\r\n\r\n").await;
    let at = head.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut left = BIG - (head.len() - at);
    let mut buffer = vec![0; 256 << 10];
    while left > 0 {
        left -= upstream.read(&mut buffer).await.unwrap();
    }
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    let reply = Reply::to("POST", &read_until(&mut reading, b"\r\n\r\nok").await);
    reply.assert_ok("ok");
}

#[tokio::test]
async fn a_client_that_waits_for_100_gets_it_and_the_upstream_sees_no_expectation() {
    let upstream = Scripted::start(|_| ok("good")).await;
    for config in [config(service(upstream.address)), streaming(&upstream)] {
        let edge = Edge::new(config);
        let mut client = edge.connect().await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        let interim = read_until(&mut client, b"\r\n\r\n").await;
        assert!(interim.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&interim));
        client.write_all(b"hello").await.unwrap();
        Reply::to("POST", &read_until(&mut client, b"\r\n\r\ngood").await).assert_ok("good");
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((seen.header("expect"), seen.body.as_slice()), ("", &b"hello"[..]));
    }
}

#[tokio::test]
async fn compat_p25_a_client_that_waits_for_100_with_too_much_is_417() {
    let upstream = Scripted::start(|_| ok("never")).await;
    let limit = serde_json::json!({ "allowed_payload_size": 4, "size_unit": "bytes" });
    let edge = Edge::new(config(service(upstream.address)).with(Plugin::new("request-size-limiting", limit)));
    for (expect, status) in [("expect: 100-continue\r\n", 417), ("", 413)] {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{expect}content-length: 5\r\n\r\n");
        let mut client = edge.connect().await;
        client.write_all(head.as_bytes()).await.unwrap();
        let read = read_until(&mut client, b"Request size limit exceeded").await;
        let line = format!("HTTP/1.1 {status} ");
        assert!(read.starts_with(line.as_bytes()), "{}", String::from_utf8_lossy(&read));
    }
    assert!(upstream.seen().is_empty());
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn deviation_18_a_short_chunked_body_goes_out_with_its_length() {
    let upstream = Scripted::start(|_| ok("good")).await;
    let edge = Edge::new(config(service(upstream.address)));
    let raw = edge.raw(format!("{CHUNKED}5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")).await;
    Reply::to("POST", &raw).assert_ok("good");
    let seen = upstream.seen().pop().unwrap();
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), ("6", ""));
    assert_eq!(seen.body, b"hello!");
}

#[tokio::test]
async fn deviation_18_a_long_one_streams_and_so_does_one_that_is_not_buffered() {
    let upstream = Scripted::start(|_| ok("good")).await;
    let long = "x".repeat(100_000);
    let size = format!("{:x}", long.len());
    let raw = Edge::new(config(service(upstream.address)))
        .raw(format!("{CHUNKED}{size}\r\n{long}\r\n0\r\n\r\n"))
        .await;
    Reply::to("POST", &raw).assert_ok("good");
    let raw = Edge::new(streaming(&upstream)).raw(format!("{CHUNKED}5\r\nhello\r\n0\r\n\r\n")).await;
    Reply::to("POST", &raw).assert_ok("good");
    for seen in upstream.seen() {
        assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), ("", "chunked"));
    }
    assert_eq!(upstream.seen()[1].body, b"5\r\nhello\r\n0\r\n\r\n");
}

#[tokio::test]
async fn without_buffering_the_upstream_sees_the_head_before_the_body() {
    let upstream = Scripted::start(|_| ok("good")).await;
    let edge = Edge::new(streaming(&upstream));
    let mut client = edge.connect().await;
    client.write_all(CHUNKED.as_bytes()).await.unwrap();
    eventually("the head is there", || upstream.seen().len() == 1).await;
    client.write_all(b"5\r\nhello\r\n0\r\n\r\n").await.unwrap();
    Reply::to("POST", &common::until_closed(&mut client).await).assert_ok("good");
}

#[tokio::test]
async fn request_trailers_arrive() {
    let upstream = Scripted::start(|_| ok("good")).await;
    for config in [config(service(upstream.address)), streaming(&upstream)] {
        let request = CHUNKED.replace("\r\n\r\n", "\r\ntrailer: x-sum\r\n\r\n");
        let raw = Edge::new(config)
            .raw(format!("{request}5\r\nhello\r\n0\r\nx-sum: 7\r\nhost: evil\r\n\r\n"))
            .await;
        Reply::to("POST", &raw).assert_ok("good");
        let body = String::from_utf8(upstream.seen().pop().unwrap().body).unwrap();
        assert!(body.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{body:?}");
    }
}

#[tokio::test]
async fn response_trailers_reach_a_client_that_takes_them() {
    let answer = "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
                  5\r\nhello\r\n0\r\nx-sum: 7\r\nset-cookie: evil\r\n\r\n";
    let upstream = Scripted::start(move |_| vec![send(answer)]).await;
    let edge = Edge::new(config(service(upstream.address)));
    let asking = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close, te\r\nte: trailers\r\n\r\n";
    let reply = Reply::to("GET", &edge.raw(asking).await);
    reply.assert_ok("hello");
    assert_eq!((reply.trailers.len(), reply.trailers["x-sum"].to_str().unwrap()), (1, "7"));
    let reply = edge.get("/").await;
    reply.assert_ok("hello");
    assert!(reply.trailers.is_empty());
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length_and_the_connection() {
    let upstream = Scripted::start(|seen| match (seen.method(), seen.path()) {
        ("HEAD", _) => vec![send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")],
        (_, "/204") => vec![send("HTTP/1.1 204 No Content\r\n\r\n")],
        (_, "/304") => vec![send("HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 5\r\n\r\n")],
        _ => ok("good"),
    })
    .await;
    let edge = Edge::new(config(service(upstream.address)));
    let head = edge.ask("HEAD", "/").await;
    assert_eq!((head.status, head.header("content-length"), head.rest.len()), (200, "5", 0));
    assert_eq!(edge.get("/204").await.status, 204);
    let unchanged = edge.get("/304").await;
    assert_eq!((unchanged.status, unchanged.header("etag"), unchanged.rest.len()), (304, "\"x\"", 0));
    edge.get("/").await.assert_ok("good");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_body_it_can_read() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/chunked" => {
            vec![send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n")]
        }
        _ => ok("good"),
    })
    .await;
    let edge = Edge::new(config(service(upstream.address)));
    for path in ["/", "/chunked"] {
        let raw = edge.raw(format!("GET {path} HTTP/1.0\r\nhost: a\r\n\r\n")).await;
        let text = String::from_utf8(raw).unwrap();
        assert!(text.contains(" 200 OK\r\n") && text.ends_with("\r\n\r\ngood"), "{text}");
        assert!(!text.contains("chunked"), "{text}");
    }
    assert!(upstream.seen().iter().all(|seen| seen.head.contains(" HTTP/1.1\r\n")));
}

#[tokio::test]
async fn a_client_that_breaks_its_framing_is_400_and_no_fault_of_the_upstreams() {
    let upstream =
        Scripted::start(|seen| if seen.path() == "/canary" { ok("canary") } else { ok("never") }).await;
    for config in [config(service(upstream.address)), streaming(&upstream)] {
        let edge = Edge::new(config);
        for broken in ["5\r\nhello\r\nzz\r\n", "5\r\nhello!!\r\n", "-1\r\nhello\r\n0\r\n\r\n"] {
            let mut client = edge.connect().await;
            client.write_all(format!("{CHUNKED}{broken}").as_bytes()).await.unwrap();
            let reply = Reply::to("POST", &common::until_closed(&mut client).await);
            assert_eq!(
                (reply.status, reply.header("x-gateway-reason")),
                (400, "bad_request_body"),
                "{reply:?}"
            );
            edge.get("/canary").await.assert_ok("canary");
        }
    }
    assert!(upstream.seen().iter().all(|seen| seen.path() == "/canary" || seen.body.is_empty()));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_frees_the_upstream() {
    let upstream =
        Scripted::start(|seen| if seen.path() == "/canary" { ok("canary") } else { ok("never") }).await;
    let edge = Edge::new(streaming(&upstream));
    for _ in 0..3 {
        let count = upstream.seen().len();
        let mut client = edge.connect().await;
        client.write_all(format!("{CHUNKED}5\r\nhello\r\n").as_bytes()).await.unwrap();
        eventually("the head is there", || upstream.seen().len() > count).await;
        drop(client);
        eventually("the upstream is free", || upstream.open() == 0).await;
    }
    edge.get("/canary").await.assert_ok("canary");
    assert!(upstream.seen().iter().all(|seen| seen.body.is_empty()));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_answer_frees_the_upstream() {
    let endless = vec![
        send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        Step::Flood(format!("1000\r\n{}\r\n", "x".repeat(4096)).into_bytes()),
    ];
    let upstream = Scripted::start(move |_| endless.clone()).await;
    let edge = Edge::new(config(service(upstream.address)));
    let mut client: TcpStream = edge.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut client, b"xxxx").await;
    drop(client);
    eventually("the upstream is free", || upstream.open() == 0).await;
}
