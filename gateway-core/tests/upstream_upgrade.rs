//! WebSockets through the gateway (RFC 6455, RFC 9110 7.8; docs/threat-model.md, W1).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{
    BOUND, Edge, Reply, Scripted, Step, balanced_with, eventually, read_until,
    scripted::{last, ok, send},
    until_closed,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// The handshake of RFC 6455 section 1.3.
const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A gateway in front of `upstream`, and the count of its only endpoint.
fn edge(upstream: std::net::SocketAddr, read_timeout: u32) -> (Edge, impl Fn() -> usize) {
    let (config, entity) = balanced_with(&[upstream], |service| service.read_timeout = read_timeout);
    let edge = Edge::new(config);
    let gateway = edge.gateway.clone();
    let in_flight = move || {
        let snapshot = gateway.snapshot();
        snapshot.upstream(entity.id).unwrap().endpoints().iter().map(|endpoint| endpoint.in_flight()).sum()
    };
    (edge, in_flight)
}

/// Sends every message back, and closes as it is told; speaks `chat.v2`.
async fn mirror() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(reflect(stream));
        }
    });
    address
}

#[expect(clippy::result_large_err, reason = "as the crate's callback wants it")]
fn pick_protocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    assert_eq!(request.headers()["sec-websocket-protocol"], "chat.v1, chat.v2");
    response.headers_mut().insert("sec-websocket-protocol", "chat.v2".parse().unwrap());
    Ok(response)
}

async fn reflect(stream: TcpStream) {
    let mut socket = accept_hdr_async(stream, pick_protocol).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && message.to_text().unwrap() == "leave" {
            let frame = CloseFrame { code: CloseCode::Library(4001), reason: "as asked".into() };
            let _ = socket.close(Some(frame)).await;
        } else if message.is_text() || message.is_binary() {
            socket.send(message).await.unwrap();
        }
    }
}

async fn open(edge: &Edge) -> WebSocketStream<TcpStream> {
    let mut request = "ws://a.example/chat".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "chat.v1, chat.v2".parse().unwrap());
    let (socket, response) = client_async(request, edge.connect().await).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v2");
    socket
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    timeout(BOUND, socket.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn messages_of_every_size_go_both_ways_and_the_endpoint_counts_the_tunnel() {
    let (edge, in_flight) = edge(mirror().await, 5_000);
    let mut socket = open(&edge).await;
    for size in [0, 1, 125, 126, 65_536, 4 << 20] {
        let message = Message::binary(vec![b'x'; size]);
        let (mut sink, mut stream) = socket.split();
        let (sent, got) = tokio::join!(sink.send(message.clone()), timeout(BOUND, stream.next()));
        sent.unwrap();
        assert!(got.unwrap().unwrap().unwrap() == message, "{size} bytes");
        socket = sink.reunite(stream).unwrap();
        assert_eq!(in_flight(), 1);
    }
    drop(socket);
    eventually("the tunnel ends", || in_flight() == 0).await;
}

#[tokio::test]
async fn close_codes_arrive_from_both_sides() {
    let (edge, in_flight) = edge(mirror().await, 5_000);
    let mut socket = open(&edge).await;
    socket.send(Message::text("leave")).await.unwrap();
    let Message::Close(Some(frame)) = next(&mut socket).await else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, "as asked"));
    drop(socket);

    let mut socket = open(&edge).await;
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).await.unwrap();
    let Message::Close(Some(frame)) = next(&mut socket).await else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Away);
    drop(socket);
    eventually("both tunnels end", || in_flight() == 0).await;
}

#[tokio::test]
async fn nothing_after_the_handshake_is_forwarded_before_the_101() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (edge, _) = edge(listener.local_addr().unwrap(), 5_000);
    let mut client = edge.connect().await;
    client.write_all(format!("{ASK}early").as_bytes()).await.unwrap();
    let (mut upstream, _) = listener.accept().await.unwrap();
    let head = read_until(&mut upstream, b"\r\n\r\n").await;
    assert!(head.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&head));
    let text = String::from_utf8(head).unwrap();
    for line in [
        "connection: keep-alive, Upgrade",
        "upgrade: websocket",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(100), upstream.read(&mut byte)).await.is_err());
    upstream.write_all(format!("{SWITCH}late").as_bytes()).await.unwrap();
    assert!(read_until(&mut upstream, b"early").await.starts_with(b"early"));
    assert!(read_until(&mut client, b"late").await.starts_with(b"HTTP/1.1 101 "));
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_response() {
    let upstream = Scripted::start(|_| ok("no")).await;
    let (edge, in_flight) = edge(upstream.address, 5_000);
    let mut client = edge.connect().await;
    for _ in 0..2 {
        client.write_all(ASK.as_bytes()).await.unwrap();
        Reply::to("GET", &read_until(&mut client, b"\r\n\r\nno").await).assert_ok("no");
    }
    assert_eq!((in_flight(), upstream.connections()), (0, 1));
}

#[tokio::test]
async fn a_101_that_does_not_answer_the_handshake_is_502() {
    for answer in [
        SWITCH.replace("s3pPLM", "AAAAAA"),
        SWITCH.replace("sec-websocket-accept", "x"),
        SWITCH.replace("websocket", "h2c"),
    ] {
        let upstream = Scripted::start(move |_| vec![send(answer.clone()), Step::Hang]).await;
        let (edge, in_flight) = edge(upstream.address, 5_000);
        let raw = edge.raw(ASK.replace("upgrade\r\n", "upgrade, close\r\n")).await;
        let reply = Reply::to("GET", &raw);
        reply.assert_failed(502, "An invalid response was received", "bad_response");
        eventually("the upstream's connection closes", || upstream.open() == 0 && in_flight() == 0).await;
    }
}

#[tokio::test]
async fn a_silent_tunnel_ends_after_the_read_timeout() {
    let upstream = Scripted::start(|_| vec![send(SWITCH), Step::Hang]).await;
    let (edge, in_flight) = edge(upstream.address, 2_000);
    let mut client = edge.connect().await;
    client.write_all(ASK.as_bytes()).await.unwrap();
    read_until(&mut client, b"\r\n\r\n").await;
    let mut began = Instant::now();
    // Longer in all than the timeout.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        began = Instant::now();
        client.write_all(b"still here").await.unwrap();
    }
    until_closed(&mut client).await;
    assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    eventually("the tunnel ends", || in_flight() == 0 && upstream.open() == 0).await;
}

#[tokio::test]
async fn either_end_closes_the_other() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/chat" => last(format!("{SWITCH}bye")),
        _ => ok("canary"),
    })
    .await;
    let (edge, in_flight) = edge(upstream.address, 60_000);
    let mut client = edge.connect().await;
    client.write_all(ASK.as_bytes()).await.unwrap();
    let read = until_closed(&mut client).await;
    assert!(read.ends_with(b"bye"), "{}", String::from_utf8_lossy(&read));
    drop(client);
    eventually("the tunnel ends", || in_flight() == 0 && upstream.open() == 0).await;
    edge.get("/canary").await.assert_ok("canary");
}
