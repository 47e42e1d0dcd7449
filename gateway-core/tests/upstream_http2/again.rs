//! What is sent again, and what is not: streams that are refused, servers that go away, codes of gRPC.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{Body, config::Protocol};
use http::{Method, Response};
use tokio::time::sleep;

use crate::{
    arriving, ask,
    common::{Edge, balanced_with},
    frames::{block, frame},
    get,
    hand::{HEADERS, by_hand},
    over_http2,
    server::Server,
};

/// A server that reads a call, and gives it back only the third time; before, it has no time. How many calls there were.
async fn reluctant() -> (Server, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let server = Server::start(h2::server::Builder::new(), move |(request, mut respond), _| {
        let code = if count.fetch_add(1, SeqCst) < 2 { "14" } else { "0" };
        async move {
            let (mut body, mut read) = (request.into_body(), Vec::new());
            while let Some(Ok(data)) = body.data().await {
                read.extend_from_slice(&data);
                let _ = body.flow_control().release_capacity(data.len());
            }
            let head =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", code);
            let mut stream = respond.send_response(head.body(()).unwrap(), code != "0").unwrap();
            if code == "0" {
                stream.send_data(read.into(), true).unwrap();
            }
        }
    });
    (server.await, calls)
}

#[tokio::test]
async fn a_code_of_grpc_is_tried_again_where_it_is_named_with_up_to_64_kib() {
    let retry = gateway_core::config::Plugin::new(
        "retry",
        serde_json::json!({ "retries": 3, "grpc_statuses": ["UNAVAILABLE"], "backoff_base": 0 }),
    );
    for body in [Body::from("a message"), arriving(vec!["a ".into(), "mess".into(), "age".into()])] {
        let (server, calls) = reluctant().await;
        let edge = Edge::new(over_http2(server.address).with(retry.clone()));
        ask(&edge, Method::POST, "/p.S/M", body).await.assert_ok("a message");
        assert_eq!(calls.load(SeqCst), 3);
    }
    let (server, calls) = reluctant().await;
    let edge = Edge::new(over_http2(server.address).with(retry));
    let large = arriving(vec![Bytes::from(vec![b'l'; 40_000]); 2]);
    ask(&edge, Method::POST, "/p.S/M", large).await.assert_ok("");
    assert_eq!(calls.load(SeqCst), 1, "more than is kept");
}

#[tokio::test]
async fn what_a_server_that_goes_away_has_not_begun_is_sent_again() {
    let (address, connections) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(first) = hand.request().await else { return };
        if number > 0 {
            return hand.answer_last(first, "second").await;
        }
        hand.answer(first, "first").await;
        let Some(_) = hand.request().await else { return };
        // Nothing beyond the first stream has been looked at.
        hand.write(&frame(7, 0, 0, &[first.to_be_bytes(), [0; 4]].concat())).await;
        hand.until_closed().await;
    })
    .await;
    let edge = Edge::new(over_http2(address));
    ask(&edge, Method::POST, "/", "body".into()).await.assert_ok("first");
    ask(&edge, Method::POST, "/", "body".into()).await.assert_ok("second");
    assert_eq!(connections.load(SeqCst), 2);
}

#[tokio::test]
async fn a_stream_that_was_begun_ends_though_its_server_goes_away() {
    let (address, _) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(stream) = hand.request().await else { return };
        hand.write(&frame(HEADERS, 4, stream, &block(&[(":status", b"200")]))).await;
        if number == 0 {
            hand.write(&frame(7, 0, 0, &[stream.to_be_bytes(), [0; 4]].concat())).await;
            sleep(Duration::from_millis(200)).await;
        }
        hand.write(&frame(0, 1, stream, number.to_string().as_bytes())).await;
        hand.until_closed().await;
    })
    .await;
    let edge = Edge::new(over_http2(address));
    let (first, later) = tokio::join!(get(&edge, "/"), async {
        sleep(Duration::from_millis(100)).await;
        get(&edge, "/").await
    });
    first.assert_ok("0");
    later.assert_ok("1");
}

/// An upstream that refuses each stream, and the number of times.
async fn refusing() -> (SocketAddr, Arc<AtomicUsize>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let server = Server::start(h2::server::Builder::new(), move |(_, mut respond), _| {
        count.fetch_add(1, SeqCst);
        async move { respond.send_reset(h2::Reason::REFUSED_STREAM) }
    });
    (server.await.address, refused)
}

#[tokio::test]
async fn a_refused_stream_is_tried_elsewhere_with_its_body_under_way_too() {
    let ((address, refused), good) = (refusing().await, Server::plain().await);
    let (config, _) = balanced_with(&[address, good.address], |service| {
        service.protocol = Protocol::Grpc;
        service.retries = 1;
    });
    let edge = Edge::new(config);
    for _ in 0..6 {
        ask(&edge, Method::POST, "/", "in memory".into()).await.assert_ok("0");
    }
    assert!(refused.load(SeqCst) >= 3);

    let (address, refused) = refusing().await;
    let mut lone = over_http2(address);
    let mut service = (**lone.services.values().next().unwrap()).clone();
    service.retries = 3;
    lone = lone.with(service);
    get(&Edge::new(lone.clone()), "/").await.assert_failed(502, "reset");
    assert_eq!(refused.swap(0, SeqCst), 4, "each retry");
    let pieces = vec![Bytes::from_static(b"one"); 50];
    ask(&Edge::new(lone), Method::POST, "/", arriving(pieces)).await.assert_failed(502, "reset");
    assert_eq!(refused.load(SeqCst), 4, "what had been sent is sent again");
}
