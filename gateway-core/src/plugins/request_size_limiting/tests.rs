use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{RequestSizeLimiting, TOO_LARGE};
use crate::{
    Body, Reason,
    plugin::{Flow, Plugin},
    plugins::testing::{exchange, handler, run},
    reply::Refusal,
};

/// The status and text of the plugin's answer, if it gave one.
fn refused(config: &Value, request: &mut Request<Body>) -> Option<(u16, String)> {
    let handler = handler(&RequestSizeLimiting::new(), config);
    let response = run(&*handler, request, Response::default()).err()?;
    let body: Value = serde_json::from_slice(response.body().as_bytes().unwrap()).unwrap();
    Some((response.status().as_u16(), body["message"].as_str().unwrap().to_owned()))
}

/// The status of the plugin's answer to a client that waits for `100 Continue`, which has its reason.
fn refused_waiting(config: &Value, request: &mut Request<Body>) -> Option<u16> {
    let mut exchange = exchange();
    exchange.expects_continue = true;
    match handler(&RequestSizeLimiting::new(), config).on_request(request, &mut exchange) {
        Flow::Reply(reply) => {
            assert_eq!(exchange.reason, Some(Reason::BodyTooLarge));
            Some(reply.status().as_u16())
        }
        _ => None,
    }
}

fn declaring(length: &str) -> http::request::Builder {
    Request::post("/").header("content-length", length)
}

fn empty(request: http::request::Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

/// A body whose length nobody knows beforehand, in frames of up to 7 bytes.
fn streaming(length: usize) -> Body {
    let mut left = length;
    Body::new(Frames(move || {
        let size = left.min(7);
        left -= size;
        (size > 0).then(|| Bytes::from(vec![b'x'; size]))
    }))
}

struct Frames<F>(F);

impl<F: FnMut() -> Option<Bytes> + Unpin> http_body::Body for Frames<F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready((self.0)().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[test]
fn a_declared_length_is_checked_up_front_in_each_unit() {
    for (unit, bytes) in [("megabytes", 1 << 20), ("kilobytes", 1 << 10), ("bytes", 1)] {
        let config = json!({ "allowed_payload_size": 2, "size_unit": unit });
        let length: u64 = 2 * bytes;
        assert_eq!(refused(&config, &mut empty(declaring(&length.to_string()))), None);
        let above = &mut empty(declaring(&(length + 1).to_string()));
        assert_eq!(refused(&config, above), Some((413, TOO_LARGE.to_owned())));
    }
    let above = &mut empty(declaring("134217729"));
    assert_eq!(refused(&json!({}), above), Some((413, TOO_LARGE.to_owned())));
}

#[test]
fn a_client_that_waits_for_100_is_told_not_to_send() {
    let config = json!({ "allowed_payload_size": 1, "size_unit": "bytes" });
    assert_eq!(refused_waiting(&config, &mut empty(declaring("2"))), Some(417));
    assert_eq!(refused_waiting(&config, &mut empty(declaring("1"))), None);
}

#[test]
fn a_negative_size_is_refused_with_its_field() {
    let why = RequestSizeLimiting::new().configure(&json!({ "allowed_payload_size": -1 })).unwrap_err();
    assert_eq!(why, "allowed_payload_size: must not be negative");
}

#[test]
fn a_length_may_be_demanded() {
    let config = json!({ "require_content_length": true });
    let wanted = Some((411, "A valid Content-Length header is required".to_owned()));
    assert_eq!(refused(&config, &mut empty(Request::post("/"))), wanted);
    assert_eq!(refused(&config, &mut empty(declaring("no number"))), wanted);
    assert_eq!(refused(&config, &mut empty(declaring("0"))), None);
}

#[tokio::test]
async fn the_refusal_of_a_stream_keeps_the_status_for_a_client_that_waits() {
    let config = json!({ "allowed_payload_size": 4, "size_unit": "bytes" });
    let mut request = Request::post("/").body(streaming(5)).unwrap();
    assert_eq!(refused_waiting(&config, &mut request), None);
    let error = request.into_body().collect().await.unwrap_err();
    let refusal = Refusal::find(&*error).unwrap();
    assert_eq!((refusal.status, &*refusal.message), (StatusCode::EXPECTATION_FAILED, TOO_LARGE));
    assert_eq!(refusal.reason, Reason::BodyTooLarge);
}

#[tokio::test]
async fn a_forwarder_finds_the_refusal_in_the_error_of_its_client() {
    let config = json!({ "allowed_payload_size": 20, "size_unit": "bytes" });
    let mut request = Request::post("/").body(streaming(21)).unwrap();
    assert_eq!(refused(&config, &mut request), None);
    let (near, _far) = tokio::io::duplex(1024);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
    let (answer, _) = tokio::join!(sender.send_request(request), connection);
    let error = answer.unwrap_err();
    assert_eq!(Refusal::find(&error).unwrap().status, StatusCode::PAYLOAD_TOO_LARGE);
}

proptest! {
    #[test]
    fn a_stream_passes_whole_or_fails_with_the_refusal(limit in 0_u64..40, length in 0_usize..80) {
        let config = json!({ "allowed_payload_size": limit, "size_unit": "bytes" });
        let mut request = Request::post("/").body(streaming(length)).unwrap();
        prop_assert_eq!(refused(&config, &mut request), None);
        let body = block_on(request.into_body().collect());
        match body {
            Ok(body) => {
                prop_assert_eq!(body.to_bytes().len(), length);
                prop_assert!(length as u64 <= limit);
            }
            Err(error) => {
                prop_assert!(length as u64 > limit);
                prop_assert_eq!(Refusal::find(&*error).unwrap().status, StatusCode::PAYLOAD_TOO_LARGE);
            }
        }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
