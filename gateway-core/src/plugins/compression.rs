//! Answers compressed for clients that take them so (RFC 9110 8.4, 12.5.3). No plugin of Kong's.

mod encoder;
mod negotiation;

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        VARY,
    },
};
use http_body::Body as _;
use serde::Deserialize;
use serde_json::{Value, json};

use encoder::{Compressed, Places};
use negotiation::{Coding, choose};

use crate::{
    Body,
    config::schema::{Field, Record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};

/// Answers compressed at a time, over all configurations; more go on as they are.
const PLACES: usize = 512;

const TYPES: [&str; 8] = [
    "text/*",
    "application/json",
    "application/*+json",
    "application/javascript",
    "application/xml",
    "application/*+xml",
    "application/wasm",
    "image/svg+xml",
];

/// Fields that say what the bytes of a body are: an answer that has one is left as it is.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Compresses answers with `zstd`, `br`, `gzip` or `deflate`, as `Accept-Encoding` says.
///
/// It changes `Content-Encoding`, `Content-Length`, `Accept-Ranges`, `Vary`, and makes a strong `ETag` weak. It leaves
/// alone what is encoded already, parts of an answer, what has a digest, what says `no-transform`, gRPC, and streams
/// of events unless the configuration names them. Bodies stream: what has come is flushed where the upstream pauses.
#[derive(Debug)]
pub struct Compression {
    schema: Record,
    places: Arc<Places>,
}

impl Compression {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema(), places: Arc::new(Places::new(PLACES)) }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::array("algorithms", Field::one_of("", &Coding::NAMES))
            .required()
            .shortest(1)
            .default(json!(Coding::NAMES))
            .doc("codings that are offered; of those that a client likes equally, the first one"),
        Field::strings("content_types")
            .required()
            .default(json!(TYPES))
            .doc("media types that are compressed, without parameters; one `*` stands for anything"),
        Field::integer("min_length")
            .required()
            .between(0, i64::from(u32::MAX))
            .default(1024)
            .doc("bytes below which an answer of known length stays as it is"),
        Field::integer("level").required().between(1, 9).default(4).doc("effort, from fast to small"),
    ])
}

#[derive(Deserialize)]
struct Config {
    algorithms: Vec<String>,
    content_types: Vec<String>,
    min_length: u64,
    level: i32,
}

impl Plugin for Compression {
    fn name(&self) -> &'static str {
        "compression"
    }

    /// Below all that changes or stores bodies.
    fn priority(&self) -> i32 {
        90
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        Ok(Configured::handler(CompressionHandler {
            offered: config.algorithms.iter().filter_map(|name| Coding::named(name)).collect(),
            types: config.content_types.iter().map(|text| Pattern::new(text)).collect(),
            min_length: config.min_length,
            level: config.level,
            places: Arc::clone(&self.places),
        }))
    }
}

struct CompressionHandler {
    offered: Box<[Coding]>,
    types: Box<[Pattern]>,
    /// Bytes.
    min_length: u64,
    level: i32,
    places: Arc<Places>,
}

/// What the client takes, as far as the answer needs to know.
#[derive(Clone, Copy)]
struct Wanted {
    coding: Option<Coding>,
    head: bool,
}

impl Handler for CompressionHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        self.note(request, exchange);
        Flow::Continue
    }

    fn on_skipped(&self, request: &Request<Body>, exchange: &mut Exchange) {
        self.note(request, exchange);
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        if let Some(wanted) = exchange.extensions.get::<Wanted>().copied()
            && self.fits(response)
        {
            vary_by_encoding(response.headers_mut());
            if let Some(coding) = wanted.coding {
                self.compress(response, coding, wanted.head);
            }
        }
        Flow::Continue
    }
}

impl CompressionHandler {
    fn note(&self, request: &Request<Body>, exchange: &mut Exchange) {
        // Who asks that nobody changes the answer gets it so (RFC 9111 5.2.1.6).
        if !has_directive(request.headers(), "no-transform") {
            let coding = choose(request.headers(), &self.offered);
            exchange.extensions.insert(Wanted { coding, head: request.method() == http::Method::HEAD });
        }
    }

    /// Whether an answer is compressed for clients that take it so.
    fn fits(&self, response: &Response<Body>) -> bool {
        let headers = response.headers();
        let whole = !matches!(
            response.status(),
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        );
        whole
            && !response.status().is_informational()
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && !DIGESTS.iter().any(|name| headers.contains_key(name))
            && !has_directive(headers, "no-transform")
            && self.fits_length(response)
            && self.fits_type(headers)
    }

    /// The length of a body that is not here, as of an answer to HEAD, is what its head says.
    fn fits_length(&self, response: &Response<Body>) -> bool {
        let told =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let length: Option<u64> = told.or_else(|| response.body().size_hint().exact());
        length.is_none_or(|length| length >= self.min_length.max(1))
    }

    fn fits_type(&self, headers: &HeaderMap) -> bool {
        let text = headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        !essence.starts_with("application/grpc") && self.types.iter().any(|pattern| pattern.matches(&essence))
    }

    fn compress(&self, response: &mut Response<Body>, coding: Coding, head: bool) {
        if !head {
            let body = std::mem::take(response.body_mut());
            match Compressed::new(body, coding, self.level, &self.places) {
                Ok(compressed) => *response.body_mut() = Body::new(compressed),
                Err(body) => {
                    *response.body_mut() = body;
                    return;
                }
            }
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.word()));
        headers.remove(CONTENT_LENGTH);
        // Ranges would be of the compressed bytes, which are not the same each time.
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
    }
}

/// The same answer in other bytes: equal in meaning alone (RFC 9110 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG) else { return };
    if !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

fn vary_by_encoding(headers: &mut HeaderMap) {
    let names = |name: &str| name == "*" || name.eq_ignore_ascii_case("accept-encoding");
    let lines = headers.get_all(VARY).into_iter().filter_map(|line| line.to_str().ok());
    if !lines.flat_map(|line| line.split(',')).any(|name| names(name.trim())) {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

fn has_directive(headers: &HeaderMap, name: &str) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|directive| directive.trim().eq_ignore_ascii_case(name))
}

/// A media type with at most one `*`. A stream of events is only what names it: to hold one back for the sake of a
/// few bytes would be wrong more often than right.
struct Pattern {
    start: Box<str>,
    end: Option<Box<str>>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.split_once('*') {
            Some((start, end)) => Self { start: start.into(), end: Some(end.into()) },
            None => Self { start: text.into(), end: None },
        }
    }

    fn matches(&self, essence: &str) -> bool {
        match &self.end {
            None => *self.start == *essence,
            Some(_) if essence == "text/event-stream" => false,
            Some(end) => essence.strip_prefix(&*self.start).is_some_and(|rest| rest.ends_with(&**end)),
        }
    }
}

#[cfg(test)]
mod tests;
