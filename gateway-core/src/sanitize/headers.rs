//! The header fields that end at this hop, and those that a client may not set.

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use smallvec::SmallVec;

use super::{
    framing::{content_length, plain_digits},
    names::{HTTP2_SETTINGS, KEEP_ALIVE, Marks, PROXY, PROXY_CONNECTION, is_protected, is_risky},
};
use crate::error::Reason;

/// What happens to fields that are legal but that an upstream may take for something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// They pass, as in Kong (compat D13).
    #[default]
    Compatible,
    /// `Forwarded`, `Proxy-Authorization`, `X-Original-URL`, `X-Rewrite-URL` and every name with a
    /// `_` are dropped (docs/threat-model.md, H2 and H3).
    Strict,
}

/// What happens where Kong 3.9 is laxer than it should be (compat D1, D3 and D14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Hosts have one form, an absolute target agrees with `Host`, and a client cannot say who it is.
    #[default]
    Kong39,
    /// As Kong: hosts keep their case and final dot, an absolute target's authority is not looked at,
    /// identity headers pass.
    Kong39Strict,
}

/// Whether trailers go on to the one who gets the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trailers {
    /// It cannot take them: `Trailer` is dropped (compat P31).
    #[default]
    Drop,
    /// It speaks HTTP/2 or has said `TE: trailers`: `Trailer` stays (compat D16).
    Forward,
}

/// Takes off a request what ends at this hop or what a client may not say: the fields that
/// `Connection` nominates but for protected ones, `Connection`, `Keep-Alive`, `Proxy-Connection`,
/// `Transfer-Encoding`, `Upgrade`, `HTTP2-Settings`, `Proxy`, `Expect`, the identity headers
/// ([`IDENTITY`](super::names::IDENTITY)). `TE` is reduced to `trailers`, cookie fields are joined to one (RFC 9113
/// section 8.2.3), equal `Content-Length` fields too. `Trailer`, `Proxy-Authorization` and
/// `Proxy-Authenticate` stay. One pass, and no allocation where there is nothing to change.
///
/// # Errors
/// [`Reason::BadRequest`]: `Content-Length` is none, or its fields differ.
pub fn strip_request(headers: &mut HeaderMap, strictness: Strictness) -> Result<(), Reason> {
    content_length(headers).map_err(|_| Reason::BadRequest)?;
    let survey = Survey::new(headers);
    survey.strip_request(headers, strictness, Compat::Kong39);
    Ok(())
}

/// Takes off a response what ends at this hop: what `Connection` nominates, `Connection`,
/// `Keep-Alive`, `Proxy-Connection`, `Transfer-Encoding`, `Upgrade`, `TE`, and `Trailer` where
/// trailers are dropped. `Content-Length` goes beside a `Transfer-Encoding` (RFC 9112 section
/// 6.3). `Proxy-Authenticate` stays (compat P31).
pub fn strip_response(headers: &mut HeaderMap, trailers: Trailers) {
    Survey::new(headers).strip_response(headers, trailers);
}

/// Takes out of trailers what may not stand there: framing, routing, authentication, cookies and
/// everything that the gateway itself sets (RFC 9110 section 6.5.1; docs/threat-model.md, F10).
pub fn clean_trailers(trailers: &mut HeaderMap) {
    const FORBIDDEN: [&str; 16] = [
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "proxy-authenticate",
        "authentication-info",
        "proxy-authentication-info",
        "set-cookie",
        "cookie",
        "content-encoding",
        "content-type",
        "content-range",
        "cache-control",
        "location",
        "forwarded",
        "expect",
        "trailer",
    ];
    remove_where(trailers, |name| {
        let hop = Marks::of(name) != Marks::NONE;
        hop || is_protected(name.as_str()) || FORBIDDEN.contains(&name.as_str())
    });
}

/// What one pass over the fields has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Survey {
    /// What is there.
    pub(super) seen: Marks,
    /// What is there more than once.
    pub(super) repeated: Marks,
    /// Bytes of all fields as HTTP/1 writes them.
    pub(super) bytes: usize,
    /// The last `Content-Length` is plain digits.
    plain: bool,
    /// A value begins or ends with a blank, which only HTTP/2 can bring in (RFC 9113 section 8.2.1).
    pub(super) padded: bool,
}

impl Survey {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        const COLON_AND_LINE_END: usize = 4;
        let mut survey = Self::default();
        for (name, value) in headers {
            let mark = Marks::of(name);
            if survey.seen.has(mark) {
                survey.repeated = survey.repeated.and(mark);
            }
            survey.seen = survey.seen.and(mark);
            if mark == Marks::CONTENT_LENGTH {
                survey.plain = plain_digits(value.as_bytes()).is_some();
            }
            survey.bytes += name.as_str().len() + value.len() + COLON_AND_LINE_END;
            survey.padded |= matches!(value.as_bytes(), [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
        }
        survey
    }

    /// Whether there is a `Content-Length` that needs a closer look: it is not one field of plain digits.
    pub(super) fn length_is_odd(self) -> bool {
        let plain = self.plain && !self.repeated.has(Marks::CONTENT_LENGTH);
        self.seen.has(Marks::CONTENT_LENGTH) && !plain
    }

    pub(super) fn strip_request(self, headers: &mut HeaderMap, strictness: Strictness, compat: Compat) {
        const PLAIN: Marks = Marks::HOST.and(Marks::CONTENT_LENGTH).and(Marks::COOKIE).and(Marks::TRAILER);
        if self.repeated.has(Marks::COOKIE) {
            join_cookies(headers);
        }
        if self.length_is_odd() {
            collapse_length(headers);
        }
        if strictness == Strictness::Strict {
            remove_where(headers, is_risky);
        }
        let odd = self.seen.without(PLAIN);
        if odd == Marks::NONE {
            return;
        }
        self.strip_hop(headers);
        if odd.has(Marks::TE) {
            reduce_te(headers);
        }
        if odd.has(Marks::EXPECT) {
            headers.remove(EXPECT);
        }
        if odd.has(Marks::IDENTITY) && compat == Compat::Kong39 {
            remove_where(headers, |name| Marks::of(name) == Marks::IDENTITY);
        }
    }

    pub(super) fn strip_response(self, headers: &mut HeaderMap, trailers: Trailers) {
        if self.seen.has(Marks::CONTENT_LENGTH) && self.seen.has(Marks::TRANSFER_ENCODING) {
            headers.remove(CONTENT_LENGTH);
        } else if self.length_is_odd() {
            collapse_length(headers);
        }
        self.strip_hop(headers);
        if self.seen.has(Marks::TE) {
            headers.remove(TE);
        }
        if self.seen.has(Marks::TRAILER) && trailers == Trailers::Drop {
            headers.remove(TRAILER);
        }
    }

    /// RFC 9110 section 7.6.1, for either direction.
    fn strip_hop(self, headers: &mut HeaderMap) {
        if self.seen.has(Marks::CONNECTION) {
            remove_nominated(headers);
            headers.remove(CONNECTION);
        }
        if self.seen.has(Marks::TRANSFER_ENCODING) {
            headers.remove(TRANSFER_ENCODING);
        }
        if self.seen.has(Marks::UPGRADE) {
            headers.remove(UPGRADE);
        }
        if self.seen.has(Marks::HOP) {
            for name in [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, PROXY] {
                headers.remove(name);
            }
        }
    }
}

/// Removes what `Connection` names, but for protected fields and its own options.
fn remove_nominated(headers: &mut HeaderMap) {
    let mut nominated: SmallVec<[HeaderName; 4]> = SmallVec::new();
    for value in headers.get_all(CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let option = ["keep-alive", "close", "upgrade"]
                .iter()
                .any(|option| token.eq_ignore_ascii_case(option.as_bytes()));
            let Some(token) = str::from_utf8(token).ok().filter(|token| !option && !is_protected(token))
            else {
                continue;
            };
            if headers.contains_key(token) {
                nominated.extend(HeaderName::from_bytes(token.as_bytes()));
            }
        }
    }
    for name in nominated {
        headers.remove(name);
    }
}

/// `TE: trailers` is all that goes on (compat P35).
fn reduce_te(headers: &mut HeaderMap) {
    let trailers = wants_trailers(headers);
    match headers.get(TE) {
        Some(only) if trailers && only == "trailers" && headers.get_all(TE).iter().count() == 1 => {}
        _ if trailers => drop(headers.insert(TE, HeaderValue::from_static("trailers"))),
        _ => drop(headers.remove(TE)),
    }
}

/// Whether `TE` lists `trailers`.
pub(super) fn wants_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|listed| listed.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// One field with all crumbs (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if let Some(joined) = join(headers, &COOKIE, b"; ") {
        headers.insert(COOKIE, joined);
    }
}

/// All values of `name` in one.
fn join(headers: &HeaderMap, name: &HeaderName, separator: &[u8]) -> Option<HeaderValue> {
    let mut joined = BytesMut::new();
    for value in headers.get_all(name) {
        if !joined.is_empty() {
            joined.extend_from_slice(separator);
        }
        joined.extend_from_slice(value.as_bytes());
    }
    HeaderValue::from_maybe_shared(joined.freeze()).ok()
}

/// One field, plain digits. Lengths that differ have been refused before.
fn collapse_length(headers: &mut HeaderMap) {
    if let Ok(Some(length)) = content_length(headers)
        && !length.canonical
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length.bytes));
    }
}

fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let names: SmallVec<[HeaderName; 8]> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
