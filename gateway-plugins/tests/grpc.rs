//! Calls of gRPC by a filter written against the public SDK, at a real server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../gateway-core/tests/common/grpc.rs"]
mod grpc;
mod kit;

use std::sync::LazyLock;

use gateway_core::{
    config::{Config, Protocol, Service},
    plugin::Registry,
};
use gateway_plugins::{MetricValue, Module};
use grpc::Echo;
use kit::{Edge, builder, edge_among, module, to};
use serde_json::json;

static CALLER: LazyLock<Module> = LazyLock::new(|| module(include_bytes!("guests/built/caller.wasm")));

fn service(name: &str, address: std::net::SocketAddr) -> Service {
    let mut service = to(name, address);
    (service.protocol, service.retries) = (Protocol::Grpc, 0);
    service
}

/// A gateway with the caller in its chain, and the server that it calls.
async fn stage(words: &[&str]) -> (Edge, Echo) {
    let echo = Echo::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let others = Config::default().with(service("greeter", echo.address)).with(service("nowhere", nobody));
    let config = json!({ "do": words, "host": { "upstreams": ["greeter", "nowhere", "auth"] } });
    (edge_among(builder("caller"), &CALLER, config, others, Registry::empty()).await, echo)
}

async fn told(path: &str) -> Vec<String> {
    let (edge, _echo) = stage(&[]).await;
    lines(&edge, path).await
}

async fn lines(edge: &Edge, path: &str) -> Vec<String> {
    let answer = edge.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_call_brings_its_message() {
    let (edge, echo) = stage(&[]).await;
    assert_eq!(lines(&edge, "/unary").await, ["response: 0 hello"]);
    assert_eq!(lines(&edge, "/empty").await, ["response: 0 "]);
    let seen = echo.seen().remove(0);
    let field = |name| seen.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!((field("x-guest"), field("te"), field("grpc-timeout")), ("1", "trailers", "2000m"));
    assert!(!seen.contains_key("content-length") && field("content-type") == "application/grpc");
    assert_eq!(echo.authorities()[0], echo.address.to_string(), "no guest says who it is");
    assert_eq!(echo.connections(), 1);
}

#[tokio::test]
async fn a_call_that_fails_brings_its_status_and_words() {
    assert_eq!(told("/fail").await, ["response: 5 ", "status: 5 größer"]);
    assert_eq!(told("/nowhere").await, ["response: 14 ", "status: 14 connect_refused"]);
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_is_over_at_the_server_too() {
    let (edge, echo) = stage(&[]).await;
    assert_eq!(lines(&edge, "/slow").await, ["response: 4 ", "status: 4 no answer in time"]);
    let gone = async {
        while echo.under_way() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(kit::PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn what_may_not_be_called_or_cannot_be_is_not() {
    assert_eq!(told("/refused").await, ["refused: ParseFailure"], "it is not granted");
    assert_eq!(told("/http1").await, ["refused: ParseFailure"], "it speaks HTTP/1.1");
    assert_eq!(told("/odd").await, ["Err(ParseFailure)", "response: 0 fine"]);
}

#[tokio::test]
async fn the_ends_of_a_stream_talk_in_turn() {
    let lines = told("/talk").await;
    let wanted = ["initial: application/grpc", "message: one", "message: two", "trailing: 0", "close: 0 "];
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn messages_go_up_until_the_guest_ends_its_half() {
    let both = told("/both").await;
    assert_eq!(both.first().unwrap(), "again: Err(BadArgument)");
    assert_eq!(both[2..], ["message: one", "message: two", "trailing: 0", "close: 0 "]);
    let half = told("/half").await;
    assert_eq!(half[1..], ["message: 1:5", "trailing: 0", "close: 0 "]);
}

#[tokio::test]
async fn a_stream_brings_all_its_messages_and_its_end() {
    let down = told("/down").await;
    let wanted = ["message: 0", "message: 1", "message: 2", "trailing: 0", "close: 0 "];
    assert_eq!(down[1..], wanted);
    let broken = told("/broken").await;
    assert_eq!(broken[1..], ["trailing: 10", "close: 10 as you wish"]);
    assert_eq!(
        told("/nothing").await,
        ["trailing: 12", "close: 12 no such method"],
        "in its only block of fields"
    );
}

#[tokio::test]
async fn of_what_is_given_up_nothing_comes_any_more() {
    let (edge, echo) = stage(&[]).await;
    assert_eq!(lines(&edge, "/cancel").await, ["again: Err(NotFound)", "response: 0 after"]);
    assert_eq!(lines(&edge, "/leave").await, ["initial: application/grpc", "message: 0"]);
    assert_eq!(lines(&edge, "/flood").await, ["Ok(())", "Ok(())", "Err(BadArgument)", "Err(BadArgument)"]);
    let gone = async {
        while echo.under_way() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(kit::PATIENCE, gone).await.unwrap();
    assert_eq!(lines(&edge, "/unary").await, ["response: 0 hello"]);
    assert_eq!(edge.watch.stats().traps, 0);
}

#[tokio::test]
async fn a_root_calls_too() {
    let (edge, _echo) = stage(&["tick"]).await;
    edge.get("/x").await;
    let answered = |watch: &gateway_plugins::Watch| {
        let metrics = watch.metrics();
        metrics
            .iter()
            .any(|metric| metric.name == "answered" && matches!(metric.value, MetricValue::Counter(2..)))
    };
    edge.until(answered).await;
}
