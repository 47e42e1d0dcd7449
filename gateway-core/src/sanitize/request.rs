//! The head of a request, checked once and brought into canonical form.

use http::{
    HeaderMap, HeaderValue, Method, Uri, Version,
    header::{ALLOW, CONNECTION, EXPECT, HOST, SEC_WEBSOCKET_VERSION, UPGRADE},
    request::Parts,
    uri::{PathAndQuery, Scheme},
};

use super::{
    Compat, Host, Strictness, Trailers, Upgrade,
    framing::{content_length, is_only_chunked, multiplexed},
    headers::{Survey, wants_trailers},
    host::host_of,
    names::Marks,
    path::{canonical_target, refuse_ambiguous},
};
use crate::error::Reason;

/// How strict the edge is and how much it takes; the defaults are those of compat D9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Whether paths are refused that servers read differently, `%2F` and its like. Default
    /// compatible: they pass.
    pub paths: Strictness,
    /// Whether fields are dropped that servers read differently. Default compatible: they pass.
    pub headers: Strictness,
    /// Whether the deviations from Kong hold that a host or an identity header meets. Default: they do.
    pub compat: Compat,
    /// Bytes of the request target. Default 8 KiB; more is 414.
    pub max_target: usize,
    /// Bytes of the whole head. Default 32 KiB; more is 431.
    pub max_head: usize,
    /// Fields of the head. Default 100; more is 431.
    pub max_fields: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            paths: Strictness::Compatible,
            headers: Strictness::Compatible,
            compat: Compat::Kong39,
            max_target: 8 * 1024,
            max_head: 32 * 1024,
            max_fields: 100,
        }
    }
}

/// What [`check_head`] found: all that later steps need to know of the head, and what has to change
/// in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Canonical {
    /// Which host the request is for.
    pub host: Host,
    /// The target with a canonical path, where the one received is not canonical.
    pub target: Option<PathAndQuery>,
    /// The WebSocket handshake that the request asks for.
    pub upgrade: Option<Upgrade>,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// Whether the client takes trailers.
    pub trailers: Trailers,
    rewrite_host: bool,
    survey: Survey,
}

/// Checks the head of a request without changing it. It allocates nothing where the head is
/// canonical; HTTP/2, where `:authority` becomes a `Host` field, costs one small copy.
///
/// # Errors
/// * [`Reason::BadRequest`] (400): HTTP/0.9; a method with other characters than upper-case letters,
///   `-` and `_`; the targets `*` and `host:port`; a scheme other than http and https; a
///   `Content-Length` that is none or differs from another, or beside a `Transfer-Encoding`; a
///   `Transfer-Encoding` on another version than HTTP/1.1; a value with blanks around it; a bad
///   WebSocket handshake.
/// * [`Reason::MethodNotAllowed`] (405): CONNECT, TRACE.
/// * [`Reason::UriTooLong`] (414), [`Reason::HeadTooLarge`] (431): above the limits.
/// * [`Reason::BadHost`], [`Reason::BadPath`] (400).
/// * [`Reason::CodingNotImplemented`] (501): codings other than one `chunked`.
/// * [`Reason::ExpectationFailed`] (417): an expectation other than `100-continue`.
/// * [`Reason::WebsocketVersion`] (426): a handshake of another version than 13.
pub fn check_head(parts: &Parts, rules: &Rules) -> Result<Canonical, Reason> {
    check_method(&parts.method)?;
    check_target(&parts.uri, rules)?;
    let survey = Survey::new(&parts.headers);
    check_size(parts, survey, rules)?;
    check_framing(parts, survey)?;
    let expects_continue = expects_continue(&parts.headers, survey)?;
    let (host, rewrite_host) = host_of(parts, rules.compat)?;
    let target = check_path(&parts.uri, rules)?;
    let upgrade = if survey.seen.has(Marks::UPGRADE) { Upgrade::asked(parts)? } else { None };
    let trailers = trailers(parts, survey);
    Ok(Canonical { host, target, upgrade, expects_continue, trailers, rewrite_host, survey })
}

/// [`check_head`] and [`Canonical::apply`] in one.
///
/// # Errors
/// As [`check_head`]; `parts` is then as it was.
///
/// ```
/// use gateway_core::sanitize::{Rules, sanitize};
///
/// let request = http::Request::get("/a//b/../c?x=1").header("host", "Example.com").header("keep-alive", "5");
/// let mut parts = request.body(()).unwrap().into_parts().0;
/// let canonical = sanitize(&mut parts, &Rules::default()).unwrap();
/// assert_eq!(canonical.host.name(), "example.com");
/// assert_eq!(parts.uri, "/a/c?x=1");
/// assert_eq!(parts.headers.len(), 1);
/// ```
pub fn sanitize(parts: &mut Parts, rules: &Rules) -> Result<Canonical, Reason> {
    let canonical = check_head(parts, rules)?;
    canonical.apply(parts, rules);
    Ok(canonical)
}

impl Canonical {
    /// Brings `parts`, the very head that was checked, into canonical form: the target in origin
    /// form with the canonical path, one canonical `Host`, no fields that end at this hop
    /// ([`strip_request`](super::strip_request)). Afterwards `parts.uri.path()` is the path to route by.
    /// The target as received is gone; keep a clone for the log and for `X-Forwarded-Path`.
    pub fn apply(&self, parts: &mut Parts, rules: &Rules) {
        if let Some(target) = &self.target {
            parts.uri = Uri::from(target.clone());
        } else if parts.uri.authority().is_some() {
            let target = parts.uri.path_and_query().cloned();
            parts.uri = target.map_or_else(|| Uri::from_static("/"), Uri::from);
        }
        if self.rewrite_host {
            parts.headers.insert(HOST, self.host.value().clone());
        }
        self.survey.strip_request(&mut parts.headers, rules.headers, rules.compat);
    }
}

/// Adds to the answer of a refusal the fields that its status demands: `Connection: close` where the
/// framing is in doubt, `Allow` on 405 (RFC 9110 section 15.5.6), `Upgrade` and
/// `Sec-WebSocket-Version` on the 426 of a handshake (RFC 9110 section 15.5.22, RFC 6455 section 4.4).
pub fn complete_refusal(reason: Reason, headers: &mut HeaderMap) {
    if reason.closes_connection() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if reason == Reason::MethodNotAllowed {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    if reason == Reason::WebsocketVersion {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
}

/// Compat D5: what nginx's parser takes as a method.
fn check_method(method: &Method) -> Result<(), Reason> {
    const LONGEST: usize = 64;
    match *method {
        Method::GET
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS
        | Method::PATCH => Ok(()),
        Method::CONNECT | Method::TRACE => Err(Reason::MethodNotAllowed),
        ref other => {
            let name = other.as_str().as_bytes();
            let known = name.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'-' | b'_'));
            if known && name.len() <= LONGEST { Ok(()) } else { Err(Reason::BadRequest) }
        }
    }
}

/// RFC 9112 section 3.2: origin form, or absolute form of http and https. `http::Uri` has cut off
/// a fragment before anyone could see it.
fn check_target(uri: &Uri, rules: &Rules) -> Result<(), Reason> {
    let target = uri.path_and_query().ok_or(Reason::BadRequest)?;
    let origin = uri.authority().map_or(0, |authority| authority.as_str().len() + "https://".len());
    if origin + target.as_str().len() > rules.max_target {
        return Err(Reason::UriTooLong);
    }
    let known = uri.scheme().is_none_or(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    if !known || target.as_str() == "*" { Err(Reason::BadRequest) } else { Ok(()) }
}

/// Compat D9: the same limits whatever the version.
fn check_size(parts: &Parts, survey: Survey, rules: &Rules) -> Result<(), Reason> {
    const REST_OF_THE_LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let head = survey.bytes + parts.method.as_str().len() + target + REST_OF_THE_LINE;
    if head > rules.max_head || parts.headers.len() > rules.max_fields {
        return Err(Reason::HeadTooLarge);
    }
    if survey.padded { Err(Reason::BadRequest) } else { Ok(()) }
}

/// RFC 9112 sections 6.1 and 6.3; docs/threat-model.md, F1 to F5. hyper has decided on a `Content-Length` beside a
/// `Transfer-Encoding` before (compat D6), another server may not have.
fn check_framing(parts: &Parts, survey: Survey) -> Result<(), Reason> {
    let coded = survey.seen.has(Marks::TRANSFER_ENCODING);
    if coded && (parts.version != Version::HTTP_11 || survey.seen.has(Marks::CONTENT_LENGTH)) {
        return Err(Reason::BadRequest);
    }
    if coded && !is_only_chunked(&parts.headers) {
        return Err(Reason::CodingNotImplemented);
    }
    if parts.version == Version::HTTP_09 {
        return Err(Reason::BadRequest);
    }
    if survey.length_is_odd() {
        content_length(&parts.headers).map_err(|_| Reason::BadRequest)?;
    }
    Ok(())
}

/// RFC 9110 section 10.1.1, compat D17. The field does not go on: hyper sends the interim 100 by
/// itself once the body is read.
fn expects_continue(headers: &HeaderMap, survey: Survey) -> Result<bool, Reason> {
    if !survey.seen.has(Marks::EXPECT) {
        return Ok(false);
    }
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().all(known) { Ok(true) } else { Err(Reason::ExpectationFailed) }
}

fn check_path(uri: &Uri, rules: &Rules) -> Result<Option<PathAndQuery>, Reason> {
    let received = uri.path_and_query().ok_or(Reason::BadRequest)?;
    let target = canonical_target(received)?;
    if rules.paths == Strictness::Strict {
        refuse_ambiguous(target.as_ref().unwrap_or(received).path())?;
    }
    Ok(target)
}

/// Compat D16: HTTP/2 has trailers, HTTP/1.1 asks for them.
fn trailers(parts: &Parts, survey: Survey) -> Trailers {
    let wanted = survey.seen.has(Marks::TE) && wants_trailers(&parts.headers);
    if multiplexed(parts.version) || wanted { Trailers::Forward } else { Trailers::Drop }
}

#[cfg(test)]
mod tests;
