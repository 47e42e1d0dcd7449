//! The gateway's own answers: one message in the form the client asks for.
//!
//! The bodies are Kong's, byte for byte (compat A 2.5, B 3.1): JSON, HTML, XML or plain text by
//! `Accept`, a gRPC status for gRPC calls. Who answers, and with which status and text, is decided
//! elsewhere: [`Reason`] for the gateway, a plugin for itself.
//!
//! ```
//! use gateway_core::{Reason, RequestId, reply::{Asked, reply}};
//!
//! let request = http::Request::builder().header("accept", "*/*").body(()).unwrap();
//! let response = reply(Reason::NoRoute, Asked::of(&request), RequestId::random());
//! assert_eq!(response.status(), 404);
//! ```

mod branding;
mod form;
mod instead;
mod refusal;
mod retry_after;

pub use branding::Branding;
pub use form::{Asked, Form};
pub use instead::Instead;
pub use refusal::Refusal;
pub use retry_after::RetryAfter;

use http::{
    HeaderMap, HeaderValue, Response, StatusCode, Uri,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, UPGRADE},
};

use crate::{Body, Reason, RequestId};

/// Answers a failure with the status and text of its reason, and closes the connection where the
/// reason says so.
#[must_use]
pub fn reply(reason: Reason, asked: Asked, id: RequestId) -> Response<Body> {
    let form = if reason.nginx_born() { asked.nginx_born() } else { asked.own() };
    let mut response = answer(reason.status(), reason.message(), form, asked, id);
    if reason.closes_connection() && asked.message.is_http1() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Answers with a status and a text of the caller's, as Kong's plugins do: `401`, `Unauthorized`.
#[must_use]
pub fn message_reply(status: StatusCode, message: &str, asked: Asked, id: RequestId) -> Response<Body> {
    answer(status, message, asked.own(), asked, id)
}

/// Answers a request in clear on a route that wants HTTPS (compat P15, R16).
///
/// `status` is the route's `https_redirect_status_code`: 301, 302, 307 and 308 send the client to the
/// same target at `https://host`; anything else is 426 with `Upgrade`. `host` has no port. A host that
/// cannot stand in a header is answered as [`Reason::BadHost`].
#[must_use]
pub fn https_reply(status: u16, host: &str, target: &Uri, asked: Asked, id: RequestId) -> Response<Body> {
    let reason = Reason::HttpsRequired;
    if !matches!(status, 301 | 302 | 307 | 308) {
        let mut response = reply(reason, asked, id);
        if asked.message.is_http1() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
        }
        return response;
    }
    let target = target.path_and_query().map_or("/", |target| target.as_str());
    let slash = if target.starts_with('/') { "" } else { "/" };
    let Ok(location) = HeaderValue::try_from(format!("https://{host}{slash}{target}")) else {
        return reply(Reason::BadHost, asked, id);
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    let mut response = message_reply(status, reason.message(), asked, id);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// Answers a request that a route for gRPC does not take (compat R17): [`Reason::GrpcRequired`],
/// [`Reason::Http2Required`] with `Upgrade`, or [`Reason::GrpcsRequired`], which a client of gRPC sees as a call that
/// was cancelled.
#[must_use]
pub fn grpc_reply(reason: Reason, asked: Asked, id: RequestId) -> Response<Body> {
    let mut response = match reason {
        Reason::GrpcsRequired => answer(reason.status(), reason.message(), Form::Grpc, asked, id),
        _ => reply(reason, asked, id),
    };
    let headers = response.headers_mut();
    match reason {
        Reason::GrpcsRequired => drop(headers.insert("grpc-status", HeaderValue::from_static("1"))),
        Reason::Http2Required if asked.message.is_http1() => {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("HTTP/2"));
        }
        _ => {}
    }
    response
}

fn answer(status: StatusCode, message: &str, form: Form, asked: Asked, id: RequestId) -> Response<Body> {
    let body = body(form, message, id);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    if form == Form::Grpc {
        grpc_status(headers, status, message);
    }
    if asked.message.is_head() {
        // hyper writes an answer to HEAD over HTTP/2 with its body, if it has one.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    } else {
        *response.body_mut() = Body::from(body);
    }
    response
}

/// The bytes of one form. Each is Kong's template.
fn body(form: Form, message: &str, id: RequestId) -> Vec<u8> {
    let digits = id.digits();
    let parts: [&[u8]; 3] = match form {
        Form::Json => [b"{\n  \"message\":", b",\n  \"request_id\":\"", b"\"\n}"],
        Form::Html => [
            b"<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  \
              </head>\n  <body>\n    <h1>Error</h1>\n    <p>",
            b".</p>\n    <p>request_id: ",
            b"</p>\n  </body>\n</html>\n",
        ],
        Form::Xml => [
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>",
            b"</message>\n  <requestid>",
            b"</requestid>\n</error>\n",
        ],
        Form::Plain => [b"", b"\nrequest_id: ", b"\n"],
        Form::Grpc => return Vec::new(),
    };
    let [before, between, after] = parts;
    let fixed: usize = parts.iter().map(|part| part.len()).sum();
    let mut body = Vec::with_capacity(fixed + message.len() + digits.len() + 2);
    body.extend_from_slice(before);
    push_message(&mut body, form, message);
    body.extend_from_slice(between);
    body.extend_from_slice(&digits);
    body.extend_from_slice(after);
    body
}

/// The message, escaped: a plugin's may quote what the client sent.
fn push_message(body: &mut Vec<u8>, form: Form, message: &str) {
    match form {
        Form::Json => {
            let text = serde_json::Value::from(message).to_string();
            body.extend_from_slice(text.as_bytes());
        }
        Form::Html | Form::Xml => {
            for byte in message.bytes() {
                match byte {
                    b'&' => body.extend_from_slice(b"&amp;"),
                    b'<' => body.extend_from_slice(b"&lt;"),
                    b'>' => body.extend_from_slice(b"&gt;"),
                    _ => body.push(byte),
                }
            }
        }
        Form::Plain | Form::Grpc => body.extend_from_slice(message.as_bytes()),
    }
}

/// Makes an answer with a text one that a caller of gRPC understands: the text becomes `grpc-message`, its first
/// [`LONGEST_MESSAGE`] bytes, beside the `code`, else that of the HTTP status, which stays what it is. An answer that
/// says its `grpc-status` by itself is left as it is.
///
/// ```
/// use gateway_core::{Body, reply::as_grpc};
///
/// let mut response = http::Response::builder().status(403).body(Body::empty()).unwrap();
/// as_grpc(&mut response, None, "not you");
/// assert_eq!(response.headers()["grpc-status"], "7");
/// assert_eq!(response.headers()["grpc-message"], "not you");
/// ```
pub fn as_grpc(response: &mut Response<Body>, code: Option<u16>, text: &str) {
    let status = response.status();
    let headers = response.headers_mut();
    if headers.contains_key("grpc-status") {
        return;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Form::Grpc.content_type()));
    headers.remove(CONTENT_LENGTH);
    grpc_status(headers, status, text.get(..text.floor_char_boundary(LONGEST_MESSAGE)).unwrap_or(text));
    if let Some(code) = code {
        headers.insert("grpc-status", HeaderValue::from(code));
    }
    *response.body_mut() = Body::empty();
}

/// The most bytes of a text that [`as_grpc`] makes a message of.
pub const LONGEST_MESSAGE: usize = 1 << 10;

/// The status as gRPC says it, in a header block that is the only one (gRPC over HTTP/2, Trailers-Only).
/// The HTTP status stays what it is, as with Kong.
fn grpc_status(headers: &mut HeaderMap, status: StatusCode, message: &str) {
    headers.insert("grpc-status", HeaderValue::from(grpc_code(status)));
    if let Ok(message) = HeaderValue::try_from(percent_encoded(message)) {
        headers.insert("grpc-message", message);
    }
}

/// Kong's table from HTTP to gRPC.
fn grpc_code(status: StatusCode) -> u16 {
    match status.as_u16() {
        200..=299 => 0,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        429 => 8,
        400..=499 => 3,
        501 => 12,
        503 => 14,
        504 => 4,
        500..=599 => 13,
        _ => 2,
    }
}

/// A message as `grpc-message` carries it: printable ASCII but `%` stays, other bytes become `%XX`.
fn percent_encoded(message: &str) -> String {
    use std::fmt::Write as _;
    message.bytes().fold(String::with_capacity(message.len()), |mut text, byte| {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
mod tests;
