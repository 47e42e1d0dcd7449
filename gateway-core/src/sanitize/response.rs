//! The head of an upstream's response, checked before a client sees any of it.

use http::{HeaderMap, HeaderValue, StatusCode, Version, header::CONTENT_TYPE, response::Parts};
use hyper::ext::ReasonPhrase;

use super::{
    Trailers, Upgrade,
    framing::{content_length, is_only_chunked},
    headers::Survey,
    names::Marks,
};
use crate::error::Reason;

/// Checks the head of an upstream's response and takes off what ends at this hop
/// ([`strip_response`](super::strip_response)) and the reason phrase, which may say anything. Text without
/// a charset is said to be UTF-8 (compat P31). The
/// version becomes HTTP/1.1, so that an old upstream does not close the client's connection; the
/// answer is the version it came in, for `Via`.
///
/// A 101 has to answer `asked`, the handshake that was sent; its `Connection` and `Upgrade` are then
/// written anew.
///
/// Interim responses do not come here: [`Backend`](crate::upstream::Backend) takes them, and bounds them. An
/// embedder with another client has to.
///
/// # Errors
/// [`Reason::BadResponse`]: a status outside 200 to 599 but for the right 101, HTTP/0.9, a transfer
/// coding other than one `chunked`, a `Content-Length` that is none or differs from another
/// (docs/threat-model.md, U1; compat D19).
pub fn guard_response(
    parts: &mut Parts,
    asked: Option<&Upgrade>,
    trailers: Trailers,
) -> Result<Version, Reason> {
    let survey = Survey::new(&parts.headers);
    let switched = check_status(parts, asked)?;
    check_framing(parts, survey)?;
    survey.strip_response(&mut parts.headers, trailers);
    name_charset(&mut parts.headers);
    if let Some(upgrade) = switched {
        upgrade.confirm(&mut parts.headers);
    }
    if !parts.extensions.is_empty() {
        parts.extensions.remove::<ReasonPhrase>();
    }
    Ok(std::mem::replace(&mut parts.version, Version::HTTP_11))
}

fn check_status<'a>(parts: &Parts, asked: Option<&'a Upgrade>) -> Result<Option<&'a Upgrade>, Reason> {
    match (parts.status, asked) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(upgrade)) if upgrade.accepts(&parts.headers) => {
            Ok(Some(upgrade))
        }
        (status, _) if (200..600).contains(&status.as_u16()) => Ok(None),
        _ => Err(Reason::BadResponse),
    }
}

/// Names the charset of a text that names none: the types are those of nginx's `charset_types`, of which
/// `text/plain` was observed (compat P31).
fn name_charset(headers: &mut HeaderMap) {
    const NAMED: [(&str, &str); 5] = [
        ("text/html", "text/html; charset=UTF-8"),
        ("text/plain", "text/plain; charset=UTF-8"),
        ("text/xml", "text/xml; charset=UTF-8"),
        ("application/javascript", "application/javascript; charset=UTF-8"),
        ("application/rss+xml", "application/rss+xml; charset=UTF-8"),
    ];
    let Some(value) = headers.get_mut(CONTENT_TYPE) else { return };
    let bare = |(bare, _): &&(&str, &str)| value.as_bytes().eq_ignore_ascii_case(bare.as_bytes());
    if let Some((_, named)) = NAMED.iter().find(bare) {
        *value = HeaderValue::from_static(named);
    }
}

fn check_framing(parts: &Parts, survey: Survey) -> Result<(), Reason> {
    let coded = survey.seen.has(Marks::TRANSFER_ENCODING);
    // RFC 9112 section 6.3, rule 3: the coding wins, whatever the length says.
    let length = coded || !survey.length_is_odd() || content_length(&parts.headers).is_ok();
    let coding = !coded || is_only_chunked(&parts.headers);
    if length && coding && parts.version != Version::HTTP_09 { Ok(()) } else { Err(Reason::BadResponse) }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response, Version};
    use hyper::ext::ReasonPhrase;

    use super::guard_response;
    use crate::{
        error::Reason,
        sanitize::{Rules, Trailers, Upgrade, check_head},
    };

    fn guarded(
        status: u16,
        fields: &[(&str, &str)],
        asked: Option<&Upgrade>,
    ) -> Result<http::response::Parts, Reason> {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let mut parts = response.body(()).unwrap().into_parts().0;
        guard_response(&mut parts, asked, Trailers::Drop).map(|_| parts)
    }

    #[test]
    fn u1_and_deviation_19_bad_answers_are_refused() {
        for (status, fields) in [
            (999, &[][..]),
            (600, &[]),
            (100, &[]),
            (101, &[("connection", "upgrade"), ("upgrade", "websocket")]),
            (200, &[("transfer-encoding", "xchunked")]),
            (200, &[("transfer-encoding", "gzip, chunked")]),
            (200, &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]),
            (200, &[("content-length", "-1")]),
            (200, &[("content-length", "1"), ("content-length", "2")]),
        ] {
            assert_eq!(
                guarded(status, fields, None).unwrap_err(),
                Reason::BadResponse,
                "{status} {fields:?}"
            );
        }
        for status in [200, 204, 304, 418, 599] {
            assert!(guarded(status, &[("content-length", "0")], None).is_ok(), "{status}");
        }
    }

    #[test]
    fn compat_p31_text_without_a_charset_gets_one() {
        for (received, sent) in [
            ("text/plain", "text/plain; charset=UTF-8"),
            ("TEXT/HTML", "text/html; charset=UTF-8"),
            ("text/plain; charset=latin1", "text/plain; charset=latin1"),
            ("text/plain;format=flowed", "text/plain;format=flowed"),
            ("application/json", "application/json"),
            ("text/css", "text/css"),
        ] {
            let parts = guarded(200, &[("content-type", received)], None).unwrap();
            assert_eq!(parts.headers["content-type"], sent);
        }
    }

    #[test]
    fn u1_both_framings_leave_none() {
        let parts = guarded(200, &[("content-length", "x"), ("transfer-encoding", "chunked")], None).unwrap();
        assert!(parts.headers.is_empty());
    }

    #[test]
    fn u1_the_reason_phrase_is_dropped_and_the_hop_ends() {
        let mut response =
            Response::builder().version(Version::HTTP_10).header("connection", "close, x").header("x", "y");
        response.extensions_mut().unwrap().insert(ReasonPhrase::from_static(b"<b>"));
        let mut parts = response.body(()).unwrap().into_parts().0;
        assert_eq!(guard_response(&mut parts, None, Trailers::Drop), Ok(Version::HTTP_10));
        assert!(parts.headers.is_empty() && parts.extensions.is_empty());
        assert_eq!(parts.version, Version::HTTP_11);
    }

    #[test]
    fn w1_the_right_101_passes() {
        let request = Request::get("/")
            .header("host", "a")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let parts = request.body(()).unwrap().into_parts().0;
        let upgrade = check_head(&parts, &Rules::default()).unwrap().upgrade.unwrap();
        let good = [
            ("connection", "upgrade, x"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("x", "y"),
        ];
        let parts = guarded(101, &good, Some(&upgrade)).unwrap();
        assert_eq!(parts.headers["upgrade"], "websocket");
        assert_eq!(parts.headers["connection"], "Upgrade");
        assert!(!parts.headers.contains_key("x"));
        assert!(guarded(101, &good[..2], Some(&upgrade)).is_err());
        assert!(guarded(200, &[], Some(&upgrade)).is_ok());
    }
}
