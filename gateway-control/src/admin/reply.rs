//! The form of every reply (compat M9), and the errors (compat A13 to A28).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::etag::{NoTags, Whole};
use crate::store::Revision;

/// The revision that an answer is of, where there is a store.
pub(super) const REVISION: HeaderName = HeaderName::from_static("gateway-revision");

/// A JSON reply as Kong writes it: one line, `/` as `\/`.
pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    // A slash stands only inside of texts.
    let text = value.to_string().replace('/', "\\/");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Says which state of everything an answer is of, or has made.
pub(super) fn stamp_whole(response: &mut Response, whole: Whole) {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(whole.tag()) {
        headers.insert(header::ETAG, tag);
    }
    if let Whole::At(revision) = whole {
        headers.insert(REVISION, revision.get().into());
    }
}

/// A JSON reply with 200.
pub(super) fn ok(value: &Value) -> Response {
    json(StatusCode::OK, value)
}

/// A reply that only says something.
pub(super) fn message(status: StatusCode, text: &str) -> Response {
    json(status, &json!({ "message": text }))
}

/// A reply without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    status.into_response()
}

/// What the Admin API refuses, with Kong's codes and words.
#[derive(Debug)]
pub(super) enum Failure {
    /// A path, or an entity, that is not there (compat A24).
    NotFound,
    /// A path that does not know the method (compat A27).
    MethodNotAllowed,
    /// A switch that is neither on nor off.
    Switch(&'static str),
    /// A word that is nearly `dry_run`.
    Spelling(String),
    /// `dry_run` where nothing can be tried.
    NotTried,
    /// A `size` that is none (compat A13).
    Size(&'static str),
    /// An `offset` that is none (compat A14).
    Offset(String),
    /// A revision to begin with that is none.
    Since(String),
    /// As many listen as there is room for.
    Listeners(usize),
    /// `tags` that mean both AND and OR (compat A15).
    Tags,
    /// A write, as there is no database (compat A47).
    Write(String),
    /// An upstream whose health cannot be set (compat A45).
    Health(String),
    /// A body that is no JSON (compat A28).
    Json,
    /// A body of a kind that is not read (compat A28).
    MediaType,
    /// A body that is too long.
    TooLarge,
    /// A configuration that is no UTF-8.
    Encoding,
    /// A body that did not come whole.
    Incomplete,
    /// A body that did not come in time.
    Late,
    /// A write, with status and body (compat A18 to A25).
    Refused(StatusCode, Value),
    /// What takes a store, where there is none.
    NoStore,
    /// What was before, where nothing keeps it.
    NoHistory,
    /// A revision that the history does not have.
    NoRevision(Revision),
    /// A revision that the history does not reach back to.
    Forgotten(Revision),
    /// It is not as its author says that it is (RFC 9110 13.1): how, and what is newest.
    Precondition(&'static str, Whole),
    /// A field of the head that is no list of tags.
    Tag(NoTags),
    /// A batch that cannot be read.
    Batch(String),
    /// One write of a batch, which is refused with it.
    Operation {
        /// Which, counted from 0.
        index: usize,
        /// Why.
        failure: Box<Failure>,
    },
    /// Others have been asking for longer than one waits.
    Busy,
    /// A mistake of this program.
    Unexpected,
    /// Nobody that is known (`Access`).
    Unauthorized,
    /// Not exactly one field `Host` (RFC 9112 3.2).
    Hosts,
    /// A change asked for by a name that a stranger may own (D37).
    Host,
    /// A change that another site's page asks for (D37).
    Origin,
}

impl Failure {
    /// Status and body.
    fn parts(self) -> (StatusCode, Value) {
        let refuse = |status, code: u8, name: &str, text: &str| {
            (status, json!({ "code": code, "name": name, "message": text }))
        };
        let message = |status, text: &str| (status, json!({ "message": text }));
        match self {
            Self::NotFound => message(StatusCode::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::Switch(name) => {
                message(StatusCode::BAD_REQUEST, &format!("{name} must be one of: 0, 1, false, true"))
            }
            Self::Spelling(word) => {
                message(StatusCode::BAD_REQUEST, &format!("unknown argument '{word}': dry_run may be meant"))
            }
            Self::NotTried => message(
                StatusCode::BAD_REQUEST,
                "dry_run is for changes of entities; this would be done, so nothing was",
            ),
            Self::Size(text) => refuse(StatusCode::BAD_REQUEST, 9, "invalid size", text),
            Self::Offset(offset) => {
                let text = format!("'{offset}' is not a valid offset: bad json encoding");
                refuse(StatusCode::BAD_REQUEST, 7, "invalid offset", &text)
            }
            Self::Since(text) => {
                let text = format!("'{text}' is no revision: a number is expected (since, Last-Event-ID)");
                message(StatusCode::BAD_REQUEST, &text)
            }
            Self::Listeners(room) => message(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("{room} listen already, and there is room for no more: try again later"),
            ),
            Self::Tags => (
                StatusCode::BAD_REQUEST,
                json!({
                    "code": 11,
                    "name": "invalid options",
                    "message": "invalid option (tags: invalid filter syntax)",
                    "options": { "tags": "invalid filter syntax" }
                }),
            ),
            Self::Write(text) => refuse(StatusCode::METHOD_NOT_ALLOWED, 12, "operation unsupported", &text),
            Self::Health(text) => message(StatusCode::BAD_REQUEST, &text),
            Self::Json => message(StatusCode::BAD_REQUEST, "Cannot parse JSON body"),
            Self::MediaType => message(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::TooLarge => message(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"),
            Self::Encoding => message(StatusCode::BAD_REQUEST, "the configuration is not UTF-8"),
            Self::Incomplete => message(StatusCode::BAD_REQUEST, "Bad request"),
            Self::Late => message(StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::Refused(status, body) => (status, body),
            Self::NoStore => {
                let text = "cannot change single entities when not using a database";
                refuse(StatusCode::METHOD_NOT_ALLOWED, 12, "operation unsupported", text)
            }
            Self::NoHistory => {
                let text = "there is no history without a store";
                refuse(StatusCode::METHOD_NOT_ALLOWED, 12, "operation unsupported", text)
            }
            Self::NoRevision(revision) => {
                let text = format!("the history has no revision {revision}");
                message(StatusCode::NOT_FOUND, &text)
            }
            Self::Forgotten(revision) => {
                let text = format!("the history does not reach back to revision {revision}");
                message(StatusCode::NOT_FOUND, &text)
            }
            Self::Precondition(how, whole) => {
                message(StatusCode::PRECONDITION_FAILED, &format!("{how}: {whole}"))
            }
            Self::Tag(field) => message(StatusCode::BAD_REQUEST, &field.to_string()),
            Self::Batch(text) => message(StatusCode::BAD_REQUEST, &text),
            Self::Operation { index, failure } => {
                let (status, body) = failure.parts();
                let text = body.get("message").and_then(Value::as_str).unwrap_or_default();
                let text = format!("operation {index} is refused, and all others with it: {text}");
                let status_of_it = status.as_u16();
                (status, json!({ "message": text, "index": index, "status": status_of_it, "body": body }))
            }
            Self::Busy => {
                message(StatusCode::SERVICE_UNAVAILABLE, "others are writing, try again in a moment")
            }
            Self::Unexpected => message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
            Self::Unauthorized => message(StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Hosts => message(StatusCode::BAD_REQUEST, "a request has exactly one field Host"),
            Self::Host => message(
                StatusCode::FORBIDDEN,
                "Host is neither an address nor localhost, nor a name that is listed (admin_hosts)",
            ),
            Self::Origin => {
                message(StatusCode::FORBIDDEN, "no change is taken from the page of another site")
            }
        }
    }
}

impl From<NoTags> for Failure {
    fn from(field: NoTags) -> Self {
        Self::Tag(field)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let is_busy = matches!(self, Self::Busy | Self::Listeners(_));
        let is_unknown = matches!(self, Self::Unauthorized);
        let (status, body) = self.parts();
        let mut response = json(status, &body);
        let headers = response.headers_mut();
        if is_busy {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if is_unknown {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
