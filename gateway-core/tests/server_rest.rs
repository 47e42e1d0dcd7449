//! Connections that have been idle for more than a second rest without hyper's state, and nobody notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo,
    server::{Certificates, Timeout},
};
use http::{Request, Response};
use http_body_util::BodyExt;
use server_kit::{certified, connect_tls, settings, start, start_tls, tester};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::{sleep, timeout},
};

/// Long enough for a connection to rest.
const IDLE: Duration = Duration::from_millis(1_300);

#[tokio::test]
async fn a_connection_that_rested_is_served_again() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    for _ in 0..2 {
        assert!(client.get("/").await.starts_with("HTTP/1.1 200 "));
        sleep(IDLE).await;
    }
    // A head that comes in drops, with the next request behind it.
    for piece in ["G", "ET / HTTP/1.1\r\nho", "st: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        client.send(piece).await;
        sleep(Duration::from_millis(30)).await;
    }
    let mut read = String::new();
    while read.matches("HTTP/1.1 200 ").count() < 2 {
        read.push_str(&client.read_until("hello").await);
    }
    sleep(IDLE).await;
    // A body larger than what is read at the end of a rest.
    let body = "x".repeat(100_000);
    client.send(format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{body}")).await;
    client.read_until(&body[..1000]).await;
    server.eventually(|snapshot| snapshot.active == 1 && snapshot.requests == 5).await;
}

#[tokio::test]
async fn over_tls_too() {
    let certificates = Certificates::new(&certified(&["a.example"])).unwrap();
    let server = start_tls(settings(), &certificates, tester());
    let mut client = connect_tls(server.address, "a.example", None).await.unwrap();
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut read = [0; 1024];
        let length = timeout(Duration::from_secs(5), client.read(&mut read)).await.unwrap().unwrap();
        assert!(read[..length].starts_with(b"HTTP/1.1 200 "));
        sleep(IDLE).await;
    }
    server.drain().begin();
    // The end is told: without `close_notify` this is an error.
    assert_eq!(timeout(Duration::from_secs(5), client.read(&mut [0; 16])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_body_that_is_still_read_after_its_answer_is_no_rest() {
    let (told, mut chunks) = mpsc::unbounded_channel();
    let serve = move |_: &Arc<ConnectInfo>, request: Request<Body>| {
        let told = told.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                frame.into_data().into_iter().for_each(|chunk| told.send(chunk).unwrap());
            }
        });
        async { Response::new(Body::from("hello")) }
    };
    let server = start(settings(), serve);
    let mut client = server.connect().await;
    let (one, other) = ("first;", "GET /other HTTP/1.1\r\nhost: a\r\n\r\n");
    let length = one.len() + other.len();
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{one}")).await;
    client.read_until("hello").await;
    sleep(IDLE).await;
    // The rest of the body, which looks like a request.
    client.send(other).await;
    for wanted in [one, other] {
        let chunk = timeout(Duration::from_secs(5), chunks.recv()).await.unwrap().unwrap();
        assert_eq!(chunk, wanted);
    }
    server.eventually(|snapshot| snapshot.requests == 1).await;
}

#[tokio::test]
async fn a_rest_ends_in_time_and_is_counted() {
    let mut settings = settings();
    settings.timeouts.keep_alive = IDLE + IDLE;
    let server = start(settings, tester());
    let mut client = server.connect().await;
    client.get("/").await;
    let (read, took) = client.until_closed().await;
    assert!(read.is_empty() && took > IDLE && took < IDLE * 4, "{took:?}");
    server.eventually(|snapshot| snapshot.timed_out(Timeout::KeepAlive) == 1 && snapshot.active == 0).await;
}

#[tokio::test]
async fn a_client_that_goes_or_a_stop_ends_a_rest() {
    let server = start(settings(), tester());
    let (mut goes, mut stays) = (server.connect().await, server.connect().await);
    goes.get("/").await;
    stays.get("/").await;
    sleep(IDLE).await;
    drop(goes);
    server.eventually(|snapshot| snapshot.active == 1).await;
    server.drain().begin();
    let (read, took) = stays.until_closed().await;
    assert!(read.is_empty() && took < Duration::from_secs(1), "{took:?}");
}
