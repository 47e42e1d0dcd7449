//! How requests share connections, and when those end.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use gateway_core::{Body, Gateway, config::Protocol, upstream::PoolLimits};
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{sleep, timeout};

use crate::{
    BOUND, ask,
    common::{self, Edge, eventually, http2},
    get, over_http2,
    server::{Server, reply},
};

#[tokio::test]
async fn requests_share_a_connection_and_trailers_pass_both_ways() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), _| async move {
        let mut body = request.into_body();
        let mut read = Vec::new();
        while let Some(Ok(data)) = body.data().await {
            read.extend_from_slice(&data);
            let _ = body.flow_control().release_capacity(data.len());
        }
        let trailers = body.trailers().await.unwrap();
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        stream.send_data(read.into(), false).unwrap();
        let mut answer = trailers.unwrap_or_default();
        answer.insert("x-down", "1".parse().unwrap());
        answer.insert("set-cookie", "a=b".parse().unwrap());
        stream.send_trailers(answer).unwrap();
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..3 {
        let frames = [Frame::data(Bytes::from("hello")), Frame::trailers(trailer("x-up", "2"))];
        let frames = frames.map(Ok::<_, gateway_core::BoxError>);
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let answer = ask(&edge, Method::POST, "/", body).await;
        answer.assert_ok("hello");
        assert_eq!(answer.trailers["x-up"], "2");
        assert_eq!(answer.trailers["x-down"], "1");
        assert!(!answer.trailers.contains_key("set-cookie"), "D16");
    }
    assert_eq!(server.connections(), 1);
}

fn trailer(name: &'static str, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
}

#[tokio::test]
async fn no_connection_has_more_streams_than_its_server_allows() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(2);
    let server = Server::start(builder, |(_, respond), _| async move {
        sleep(Duration::from_millis(150)).await;
        reply(respond, "ok");
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    let asks: Vec<_> = (0..6).map(|_| http2(&edge)).collect();
    let mut under_way = tokio::task::JoinSet::new();
    for sender in asks {
        let mut sender = sender.await;
        under_way.spawn(async move {
            let request = Request::get("http://a/").body(Body::empty()).unwrap();
            sender.send_request(request).await.unwrap().status()
        });
    }
    while let Some(status) = timeout(BOUND, under_way.join_next()).await.unwrap() {
        assert_eq!(status.unwrap(), 200);
    }
    assert!(server.most().iter().all(|most| *most <= 2), "{:?}", server.most());
    assert!((2..=4).contains(&server.connections()), "{}", server.connections());
}

#[tokio::test]
async fn where_no_more_connections_may_be_opened_a_request_waits_and_then_is_503() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(1);
    let (go, gone) = tokio::sync::watch::channel(false);
    let server = Server::start(builder, move |(_, respond), _| {
        let mut gone = gone.clone();
        async move {
            let _ = gone.wait_for(|gone| *gone).await;
            reply(respond, "ok");
        }
    })
    .await;
    let mut all = over_http2(server.address);
    let mut service = (**all.services.values().next().unwrap()).clone();
    (service.connect_timeout, service.read_timeout) = (10_000, 30_000);
    let mut hasty = gateway_core::config::Service::new("hasty", &server.address.ip().to_string());
    (hasty.protocol, hasty.port, hasty.connect_timeout) = (Protocol::Grpc, server.address.port(), 200);
    let mut route = gateway_core::config::Route::new("hasty").to(&hasty);
    (route.paths, route.strip_path) = (Some(vec!["/hasty".into()]), false);
    all = all.with(service).with(hasty).with(route);
    let edge = Arc::new(Edge::new(all));
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let edge = Arc::clone(&edge);
        held.spawn(async move { get(&edge, "/").await });
    }
    eventually("all connections are in use", || {
        server.most().iter().filter(|most| **most == 1).count() == 64
    })
    .await;
    get(&edge, "/hasty").await.assert_failed(503, "overloaded");
    let (waiting, ()) = tokio::join!(get(&edge, "/"), async {
        sleep(Duration::from_millis(100)).await;
        go.send(true).unwrap();
    });
    waiting.assert_ok("ok");
    while let Some(answer) = timeout(BOUND, held.join_next()).await.unwrap() {
        answer.unwrap().assert_ok("ok");
    }
    assert_eq!(server.connections(), 64);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_closes_and_so_does_one_that_is_used_up() {
    let server = Server::plain().await;
    let mut settings = common::settings();
    settings.pool = PoolLimits::default();
    settings.pool.idle_timeout = Duration::from_secs(3);
    settings.pool.requests = 2;
    let gateway = Gateway::builder().config(over_http2(server.address)).settings(settings).build().unwrap();
    let edge = Edge::of(gateway);
    for number in ["0", "0", "1"] {
        get(&edge, "/").await.assert_ok(number);
    }
    eventually("both are closed", || server.open.load(SeqCst) == 0).await;
    get(&edge, "/").await.assert_ok("2");
}

/// Bug: h2 takes a hundred empty DATA frames on one connection, and ends it with all that runs on it at the next one.
#[tokio::test]
async fn a_server_that_sends_empty_frames_gets_another_connection_in_time() {
    let server = Server::start(h2::server::Builder::new(), |(_, mut respond), _| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data("x".into(), false).unwrap();
        body.send_data(Bytes::new(), false).unwrap();
        body.send_trailers(trailer("grpc-status", "0")).unwrap();
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..250 {
        get(&edge, "/").await.assert_ok("x");
    }
    assert_eq!(server.connections(), 3);
}
