//! Calls of gRPC by a filter written against the public SDK, at a real server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../gateway-core/tests/common/grpc.rs"]
mod grpc;
mod kit;

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use gateway_core::{
    config::{Config, Protocol, Service},
    plugin::Registry,
};
use gateway_plugins::{GatewayUpstreams, MetricValue, Module};
use grpc::Echo;
use kit::{Edge, builder, edge_among, edge_calling, empty, module, request, to};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;

static CALLER: LazyLock<Module> = LazyLock::new(|| module(include_bytes!("guests/built/caller.wasm")));

fn service(name: &str, address: SocketAddr) -> Service {
    let mut service = to(name, address);
    (service.protocol, service.retries) = (Protocol::Grpc, 0);
    service
}

/// A gateway with the caller in its chain, and the server that it calls.
async fn stage(words: &[&str]) -> (Edge, Echo) {
    let echo = Echo::start().await;
    let nobody = ([127, 0, 0, 1], 1).into();
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
    assert_eq!(lines(&edge, "/message").await, ["response: 0 hello"]);
    let seen = echo.seen().remove(0);
    let field = |name| seen.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!((field("x-guest"), field("te"), field("grpc-timeout")), ("1", "trailers", "2000m"));
    assert!(!seen.contains_key("content-length") && field("content-type") == "application/grpc");
    assert_eq!(echo.authorities()[0], echo.address.to_string(), "no guest says who it is");
    assert_eq!(echo.connections(), 1);
}

#[tokio::test]
async fn a_local_reply_to_a_call_is_a_status_of_grpc() {
    let edge = kit::stranger(&["reply"]).await;
    let client = grpc::client(edge.address).await;
    let status = grpc::call(&client, "hello").await.unwrap_err();
    // 418: one of the client's own.
    assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, "a teapot"));
    assert_eq!(edge.get("/x").await.text, "a teapot");
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
    let (edge, _echo) = stage(&[]).await;
    assert_eq!(called(&edge, "/message", "others").await, ["refused: ParseFailure"], "nor by a message");
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

/// A gateway whose caller may call these upstreams, at origins that show the certificate of `anchor`.
async fn granted(upstreams: &[&str], anchor: Option<&str>) -> Edge {
    let config = json!({ "do": [], "host": { "upstreams": upstreams } });
    let trusting = GatewayUpstreams::trusting(anchor);
    let others = (Config::default(), Registry::empty());
    edge_calling(trusting, builder("caller"), &CALLER, config, others).await
}

/// What a call of `upstream` comes to.
async fn called(edge: &Edge, path: &str, upstream: &str) -> Vec<String> {
    let request = request("GET", path).header("x-upstream", upstream).body(empty()).unwrap();
    edge.ask(request).await.text.lines().map(str::to_owned).collect()
}

/// A server for `localhost` over TLS that speaks these protocols, and its certificate.
async fn secure(protocols: &[&[u8]]) -> (Echo, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key);
    let mut config = config.unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    (Echo::secure(config).await, certified.cert.pem())
}

#[tokio::test]
async fn an_origin_in_clear_is_spoken_to_by_http_2_at_once() {
    let echo = Echo::start().await;
    let origin = format!("http://localhost:{}", echo.address.port());
    let edge = granted(&[&origin], None).await;
    for _ in 0..3 {
        assert_eq!(called(&edge, "/unary", &origin).await, ["response: 0 hello"]);
    }
    assert_eq!(echo.authorities()[0], format!("localhost:{}", echo.address.port()));
    assert_eq!(echo.connections(), 1, "it is kept");
    let talk = called(&edge, "/talk", &origin).await;
    assert_eq!(talk[1..], ["message: one", "message: two", "trailing: 0", "close: 0 "]);
    assert_eq!(edge.watch.stats().traps, 0);
}

#[tokio::test]
async fn an_origin_over_tls_is_verified_and_chooses_http_2() {
    let (echo, anchor) = secure(&[b"http/1.1", b"h2"]).await;
    let origin = format!("https://localhost:{}", echo.address.port());
    let edge = granted(&[&origin], Some(&anchor)).await;
    assert_eq!(called(&edge, "/unary", &origin).await, ["response: 0 hello"]);
    assert_eq!(called(&edge, "/unary", &origin).await, ["response: 0 hello"]);
    assert_eq!((echo.authorities()[0].as_str(), echo.connections()), (&origin["https://".len()..], 1));

    let distrusting = granted(&[&origin], None).await;
    let refused = ["response: 14 ", "status: 14 tls_verify"];
    assert_eq!(called(&distrusting, "/unary", &origin).await, refused);

    let (old, anchor) = secure(&[b"http/1.1"]).await;
    let origin = format!("https://localhost:{}", old.address.port());
    let edge = granted(&[&origin], Some(&anchor)).await;
    assert_eq!(called(&edge, "/unary", &origin).await, ["response: 14 ", "status: 14 tls_handshake"]);
    assert_eq!(old.seen().len(), 0);
}

#[tokio::test]
async fn an_origin_that_nobody_named_is_public_or_is_not_called() {
    let refused = ["refused: ParseFailure"];
    let (echo, anchor) = secure(&[b"h2"]).await;
    let port = echo.address.port();
    let (by_name, by_address) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    let none = granted(&["greeter"], Some(&anchor)).await;
    assert_eq!(called(&none, "/unary", &by_name).await, refused, "it is not granted");
    let any = granted(&["https://*"], Some(&anchor)).await;
    assert_eq!(called(&any, "/unary", &by_address).await, refused, "the address is this machine's");
    assert_eq!(called(&any, "/unary", "https://169.254.169.254").await, refused);
    assert_eq!(called(&any, "/unary", "https://*").await, refused, "a grant is no origin");
    assert_eq!(called(&any, "/unary", &by_name.replace("https", "http")).await, refused, "in clear");
    assert_eq!(
        called(&any, "/unary", &format!("{by_name}/path")).await,
        refused,
        "not as origins are written"
    );
    // The name leads to this machine; that is found when it is looked up.
    assert_eq!(called(&any, "/unary", &by_name).await, ["response: 14 ", "status: 14 dns_error"]);
    assert_eq!((echo.seen().len(), echo.connections()), (0, 0));
}
