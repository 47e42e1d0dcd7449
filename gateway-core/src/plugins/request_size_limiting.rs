//! A bound on request bodies, as Kong's plugin `request-size-limiting` sets it (compat A10, P25).

use http::{HeaderMap, Request, StatusCode, header::CONTENT_LENGTH};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Body, BoxError, Reason,
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
        let declared = content_length(request.headers());
        if declared.is_none() && self.require_content_length {
            return refuse(Reason::Plugin, StatusCode::LENGTH_REQUIRED, NO_LENGTH, request, exchange);
        }
        match declared.or(request.body().size_hint().exact()) {
            Some(length) if length > self.limit => {
                refuse(Reason::BodyTooLarge, too_large(exchange), TOO_LARGE, request, exchange)
            }
            Some(_) => Flow::Continue,
            None => {
                self.count(request, too_large(exchange));
                Flow::Continue
            }
        }
    }
}

impl RequestSizeLimitingHandler {
    /// Lets the body fail once it is above the limit.
    fn count(&self, request: &mut Request<Body>, status: StatusCode) {
        let refusal = Refusal { reason: Reason::BodyTooLarge, status, message: TOO_LARGE.into() };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let body = Limited::new(std::mem::take(request.body_mut()), limit);
        *request.body_mut() = Body::new(body.map_err(move |error| -> BoxError {
            if error.is::<LengthLimitError>() { Box::new(refusal.clone()) } else { error }
        }));
    }
}

fn refuse(
    reason: Reason,
    status: StatusCode,
    message: &str,
    request: &Request<Body>,
    exchange: &mut Exchange,
) -> Flow<Request<Body>> {
    exchange.reason = Some(reason);
    Flow::reply(message_reply(status, message, Asked::of(request), exchange.request_id))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// 417 tells a client that waits for `100 Continue` not to send the body.
const fn too_large(exchange: &Exchange) -> StatusCode {
    if exchange.expects_continue { StatusCode::EXPECTATION_FAILED } else { StatusCode::PAYLOAD_TOO_LARGE }
}

#[cfg(test)]
mod tests;
