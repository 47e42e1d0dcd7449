//! A stop loses no request, and ends in time whatever the clients do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_core::{
    Body, ConnectInfo,
    server::{Phase, Serve, Settings},
};
use http::{Request, Response};
use server_kit::{
    Client, TestServer, frame, head, hello_http2, http2_client, request, settings, start, tester,
};
use tokio::{net::TcpStream, sync::watch, time::timeout};

fn with_grace(grace: Duration) -> Settings {
    let mut settings = settings();
    settings.grace = grace;
    settings
}

/// Answers when it may, and not before.
fn held(go: watch::Receiver<bool>) -> impl Serve {
    move |_: &Arc<ConnectInfo>, _: Request<Body>| {
        let mut go = go.clone();
        async move {
            go.wait_for(|go| *go).await.unwrap();
            Response::new(Body::from("hello"))
        }
    }
}

/// Lets what is held be answered; only after the linger, with which idle connections go.
async fn release(go: &watch::Sender<bool>, linger: Duration) {
    tokio::time::sleep(linger + Duration::from_millis(200)).await;
    go.send(true).unwrap();
}

async fn ended(mut server: TestServer, within: Duration) {
    timeout(within, server.running.finished()).await.expect("the server does not end");
    assert_eq!(server.drain().connections(), 0);
}

#[tokio::test]
async fn http1_requests_in_flight_are_answered_and_told_to_close() {
    // Nothing is answered before all are seen: to connect so many may take any time.
    let (go, gone) = watch::channel(false);
    let settings = with_grace(Duration::from_secs(20));
    let linger = settings.timeouts.linger;
    let server = start(settings, held(gone));
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = server.connect().await;
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        clients.push(client);
    }
    server.eventually(|snapshot| snapshot.writing == 50).await;
    server.drain().begin();
    release(&go, linger).await;
    for mut client in clients {
        let (read, _) = client.until_closed().await;
        let read = String::from_utf8(read).unwrap();
        assert!(read.starts_with("HTTP/1.1 200 ") && read.ends_with("hello"), "{read}");
        assert!(read.contains("connection: close\r\n"), "{read}");
    }
    ended(server, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn idle_connections_close_at_once_and_new_ones_are_refused() {
    let server = start(settings(), tester());
    let mut idle = server.connect().await;
    idle.get("/").await;
    let mut silent = server.connect().await;
    let mut http2 = server.connect().await;
    http2.send([hello_http2(&[]), head(1, "GET", "/", true)].concat()).await;
    server.eventually(|snapshot| snapshot.waiting == 2 && snapshot.active == 3).await;
    server.drain().begin();
    assert_eq!(idle.until_closed().await.0, b"");
    assert_eq!(silent.until_closed().await.0, b"");
    let (read, took) = http2.until_closed().await;
    assert_eq!(server_kit::goaway(&read), Some(0));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let address = server.address;
    ended(server, Duration::from_secs(2)).await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_head_that_has_begun_may_end() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    client.get("/").await;
    client.send("GET / HTTP/1.1\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.drain().begin();
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.send("host: a\r\n\r\n").await;
    let read = String::from_utf8(client.until_closed().await.0).unwrap();
    assert!(read.starts_with("HTTP/1.1 200 ") && read.ends_with("hello"), "{read}");
}

#[tokio::test]
async fn http2_streams_in_flight_end_and_the_connection_gets_two_goaways() {
    let mut settings = with_grace(Duration::from_secs(20));
    // The PING has to be answered in time, while the other client's answers are read.
    let linger = Duration::from_secs(2);
    settings.timeouts.linger = linger;
    let (go, gone) = watch::channel(false);
    let server = start(settings, held(gone));
    let client = http2_client(server.connect().await.0).await;
    let answers: Vec<_> = (0..20)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                client.ready().await.unwrap();
                let answer = client.send_request(request("/slow")).await.unwrap();
                server_kit::status_and_len(answer).await
            })
        })
        .collect();
    let mut raw = server.connect().await;
    raw.send([hello_http2(&[]), frame(4, 1, 0, &[]), head(1, "GET", "/slow", true)].concat()).await;
    server.eventually(|snapshot| snapshot.requests == 21).await;
    server.drain().begin();
    release(&go, linger).await;
    let last_streams = two_goaways(&mut raw).await;
    assert_eq!(last_streams, [0x7fff_ffff, 1]);
    for answer in answers {
        assert_eq!(answer.await.unwrap(), (http::StatusCode::OK, 5));
    }
    // The server waits so long for its client to close as well.
    drop(raw);
    ended(server, Duration::from_secs(4)).await;
}

/// Answers the PING between the two GOAWAYs (RFC 9113 6.8); gives their last streams.
async fn two_goaways(client: &mut Client) -> Vec<u32> {
    let mut read = Vec::new();
    loop {
        client.0.readable().await.unwrap();
        match client.0.try_read_buf(&mut read) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        }
        for (kind, flags, _, payload) in server_kit::frames(&read) {
            if (kind, flags) == (6, 0) {
                client.try_send(frame(6, 1, 0, &payload)).await;
            }
        }
    }
    let frames = server_kit::frames(&read);
    let data: Vec<u8> =
        frames.iter().filter(|(kind, ..)| *kind == 0).flat_map(|(.., data)| data.clone()).collect();
    assert_eq!(data, b"hello");
    let goaways = frames.iter().filter(|(kind, ..)| *kind == 7);
    goaways.map(|(.., payload)| u32::from_be_bytes(payload[..4].try_into().unwrap())).collect()
}

#[tokio::test]
async fn tunnels_live_until_the_grace_ends() {
    let server = start(with_grace(Duration::from_secs(2)), tester());
    let mut tunnel = server.connect().await;
    tunnel.send("GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
    assert!(tunnel.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    let begin = Instant::now();
    server.drain().begin();
    tunnel.send("ping").await;
    tunnel.read_until("ping").await;
    assert_eq!(server.drain().connections(), 1);
    tunnel.until_closed().await;
    assert!(begin.elapsed() >= Duration::from_millis(1_950), "{:?}", begin.elapsed());
    ended(server, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_after_the_grace() {
    let server = start(with_grace(Duration::from_millis(200)), tester());
    let mut client = server.connect().await;
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server.eventually(|snapshot| snapshot.writing == 1).await;
    let begin = Instant::now();
    server.drain().begin();
    assert_eq!(client.until_closed().await.0, b"");
    assert!((200..1_200).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    ended(server, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_second_signal_hurries() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut http2 = server.connect().await;
    http2.send([hello_http2(&[]), head(1, "GET", "/never", true)].concat()).await;
    server.eventually(|snapshot| snapshot.writing == 2).await;
    let drain = server.drain();
    drain.signal();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((drain.phase(), drain.connections()), (Phase::Draining, 2));
    drain.signal();
    client.until_closed().await;
    http2.until_closed().await;
    ended(server, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn nothing_that_was_accepted_is_lost_under_load() {
    let mut settings = with_grace(Duration::from_secs(20));
    // The clients share the processors with the server, and may be late.
    settings.timeouts.linger = Duration::from_secs(3);
    let server = start(settings, tester());
    let clients: Vec<_> = (0..32).map(|_| tokio::spawn(ask_until_told_to_close(server.address))).collect();
    server.eventually(|snapshot| snapshot.requests > 1_000).await;
    server.drain().begin();
    for client in clients {
        client.await.unwrap();
    }
    ended(server, Duration::from_secs(5)).await;
}

/// Asks over and over on one connection, as soon as it has an answer: each request is answered until
/// one answer says that it was the last.
async fn ask_until_told_to_close(address: std::net::SocketAddr) {
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    while !client.get("/").await.contains("connection: close") {}
}

#[tokio::test]
async fn requests_on_connections_just_made_are_answered() {
    let mut settings = with_grace(Duration::from_secs(20));
    // One request comes after the other, and all have to be in time.
    settings.timeouts.linger = Duration::from_secs(3);
    let server = start(settings, tester());
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(server.connect().await);
    }
    server.drain().begin();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for mut client in clients {
        assert!(client.get("/").await.contains("connection: close"));
    }
    ended(server, Duration::from_secs(2)).await;
}
