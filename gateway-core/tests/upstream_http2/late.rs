//! Answers that come too early, too late or never.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Response};
use tokio::time::sleep;

use crate::{
    BOUND, arriving, ask,
    common::{Edge, eventually},
    get, over_http2,
    server::{Server, reply},
    with_patience,
};

#[tokio::test]
async fn a_stream_that_is_never_answered_is_504_and_the_server_is_told() {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cancelled);
    let server = Server::start(h2::server::Builder::new(), move |(request, mut respond), number| {
        let count = Arc::clone(&count);
        async move {
            if request.uri().path() != "/never" {
                return reply(respond, &number.to_string());
            }
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
            assert_eq!(reason, h2::Reason::CANCEL);
            count.fetch_add(1, SeqCst);
        }
    })
    .await;
    let edge = Edge::new(with_patience(server.address, 2_000));
    let (never, slowly) = tokio::join!(get(&edge, "/never"), async {
        for _ in 0..4 {
            get(&edge, "/").await.assert_ok("0");
            sleep(Duration::from_millis(50)).await;
        }
        ask(&edge, Method::POST, "/never", arriving(vec![Bytes::from_static(b"x"); 3])).await
    });
    never.assert_failed(504, "read_timeout");
    slowly.assert_failed(504, "read_timeout");
    // A connection on which nothing at all has come meanwhile is not trusted any more.
    get(&edge, "/").await.assert_ok("1");
    eventually("both streams are reset", || cancelled.load(SeqCst) == 2).await;
}

#[tokio::test]
async fn a_window_that_never_opens_is_504_and_requests_without_a_body_go_on() {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(0);
    let server = Server::start(builder, |(request, respond), number| async move {
        if request.method() == Method::GET {
            return reply(respond, &number.to_string());
        }
        sleep(BOUND).await;
        drop((request, respond));
    })
    .await;
    // Far apart, as both run while the window stays shut.
    let all = with_patience(server.address, 2_000);
    let mut service = (**all.services.values().next().unwrap()).clone();
    service.write_timeout = 500;
    let edge = Edge::new(all.with(service));
    get(&edge, "/").await.assert_ok("0");
    ask(&edge, Method::POST, "/", "in memory".into()).await.assert_failed(504, "read_timeout");
    let body = arriving(vec![Bytes::from_static(b"on its way"); 5]);
    let (held_up, other) = tokio::join!(ask(&edge, Method::POST, "/", body), async {
        sleep(Duration::from_millis(100)).await;
        get(&edge, "/").await
    });
    held_up.assert_failed(504, "write_timeout");
    other.assert_ok("1");
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_ends_both() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), _| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data("enough".into(), true).unwrap();
        // The rest is not wanted, and h2 says so with a reset (RFC 9113 section 8.1).
        drop((request, respond));
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..3 {
        let body = arriving(vec![Bytes::from(vec![0; 10_000]); 20]);
        ask(&edge, Method::POST, "/", body).await.assert_ok("enough");
    }
    assert_eq!(server.connections(), 1);
}
