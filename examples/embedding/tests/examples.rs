//! Each example is asked a real request over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "a test fails by panicking; `main` is not run"
)]

#[path = "../examples/config_in_code.rs"]
mod config_in_code;
#[path = "../examples/in_axum.rs"]
mod in_axum;
#[path = "../examples/minimal.rs"]
mod minimal;
#[path = "../examples/own_layer.rs"]
mod own_layer;
#[path = "../examples/own_plugin.rs"]
mod own_plugin;
#[path = "../examples/resilient_client.rs"]
mod resilient_client;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    server::{Running, Server, Settings},
};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.workers = 1;
    settings
}

/// An upstream that answers with its name, the path it was asked for, and a few of the fields.
fn upstream(name: &'static str) -> (u16, Running) {
    let bound = Server::new(settings()).listen("127.0.0.1:0".parse().unwrap()).bind().unwrap();
    let port = bound.addresses()[0].port();
    let echo = move |_: &Arc<ConnectInfo>, request: Request<Body>| {
        let field =
            |name: &str| request.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        let (stamp, client) = (field("x-stamp"), field("x-forwarded-for"));
        let text = format!("{name} {} stamp={stamp} for={client}", request.uri());
        async move { Response::new(Body::from(text)) }
    };
    (port, bound.start(move |_| echo).unwrap())
}

fn serve(gateway: &Gateway) -> (SocketAddr, Running) {
    let bound = Server::new(settings()).listen("127.0.0.1:0".parse().unwrap()).bind().unwrap();
    let address = bound.addresses()[0];
    let gateway = gateway.clone();
    (address, bound.start(move |worker| gateway.serve(worker)).unwrap())
}

/// The whole answer, head in lower case.
async fn get(address: SocketAddr, path: &str) -> String {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    timeout(Duration::from_secs(10), asked).await.unwrap()
}

#[track_caller]
fn has(answer: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| answer.contains(part)), "{parts:?} in {answer}");
}

#[tokio::test]
async fn minimal_forwards() {
    let (port, _upstream) = upstream("one");
    let (address, _running) = serve(&minimal::gateway(port).unwrap());
    has(&get(address, "/users/42").await, &["200 OK", "one /42", "for=127.0.0.1"]);
    has(&get(address, "/").await, &["404", "no Route matched"]);
}

#[tokio::test]
async fn in_axum_the_application_answers_first() {
    let (port, _upstream) = upstream("one");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = in_axum::gateway(port).unwrap();
    let serving = tokio::spawn(async move { in_axum::serve(listener, gateway).await.unwrap() });
    has(&get(address, "/healthz").await, &["200 OK", "ok\n"]);
    has(&get(address, "/users/42").await, &["200 OK", "one /42", "for=127.0.0.1"]);
    has(&get(address, "/elsewhere").await, &["404", "no Route matched"]);
    serving.abort();
}

#[tokio::test]
async fn own_layer_stands_where_the_configuration_says() {
    let (port, _upstream) = upstream("one");
    let (address, _running) = serve(&own_layer::gateway(port).unwrap());
    has(&get(address, "/users/42").await, &["200 OK", "x-audited: yes", "one /42"]);
    assert!(!get(address, "/public").await.contains("x-audited"));
}

#[tokio::test]
async fn own_plugin_stamps_and_the_closure_answers() {
    let (port, _upstream) = upstream("one");
    let (address, _running) = serve(&own_plugin::gateway(port).unwrap());
    has(&get(address, "/users/42").await, &["200 OK", "stamp=seen", "x-stamped: seen"]);
    has(&get(address, "/tea").await, &["418", "x-stamped: hello", "short and stout"]);
}

#[tokio::test]
async fn config_in_code_spreads_and_changes() {
    let ((large, _one), (small, _two)) = (upstream("large"), upstream("small"));
    let gateway = config_in_code::gateway([large, small]).unwrap();
    let (address, _running) = serve(&gateway);
    let mut larges = 0;
    for _ in 0..8 {
        let answer = get(address, "/users/42").await;
        has(&answer, &["200 OK", "x-id: "]);
        larges += u32::from(answer.contains("large /42"));
    }
    assert_eq!(larges, 6, "three of four");
    config_in_code::move_to(&gateway, "/people", [large, small]).unwrap();
    has(&get(address, "/users/42").await, &["404"]);
    has(&get(address, "/people/42").await, &["200 OK"]);
}

#[tokio::test]
async fn a_client_with_one_dead_endpoint_gets_its_answers() {
    let (alive, _running) = upstream("alive");
    let dead = 1;
    let client = resilient_client::client(&[dead, alive]);
    for number in 0..20 {
        // A POST as well: the dead one is never sent any.
        let method = if number % 2 == 0 { http::Method::GET } else { http::Method::POST };
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        let response = timeout(Duration::from_secs(10), tower::ServiceExt::oneshot(client.clone(), request));
        assert_eq!(response.await.unwrap().unwrap().status(), 200);
    }
}
