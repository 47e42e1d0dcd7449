//! HTTP/2 to upstreams: how connections are shared, and what an upstream may do wrong (RFC 9113; docs/threat-model.md, U).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod again;
mod alone;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/frames.rs"]
mod frames;
mod hand;
mod late;
mod server;
mod shared;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use common::{Edge, config, http2, service};
use futures_util::stream;
use gateway_core::{
    Body,
    config::{Config, Protocol},
};
use http::{HeaderMap, Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::{sleep, timeout};

const BOUND: Duration = Duration::from_secs(10);

/// What a client gets.
#[derive(Debug)]
struct Answer {
    status: u16,
    reason: String,
    body: Vec<u8>,
    trailers: HeaderMap,
    /// Its body came to its end.
    whole: bool,
    /// With what its stream was reset, if it was.
    reset: Option<h2::Reason>,
}

impl Answer {
    #[track_caller]
    fn assert_failed(&self, status: u16, reason: &str) {
        assert_eq!((self.status, self.reason.as_str()), (status, reason), "{self:?}");
    }

    #[track_caller]
    fn assert_ok(&self, body: &str) {
        let read = String::from_utf8_lossy(&self.body);
        assert_eq!((self.status, read.as_ref(), self.whole), (200, body, true), "{self:?}");
    }
}

/// Sends a request of its own connection.
async fn ask(edge: &Edge, method: Method, path: &str, body: Body) -> Answer {
    let mut sender = http2(edge).await;
    let request = Request::builder().method(method).uri(format!("http://a{path}")).body(body).unwrap();
    let response = timeout(BOUND, sender.send_request(request)).await.unwrap().unwrap();
    let (head, mut body) = response.into_parts();
    let reason =
        head.headers.get("x-gateway-reason").map_or("", |reason| reason.to_str().unwrap()).to_owned();
    let (mut read, mut trailers, mut whole, mut reset) = (Vec::new(), HeaderMap::new(), true, None);
    while let Some(frame) = timeout(BOUND, body.frame()).await.unwrap() {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => read.extend(data),
            Ok(Err(frame)) => trailers = frame.into_trailers().unwrap(),
            Err(error) => {
                (whole, reset) = (false, code(&error));
                break;
            }
        }
    }
    Answer { status: head.status.as_u16(), reason, body: read, trailers, whole, reset }
}

/// The code that a stream was reset with.
fn code(error: &hyper::Error) -> Option<h2::Reason> {
    std::error::Error::source(error)?.downcast_ref::<h2::Error>()?.reason()
}

async fn get(edge: &Edge, path: &str) -> Answer {
    ask(edge, Method::GET, path, Body::empty()).await
}

/// A body that is still arriving when the request goes out, and ends with trailers.
fn arriving(pieces: Vec<Bytes>) -> Body {
    let frames = stream::unfold(pieces.into_iter(), |mut pieces| async move {
        sleep(Duration::from_millis(20)).await;
        pieces.next().map(|piece| (Ok::<_, gateway_core::BoxError>(Frame::data(piece)), pieces))
    });
    Body::new(StreamBody::new(frames))
}

fn over_http2(address: SocketAddr) -> Config {
    with_patience(address, 9_000)
}

/// Who reads and writes waits so many milliseconds.
fn with_patience(address: SocketAddr, patience: u32) -> Config {
    let mut service = service(address);
    service.protocol = Protocol::Grpc;
    (service.retries, service.read_timeout, service.write_timeout) = (0, patience, patience);
    config(service)
}
