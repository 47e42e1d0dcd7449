//! The end of a gateway's life: what has been accepted is answered, what is idle goes, what is new is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/frames.rs"]
mod frames;
#[path = "common/wire/mod.rs"]
mod wire;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use frames::Frames;
use futures_util::{SinkExt, StreamExt};
use gateway_core::{
    config::{Config, Route, Service},
    server::Phase,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};
use wire::{Client, Edge, PATIENCE, Setup, Upstream, eventually, everything_to};

/// An edge that gives what runs this long once it is told to stop.
fn start(upstream: &Upstream, grace: Duration) -> Edge {
    let mut setup = Setup::new(everything_to(upstream));
    setup.server.grace = grace;
    setup.start()
}

/// A service for `/slow`, which answers no request before it may; and how many have come.
async fn held(go: watch::Receiver<bool>) -> (Service, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut service = Service::new("slow", "127.0.0.1");
    service.port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mut go, count) = (go.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let (mut stream, mut head) = (BufReader::new(stream), String::new());
                while !head.ends_with("\r\n\r\n") {
                    assert_ne!(stream.read_line(&mut head).await.unwrap(), 0, "closed after {head:?}");
                }
                count.fetch_add(1, Ordering::SeqCst);
                go.wait_for(|go| *go).await.unwrap();
                stream.write_all(&wire::ok(head.split(' ').nth(1).unwrap())).await.unwrap();
            });
        }
    });
    (service, count)
}

/// Waits for the end of the server; gives how long that took since `begin`.
async fn ends(mut edge: Edge, begin: Instant) -> Duration {
    timeout(PATIENCE, edge.running.finished()).await.expect("the server ends");
    begin.elapsed()
}

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_close() {
    let upstream = Upstream::echo().await;
    // They are answered when all is seen to be under way: to connect so many may take any time.
    let (go, gone) = watch::channel(false);
    let (service, slow) = held(gone).await;
    let mut route = Route::new("slow").to(&service);
    (route.paths, route.strip_path) = (Some(vec!["/slow".into()]), false);
    let mut setup = Setup::new(everything_to(&upstream).with(service).with(route));
    setup.server.grace = Duration::from_secs(20);
    let edge = setup.start();
    let mut busy = Vec::new();
    for number in 0..20 {
        let mut client = edge.client().await;
        client.send(format!("GET /slow/{number} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        busy.push(client);
    }
    let mut idle = Vec::new();
    for _ in 0..10 {
        let mut client = edge.client().await;
        assert_eq!(client.get("/x").await.unwrap().status, 200);
        idle.push(client);
    }
    let mut half = edge.client().await;
    half.send("GET /half HTTP/1.1\r\nhost: a\r\n").await;
    let mut upload = edge.client().await;
    upload.send("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await;
    let mut silent = edge.client().await;
    eventually("twenty requests upstream", || slow.load(Ordering::SeqCst) == 20).await;
    eventually("an upload", || edge.running.snapshot().writing == 21 && edge.running.snapshot().active == 33)
        .await;

    let began = Instant::now();
    edge.running.drain().begin();
    for mut client in idle {
        assert_eq!(client.closes().await.unwrap(), b"");
    }
    // A client that has just been answered may be asking again: it is given the linger, 500 ms, and no more.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    half.send("\r\n").await;
    upload.send("def").await;
    for (path, mut client) in [("/half", half), ("/upload", upload)] {
        let answer = client.answer().await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.field("connection")),
            (200, path, Some("close"))
        );
        assert_eq!(client.closes().await.unwrap(), b"");
    }
    go.send(true).unwrap();
    for (number, mut client) in busy.into_iter().enumerate() {
        let answer = client.answer().await.expect("an answer");
        assert_eq!((answer.status, &answer.body), (200, &format!("/slow/{number}")));
        assert_eq!(answer.field("connection"), Some("close"));
        assert_eq!(client.closes().await.unwrap(), b"");
    }
    // One that has not said a word is given a moment, as its first request may be on its way.
    assert_eq!(silent.closes().await.unwrap(), b"");
    assert!(TcpStream::connect(edge.address).await.is_err(), "nobody listens any more");
    let took = ends(edge, Instant::now()).await;
    assert!(took < Duration::from_secs(1), "with the last request, long before the grace");
    assert_eq!(slow.load(Ordering::SeqCst), 20);
    assert_eq!(upstream.take().iter().filter(|seen| !seen.broken).count(), 12);
}

#[tokio::test]
async fn nothing_that_was_accepted_is_lost() {
    let upstream = Upstream::echo().await;
    let edge = start(&upstream, Duration::from_secs(5));
    let address = edge.address;
    let clients: Vec<_> = (0..16)
        .map(|number| {
            tokio::spawn(async move {
                let (mut answered, mut client) = (0, Client::connect(address).await);
                loop {
                    let path = format!("/{number}/{answered}");
                    match client.get(&path).await {
                        Some(answer) => assert_eq!((answer.status, answer.body), (200, path)),
                        // Closed between two requests: the client may say it again elsewhere.
                        None => return answered,
                    }
                    answered += 1;
                }
            })
        })
        .collect();
    eventually("load", || upstream.count() > 500).await;
    edge.running.drain().begin();
    let mut answered = 0;
    for client in clients {
        answered += timeout(PATIENCE, client).await.unwrap().unwrap();
    }
    ends(edge, Instant::now()).await;
    assert_eq!(answered, upstream.count(), "what went upstream came back, and nothing else");
}

/// Frames until the connection ends: GOAWAYs (last stream, code), and the streams whose answer ended.
async fn rest(client: &mut Frames) -> (Vec<(u32, u32)>, Vec<u32>) {
    let (mut goaways, mut ended) = (Vec::new(), Vec::new());
    while let Some((kind, stream, payload)) = client.frame().await {
        match kind {
            0 => ended.push(stream),
            // A ping is to be answered: the second GOAWAY waits for it (RFC 9113 section 6.8).
            6 => drop(client.ping_back(&payload).await),
            7 => goaways.push((
                u32::from_be_bytes(payload[..4].try_into().unwrap()),
                u32::from_be_bytes(payload[4..8].try_into().unwrap()),
            )),
            _ => {}
        }
    }
    (goaways, ended)
}

#[tokio::test]
async fn http_2_is_told_twice_and_its_streams_finish() {
    let upstream = Upstream::echo().await;
    let edge = start(&upstream, Duration::from_secs(5));
    let head = |path: &'static [u8]| -> Vec<(&'static str, &'static [u8])> {
        vec![(":method", b"GET"), (":scheme", b"http"), (":authority", b"a"), (":path", path)]
    };
    let mut client = Frames::connect(edge.address).await;
    for stream in [1, 3, 5] {
        client.send(stream, &head(b"/slow"), None).await;
    }
    eventually("three requests upstream", || upstream.count() == 3).await;
    edge.running.drain().begin();
    // What was under way when the first GOAWAY went out is served too.
    client.send(7, &head(b"/slow/late"), None).await;
    let (goaways, mut ended) = rest(&mut client).await;
    ended.sort_unstable();
    assert_eq!(ended, [1, 3, 5, 7]);
    assert_eq!(goaways, [(0x7fff_ffff, 0), (7, 0)], "two steps, without an error");
    assert!(ends(edge, Instant::now()).await < Duration::from_secs(2));
}

#[tokio::test]
async fn websockets_go_on_until_the_grace_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut service = Service::new("socket", "127.0.0.1");
    service.port = listener.local_addr().unwrap().port();
    let upstream = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|frame| frame.code);
            }
            socket.send(message).await.unwrap();
        }
        None
    });
    let mut route = Route::new("socket").to(&service);
    route.paths = Some(vec!["/".into()]);
    let grace = Duration::from_secs(2);
    let mut setup = Setup::new(Config::default().with(service).with(route));
    setup.server.grace = grace;
    let edge = setup.start();
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{}/socket", edge.address), stream).await.unwrap();
    let began = Instant::now();
    edge.running.drain().begin();
    let (mut messages, mut goodbye) = (0, None);
    // The server has to be waited for by somebody, as a program does.
    let ended = tokio::spawn(ends(edge, began));
    while socket.send("still there".into()).await.is_ok() {
        match timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(message)) if message.is_text() => messages += 1,
            Some(Ok(Message::Close(frame))) => {
                goodbye = frame.map(|frame| frame.code);
                break;
            }
            _ => break,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lived = began.elapsed();
    assert_eq!(goodbye, Some(CloseCode::Away));
    assert_eq!(upstream.await.unwrap(), Some(CloseCode::Away));
    assert!(
        messages > 10 && lived >= grace && lived < grace + Duration::from_secs(1),
        "{messages} in {lived:?}"
    );
    assert!(ended.await.unwrap() < grace + Duration::from_secs(1));
}

#[tokio::test]
async fn the_grace_is_a_limit_and_a_second_signal_is_at_once() {
    let upstream =
        Upstream::start(|seen| if seen.target() == "/never" { Vec::new() } else { wire::ok("x") }).await;
    for hurried in [false, true] {
        let grace = Duration::from_millis(if hurried { 60_000 } else { 300 });
        let edge = start(&upstream, grace);
        let mut client = edge.client().await;
        client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
        eventually("a request upstream", || upstream.count() == 1).await;
        upstream.take();
        let drain = edge.running.drain().clone();
        let began = Instant::now();
        drain.signal();
        assert_eq!(drain.phase(), Phase::Draining);
        if hurried {
            drain.signal();
            assert_eq!(drain.phase(), Phase::Stopped);
        }
        let took = ends(edge, began).await;
        assert!(took < Duration::from_millis(1_300) && (hurried || took >= grace), "{took:?}");
        assert!(client.answer().await.is_none());
        eventually("an end upstream", || upstream.open() == 0).await;
    }
}
