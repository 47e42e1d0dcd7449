//! A bound on request bodies, as Kong's plugin `request-size-limiting` sets it (compat A10, P25).

use http::{
    HeaderMap, Request, StatusCode,
    header::{CONTENT_LENGTH, EXPECT},
};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Body, BoxError,
    config::schema::{Field, Record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
    reply::{Asked, Refusal, message_reply},
};

const TOO_LARGE: &str = "Request size limit exceeded";
const NO_LENGTH: &str = "A valid Content-Length header is required";

/// The largest body unless another size is configured, in megabytes.
const SIZE: i64 = 128;

/// Refuses request bodies above a size: with 413, or 417 where the client waits for `100 Continue`.
///
/// A length that is declared is checked before anything is read. Any other body is counted while it streams;
/// beyond the limit it fails with a [`Refusal`], which the forwarder answers as long as nothing has gone to
/// the client. Kong reads such a body as a whole first.
#[derive(Debug)]
pub struct RequestSizeLimiting {
    schema: Record,
}

impl RequestSizeLimiting {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for RequestSizeLimiting {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::integer("allowed_payload_size").default(SIZE).doc("the largest body, in `size_unit`"),
        Field::one_of("size_unit", &["megabytes", "kilobytes", "bytes"])
            .required()
            .default("megabytes")
            .doc("unit of `allowed_payload_size`: 1048576, 1024 or 1 bytes"),
        Field::boolean("require_content_length")
            .required()
            .default(false)
            .doc("whether a request without a valid Content-Length is refused, one without a body included"),
    ])
}

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    allowed_payload_size: Option<i64>,
    size_unit: Unit,
    require_content_length: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { allowed_payload_size: None, size_unit: Unit::Megabytes, require_content_length: false }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Megabytes,
    Kilobytes,
    Bytes,
}

impl Unit {
    const fn bytes(self) -> u64 {
        match self {
            Self::Megabytes => 1 << 20,
            Self::Kilobytes => 1 << 10,
            Self::Bytes => 1,
        }
    }
}

impl Plugin for RequestSizeLimiting {
    fn name(&self) -> &'static str {
        "request-size-limiting"
    }

    fn priority(&self) -> i32 {
        951
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let size = u64::try_from(config.allowed_payload_size.unwrap_or(SIZE));
        let size = size.map_err(|_| "allowed_payload_size: must not be negative")?;
        Ok(Configured::handler(RequestSizeLimitingHandler {
            limit: size.saturating_mul(config.size_unit.bytes()),
            require_content_length: config.require_content_length,
        }))
    }
}

struct RequestSizeLimitingHandler {
    /// Bytes.
    limit: u64,
    require_content_length: bool,
}

impl Handler for RequestSizeLimitingHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let refuse = |status, message, request: &Request<Body>| {
            Flow::reply(message_reply(status, message, Asked::of(request), exchange.request_id))
        };
        let declared = content_length(request.headers());
        if declared.is_none() && self.require_content_length {
            return refuse(StatusCode::LENGTH_REQUIRED, NO_LENGTH, request);
        }
        match declared.or(request.body().size_hint().exact()) {
            Some(length) if length > self.limit => refuse(too_large(request.headers()), TOO_LARGE, request),
            Some(_) => Flow::Continue,
            None => {
                self.count(request);
                Flow::Continue
            }
        }
    }
}

impl RequestSizeLimitingHandler {
    /// Lets the body fail once it is above the limit.
    fn count(&self, request: &mut Request<Body>) {
        let refusal = Refusal { status: too_large(request.headers()), message: TOO_LARGE.into() };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let body = Limited::new(std::mem::take(request.body_mut()), limit);
        *request.body_mut() = Body::new(body.map_err(move |error| -> BoxError {
            if error.is::<LengthLimitError>() { Box::new(refusal.clone()) } else { error }
        }));
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// 417 tells a client that waits for `100 Continue` not to send the body.
fn too_large(headers: &HeaderMap) -> StatusCode {
    let expect = headers.get(EXPECT).map(|expect| expect.as_bytes().trim_ascii());
    if expect.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue")) {
        StatusCode::EXPECTATION_FAILED
    } else {
        StatusCode::PAYLOAD_TOO_LARGE
    }
}

#[cfg(test)]
mod tests {
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
        Body,
        plugin::Plugin,
        plugins::testing::{handler, run},
        reply::Refusal,
    };

    /// The status and text of the plugin's answer, if it gave one.
    fn refused(config: &Value, request: &mut Request<Body>) -> Option<(u16, String)> {
        let handler = handler(&RequestSizeLimiting::new(), config);
        let response = run(&*handler, request, Response::default()).err()?;
        let body: Value = serde_json::from_slice(response.body().as_bytes().unwrap()).unwrap();
        Some((response.status().as_u16(), body["message"].as_str().unwrap().to_owned()))
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
        let waiting = &mut empty(declaring("2").header("expect", " 100-Continue"));
        assert_eq!(refused(&config, waiting), Some((417, TOO_LARGE.to_owned())));
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
        let mut request = Request::post("/").header("expect", "100-continue").body(streaming(5)).unwrap();
        assert_eq!(refused(&config, &mut request), None);
        let error = request.into_body().collect().await.unwrap_err();
        let refusal = Refusal::find(&*error).unwrap();
        assert_eq!((refusal.status, &*refusal.message), (StatusCode::EXPECTATION_FAILED, TOO_LARGE));
    }

    #[tokio::test]
    async fn a_forwarder_finds_the_refusal_in_the_error_of_its_client() {
        let config = json!({ "allowed_payload_size": 20, "size_unit": "bytes" });
        let mut request = Request::post("/").body(streaming(21)).unwrap();
        assert_eq!(refused(&config, &mut request), None);
        let (near, _far) = tokio::io::duplex(1024);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
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
}
