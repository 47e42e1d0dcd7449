//! The gateway's own answers as they stand on the wire, through hyper's server.
// Clippy takes only functions under `#[test]` for tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{convert::Infallible, time::Duration};

use gateway_core::{
    Body, Reason, RequestId,
    reply::{Asked, https_reply, reply},
};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (asked, id) = (Asked::of(&request), RequestId::random());
    Ok(match request.uri().path() {
        "/bad" => reply(Reason::BadRequest, asked, id),
        "/tls" => https_reply(426, "h.example", request.uri(), asked, id),
        _ => reply(Reason::NoRoute, asked, id),
    })
}

/// Sends `requests` on one connection and gives all that comes back until the server closes it.
async fn exchange(requests: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let serve = http1::Builder::new().serve_connection(TokioIo::new(server), service_fn(answer));
    let mut text = String::new();
    let talk = async {
        client.write_all(requests.as_bytes()).await.unwrap();
        client.read_to_string(&mut text).await.unwrap();
    };
    let both = async { tokio::join!(serve, talk) };
    timeout(Duration::from_secs(10), both).await.expect("the server closes").0.unwrap();
    text
}

#[tokio::test]
async fn a_length_is_sent_with_and_without_the_body() {
    let last = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let text = exchange(&format!("HEAD / HTTP/1.1\r\nhost: h\r\n\r\n{last}")).await;
    // 3 lines of JSON with a text of 33 bytes and an id of 32.
    assert_eq!(text.matches("content-length: 103\r\n").count(), 2, "{text}");
    assert_eq!(text.matches("no Route matched").count(), 1, "{text}");
    assert_eq!(text.matches("HTTP/1.1 404 Not Found\r\n").count(), 2, "{text}");
}

#[tokio::test]
async fn a_request_whose_framing_is_in_doubt_ends_the_connection() {
    let next = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    let text = exchange(&format!("GET /bad HTTP/1.1\r\nhost: h\r\n\r\n{next}")).await;
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(text.contains("connection: close\r\n"), "{text}");
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
}

#[tokio::test]
async fn the_call_to_upgrade_names_the_protocols_and_keeps_the_connection() {
    let last = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let text = exchange(&format!("GET /tls HTTP/1.1\r\nhost: h\r\n\r\n{last}")).await;
    assert!(text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{text}");
    assert!(text.contains("connection: Upgrade\r\n"), "{text}");
    assert!(text.contains("upgrade: TLS/1.2, HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("HTTP/1.1 404 Not Found\r\n"), "{text}");
}
