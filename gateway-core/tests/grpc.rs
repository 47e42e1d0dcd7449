//! Services of gRPC, called through the gateway by a real client at a real server (docs/grpc.md).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "common/grpc.rs"]
mod grpc;

use std::time::Duration;

use bytes::Bytes;
use common::{
    Edge, eventually, nowhere, service,
    tls::{Authority, server_config},
};
use futures_util::stream;
use gateway_core::config::{CaCertificate, Config, Protocol, Route, Service};
use grpc::{Echo, Raw, call, channel, client, method, ready};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Code, Request, Streaming, client::Grpc as Client, transport::Channel};

const BOUND: Duration = Duration::from_secs(10);

/// A route for gRPC to `service`.
fn config(service: Service) -> Config {
    let mut route = Route::new("calls").to(&service);
    route.paths = Some(vec!["/test.Echo/".into()]);
    route.protocols = vec![Protocol::Grpc, Protocol::Grpcs];
    route.strip_path = false;
    Config::default().with(route).with(service)
}

fn at(address: std::net::SocketAddr) -> Service {
    let mut service = service(address);
    service.protocol = Protocol::Grpc;
    service
}

async fn stage() -> (Edge, Echo) {
    let echo = Echo::start().await;
    (Edge::new(config(at(echo.address))), echo)
}

/// A stream in both directions that has begun.
async fn talk(client: &mut Client<Channel>) -> (mpsc::Sender<Bytes>, Streaming<Bytes>) {
    let (sender, messages) = channel();
    let answers = ready(client).await.streaming(Request::new(messages), method("Talk"), Raw).await;
    (sender, answers.unwrap().into_inner())
}

#[tokio::test]
async fn a_call_and_streams_in_each_direction() {
    let (edge, echo) = stage().await;
    let mut client = client(edge.address).await;
    assert_eq!(call(&client, "hello").await.unwrap().into_inner(), "hello");
    assert_eq!(call(&client, "").await.unwrap().into_inner(), "");

    let down = ready(&mut client)
        .await
        .server_streaming(Request::new("500".into()), method("Down"), Raw)
        .await
        .unwrap();
    let mut down = down.into_inner();
    for at in 0..500 {
        assert_eq!(down.message().await.unwrap().unwrap(), at.to_string());
    }
    assert_eq!(down.message().await.unwrap(), None);

    let messages = stream::iter((0..300).map(|_| Bytes::from(vec![7; 10_000])));
    let up =
        ready(&mut client).await.client_streaming(Request::new(messages), method("Up"), Raw).await.unwrap();
    assert_eq!(up.into_inner(), "300:3000000");

    let big = Bytes::from(vec![1; 3_000_000]);
    assert_eq!(call(&client, big.clone()).await.unwrap().into_inner(), big);
    assert_eq!((echo.connections(), echo.under_way()), (1, 0));
}

#[tokio::test]
async fn the_two_ends_of_a_stream_may_talk_in_turn() {
    let (edge, _echo) = stage().await;
    let mut client = client(edge.address).await;
    let talk = async {
        let (sender, mut answers) = talk(&mut client).await;
        for at in 0..100 {
            let message = Bytes::from(format!("{at}"));
            sender.send(message.clone()).await.unwrap();
            assert_eq!(answers.message().await.unwrap().unwrap(), message);
        }
        sender.send("fail".into()).await.unwrap();
        let status = answers.message().await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Aborted, "as you wish"));
    };
    timeout(BOUND, talk).await.unwrap();
}

#[tokio::test]
async fn a_failure_comes_with_its_words_and_its_metadata() {
    let (edge, _echo) = stage().await;
    let client = client(edge.address).await;
    for code in 1..=16 {
        let status = call(&client, format!("fail {code} größer than %")).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::from(code), "größer than %"));
        let detail = status.metadata().get_bin("detail-bin").unwrap().to_bytes().unwrap();
        assert_eq!(detail.as_ref(), [0, 255, 1]);
    }
    let mut nothing = client.clone();
    let status = ready(&mut nothing)
        .await
        .unary(Request::new(Bytes::new()), method("Nothing"), Raw)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn large_metadata_passes_both_ways() {
    let (edge, echo) = stage().await;
    let mut client = client(edge.address).await;
    let mut request = Request::new(Bytes::from("meta 30000"));
    request.metadata_mut().insert("x-up", "u".repeat(12_000).parse().unwrap());
    let response = ready(&mut client).await.unary(request, method("Unary"), Raw).await.unwrap();
    assert_eq!(response.metadata().get("x-big").unwrap().len(), 30_000);
    assert_eq!(echo.seen()[0].get("x-up").unwrap().len(), 12_000);
}

#[tokio::test]
async fn the_server_is_told_what_an_upstream_is_told() {
    let (edge, echo) = stage().await;
    let mut client = client(edge.address).await;
    let mut request = Request::new(Bytes::from("hello"));
    request.metadata_mut().insert("x-own", "1".parse().unwrap());
    request.set_timeout(Duration::from_secs(7));
    let response = ready(&mut client).await.unary(request, method("Unary"), Raw).await.unwrap();
    assert!(response.metadata().contains_key("x-kong-upstream-latency"));
    let seen = echo.seen().remove(0);
    let field = |name| seen.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!((field("te"), field("content-type"), field("x-own")), ("trailers", "application/grpc", "1"));
    assert_eq!((field("x-forwarded-for"), field("x-forwarded-proto")), ("127.0.0.1", "http"));
    assert_eq!(field("x-forwarded-path"), "/test.Echo/Unary");
    assert!(field("via").starts_with("2 gateway/") && field("grpc-timeout").starts_with('7'), "{seen:?}");
    assert_eq!(field("x-kong-request-id").len(), 32);
    assert_eq!(echo.authorities(), [echo.address.to_string()]);
}

#[tokio::test]
async fn who_gives_up_a_call_ends_it_at_the_server() {
    let (edge, echo) = stage().await;
    let mut client = client(edge.address).await;
    let mut request = Request::new(Bytes::from("hang"));
    request.set_timeout(Duration::from_millis(200));
    let status = ready(&mut client).await.unary(request, method("Unary"), Raw).await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled, "{status:?}");
    eventually("the deadline has ended the call", || echo.under_way() == 0).await;

    let down = ready(&mut client)
        .await
        .server_streaming(Request::new("hang".into()), method("Down"), Raw)
        .await
        .unwrap();
    let mut down = down.into_inner();
    assert_eq!(down.message().await.unwrap().unwrap(), "0");
    eventually("the stream is under way", || echo.under_way() > 0).await;
    drop(down);
    eventually("the stream has ended", || echo.under_way() == 0).await;

    let (sender, mut talk) = talk(&mut client).await;
    sender.send("one".into()).await.unwrap();
    assert_eq!(talk.message().await.unwrap().unwrap(), "one");
    drop((talk, sender));
    assert_eq!(call(&client, "others go on").await.unwrap().into_inner(), "others go on");
    assert_eq!((echo.connections(), echo.open()), (1, 1));
}

#[tokio::test]
async fn a_thousand_calls_at_a_time_over_one_connection_of_the_client() {
    let (edge, echo) = stage().await;
    let client = client(edge.address).await;
    let calls = (0..1000).map(|at| {
        let client = client.clone();
        tokio::spawn(async move { call(&client, format!("wait {}", 50 + at % 50)).await })
    });
    let calls: Vec<_> = calls.collect();
    for (at, call) in calls.into_iter().enumerate() {
        let answer = timeout(BOUND, call).await.unwrap().unwrap().unwrap();
        assert_eq!(answer.into_inner(), format!("wait {}", 50 + at % 50));
    }
    // The gateway's own server lets a client have so many at a time.
    assert!((1..=8).contains(&echo.connections()), "{}", echo.connections());
}

/// A service over TLS at `echo`, which is shown `authority`.
fn grpcs(echo: &Echo, authority: &Authority) -> Config {
    let anchor = CaCertificate::new(&authority.pem);
    let mut service = at(echo.address);
    (service.protocol, service.retries) = (Protocol::Grpcs, 0);
    service.ca_certificates = Some(vec![anchor.id]);
    config(service).with(anchor)
}

#[tokio::test]
async fn over_tls_the_server_chooses_http_2_and_is_verified() {
    let authority = Authority::new("ca");
    let mut tls = server_config(&authority.leaf("127.0.0.1"), None);
    tls.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let echo = Echo::secure(tls.clone()).await;
    let edge = Edge::new(grpcs(&echo, &authority));
    let first = client(edge.address).await;
    for _ in 0..3 {
        assert_eq!(call(&first, "hello").await.unwrap().into_inner(), "hello");
    }
    assert_eq!(echo.connections(), 1);

    let stranger = Edge::new(grpcs(&echo, &Authority::new("other")));
    let status = call(&client(stranger.address).await, "hello").await.unwrap_err();
    assert_eq!(status.metadata().get("x-gateway-reason").unwrap(), "tls_verify");

    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let old = Echo::secure(tls).await;
    let edge = Edge::new(grpcs(&old, &authority));
    let status = call(&client(edge.address).await, "hello").await.unwrap_err();
    assert_eq!(status.metadata().get("x-gateway-reason").unwrap(), "tls_handshake");
}

#[tokio::test]
async fn where_nobody_is_the_caller_gets_a_status_of_grpc() {
    let edge = Edge::new(config(at(nowhere())));
    let status = call(&client(edge.address).await, "hello").await.unwrap_err();
    assert_eq!(status.message(), "An invalid response was received from the upstream server");
    assert_eq!(status.metadata().get("x-gateway-reason").unwrap(), "connect_refused");
}

#[tokio::test]
async fn a_change_of_the_configuration_ends_no_stream_and_keeps_connections() {
    let (edge, echo) = stage().await;
    let mut client = client(edge.address).await;
    let (sender, mut talk) = talk(&mut client).await;
    let mut changed = at(echo.address);
    changed.read_timeout = 50_000;
    edge.gateway.reload(&config(changed)).unwrap();
    assert_eq!(call(&client, "new").await.unwrap().into_inner(), "new");
    assert_eq!(echo.connections(), 1, "the connection serves on");

    let other = Echo::start().await;
    edge.gateway.reload(&config(at(other.address))).unwrap();
    assert_eq!(call(&client, "other").await.unwrap().into_inner(), "other");
    assert_eq!(other.connections(), 1);
    sender.send("still there".into()).await.unwrap();
    assert_eq!(timeout(BOUND, talk.message()).await.unwrap().unwrap().unwrap(), "still there");
    drop((talk, sender));
    eventually("the connection has gone with its endpoint", || echo.open() == 0).await;
}

#[tokio::test]
async fn the_example_of_the_page_works() {
    let page = include_str!("../../docs/grpc.md");
    let text = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let echo = Echo::start().await;
    let text = text.replace("50051", &echo.address.port().to_string());
    let edge = Edge::new(Config::parse(&text, &gateway_core::plugin::Registry::empty()).unwrap());
    let mut client = client(edge.address).await;
    let path = "/hello.HelloService/SayHello".parse().unwrap();
    let status = ready(&mut client).await.unary(Request::new(Bytes::new()), path, Raw).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "no such method"),
        "the server's answer"
    );
    let elsewhere = "/other.Service/Method".parse().unwrap();
    let status =
        ready(&mut client).await.unary(Request::new(Bytes::new()), elsewhere, Raw).await.unwrap_err();
    assert_eq!((status.code(), echo.seen().len()), (Code::NotFound, 1));
}
