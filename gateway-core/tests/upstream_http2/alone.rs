//! What breaks a connection or a stream costs that one alone.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use http::Response;
use tokio::time::sleep;

use crate::{
    common::Edge,
    frames::{block, frame},
    get,
    hand::{HEADERS, by_hand},
    over_http2,
    server::{Server, reply},
};

/// The first connection fails its request, and the second one serves.
async fn assert_breaks_alone(address: SocketAddr, connections: &AtomicUsize) {
    let edge = Edge::new(over_http2(address));
    get(&edge, "/").await.assert_failed(502, "bad_response");
    get(&edge, "/").await.assert_ok("fine");
    assert_eq!(connections.load(SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_ends_its_connection_alone() {
    let (address, connections) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(stream) = hand.request().await else { return };
        if number > 0 {
            return hand.answer_last(stream, "fine").await;
        }
        // A frame on a stream that nobody has opened (RFC 9113 section 5.1).
        hand.write(&frame(0, 1, stream + 20, b"?")).await;
        hand.until_closed().await;
    })
    .await;
    assert_breaks_alone(address, &connections).await;
}

#[tokio::test]
async fn a_stream_that_is_reset_is_502_and_no_other_one_sees_it() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), number| async move {
        match request.uri().path() {
            "/reset" => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            "/half" => {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                body.send_data("half".into(), false).unwrap();
                sleep(Duration::from_millis(50)).await;
                body.send_reset(h2::Reason::INTERNAL_ERROR);
            }
            _ => reply(respond, &number.to_string()),
        }
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..50 {
        get(&edge, "/reset").await.assert_failed(502, "reset");
    }
    let half = get(&edge, "/half").await;
    assert_eq!((half.status, half.whole), (200, false), "{half:?}");
    get(&edge, "/").await.assert_ok("0");
    assert_eq!(server.connections(), 1, "one connection for all of them");
}

/// Bug: hyper found the server's code in the error of the body, and told it to the client as its own: `REFUSED_STREAM`,
/// which lets a client repeat a call that the server had begun.
#[tokio::test]
async fn an_answer_that_breaks_off_is_an_internal_error_whatever_its_server_says() {
    let codes = [h2::Reason::REFUSED_STREAM, h2::Reason::ENHANCE_YOUR_CALM, h2::Reason::NO_ERROR];
    for code in codes {
        let server = Server::start(h2::server::Builder::new(), move |(_, mut respond), _| async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data("half".into(), false).unwrap();
            sleep(Duration::from_millis(50)).await;
            body.send_reset(code);
        })
        .await;
        let answer = get(&Edge::new(over_http2(server.address)), "/").await;
        assert_eq!((answer.status, answer.whole), (200, false), "{code}: {answer:?}");
        assert_eq!(answer.reset, Some(h2::Reason::INTERNAL_ERROR), "{code}: {answer:?}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_502_and_costs_its_connection_alone() {
    let (address, connections) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(stream) = hand.request().await else { return };
        if number > 0 {
            return hand.answer_last(stream, "fine").await;
        }
        hand.write(&frame(HEADERS, 0, stream, &block(&[(":status", b"200")]))).await;
        let piece = frame(9, 0, stream, &block(&[("x-long", &[b'a'; 8000])]));
        for _ in 0..10_000 {
            if !hand.write(&piece).await {
                return;
            }
        }
        panic!("80 MB of a head have been read");
    })
    .await;
    assert_breaks_alone(address, &connections).await;
}

#[tokio::test]
async fn heads_that_are_too_large_or_too_many_are_502_bad_response() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), number| async move {
        let mut head = Response::new(());
        match request.uri().path() {
            "/large" => drop(head.headers_mut().insert("x-large", "l".repeat(70_000).parse().unwrap())),
            "/fields" => (0..201).for_each(|at| {
                head.headers_mut().append("x-field", at.into());
            }),
            "/interim" => {
                for _ in 0..17 {
                    let mut hints = Response::new(());
                    *hints.status_mut() = http::StatusCode::EARLY_HINTS;
                    let _ = respond.send_informational(hints);
                }
            }
            _ => return reply(respond, &number.to_string()),
        }
        let _ = respond.send_response(head, true);
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for path in ["/large", "/fields", "/interim"] {
        get(&edge, path).await.assert_failed(502, "bad_response");
    }
    get(&edge, "/").await.assert_ok("0");
}

#[tokio::test]
async fn what_is_not_http_2_is_502() {
    let (address, _) = by_hand(|mut hand, _| async move {
        hand.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        hand.until_closed().await;
    })
    .await;
    get(&Edge::new(over_http2(address)), "/").await.assert_failed(502, "bad_response");

    let (address, _) = by_hand(|hand, _| async move { drop(hand) }).await;
    get(&Edge::new(over_http2(address)), "/").await.assert_failed(502, "reset");
}
