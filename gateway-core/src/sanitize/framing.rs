//! Where a message's body ends: the fields that say so, and those we write ourselves.

use http::{
    HeaderMap, HeaderValue, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;

/// Whether the version multiplexes streams and has an `:authority`.
pub(super) const fn multiplexed(version: Version) -> bool {
    matches!(version, Version::HTTP_2 | Version::HTTP_3)
}

/// Whether the transfer coding is the one that a gateway can take off: a single `chunked`
/// (docs/threat-model.md, F2 and F3; compat D7). True where the field is absent.
pub(crate) fn is_only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).into_iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// The length that all `Content-Length` fields agree on, and whether it is spelled in one field of
/// plain digits (docs/threat-model.md, F5).
pub(super) struct Length {
    pub(super) bytes: u64,
    pub(super) canonical: bool,
}

/// `Ok(None)` without the field, `Err` where it is no length or the fields differ
/// (RFC 9112 section 6.3, rule 5).
pub(super) fn content_length(headers: &HeaderMap) -> Result<Option<Length>, NotALength> {
    if let Some(bytes) = plain_length(headers) {
        return Ok(Some(Length { bytes, canonical: true }));
    }
    let mut found: Option<Length> = None;
    for field in headers.get_all(CONTENT_LENGTH) {
        for text in field.as_bytes().split(|byte| *byte == b',') {
            let text = text.trim_ascii();
            let bytes = digits(text).ok_or(NotALength)?;
            let canonical = found.is_none() && (text == b"0" || !text.starts_with(b"0"));
            if found.is_some_and(|found| found.bytes != bytes) {
                return Err(NotALength);
            }
            found = Some(Length { bytes, canonical });
        }
    }
    Ok(found)
}

/// The length where it is said once and plainly, as it nearly always is.
fn plain_length(headers: &HeaderMap) -> Option<u64> {
    let mut fields = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    plain_digits(field.as_bytes())
}

/// The length that a field of plain digits says.
pub(super) fn plain_digits(text: &[u8]) -> Option<u64> {
    const LONGEST: usize = 18;
    let plain = matches!(text, [b'1'..=b'9', ..] | b"0") && text.len() <= LONGEST;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    if !plain {
        return None;
    }
    text.iter().try_fold(0, |length, byte| Some(length * 10 + digit(byte)?))
}

/// The length that the head of a message tells, if any.
pub(crate) fn told_length(headers: &HeaderMap) -> Result<Option<u64>, NotALength> {
    Ok(content_length(headers)?.map(|length| length.bytes))
}

/// A `Content-Length` that says nothing.
pub(crate) struct NotALength;

/// Digits alone: no sign, no blank, no overflow.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// How the next hop frames bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// HTTP/1.1: by `Content-Length`, or chunked.
    Http1,
    /// HTTP/2: by frames; a length may be told.
    Http2,
}

/// Writes the framing fields of a request from the body it really carries, after the plugins had
/// it, whatever its head said before. Call it last before the request goes to an upstream.
///
/// A length that is known becomes `Content-Length`, one that is not becomes chunked on HTTP/1: hyper
/// would send no body at all for a `GET` that has one of unknown length. A request without a body
/// gets no fields, but keeps a `Content-Length: 0`. Nothing is written where nothing changes.
pub fn frame_request<B: Body>(headers: &mut HeaderMap, body: &B, hop: Hop) {
    let size = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    if size == Some(0) && !headers.contains_key(CONTENT_LENGTH) {
        headers.remove(TRANSFER_ENCODING);
    } else if let Some(size) = size {
        headers.remove(TRANSFER_ENCODING);
        let said = content_length(headers);
        let right = match &said {
            Ok(None) => size == 0,
            Ok(Some(length)) => length.canonical && length.bytes == size,
            Err(NotALength) => false,
        };
        if !right {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        }
    } else {
        headers.remove(CONTENT_LENGTH);
        match hop {
            Hop::Http1 => headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
            Hop::Http2 => headers.remove(TRANSFER_ENCODING),
        };
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use http_body_util::{BodyExt, Empty, Full};

    use super::{Hop, content_length, frame_request, is_only_chunked};

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter().copied();
        fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn rows_f2_and_f3_one_coding_passes() {
        for (values, passes) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked"], true),
            (&["gzip, chunked"], false),
            (&["identity, chunked"], false),
            (&["chunked, chunked"], false),
            (&["chunked", "chunked"], false),
            (&["xchunked"], false),
            (&["\"chunked\""], false),
            (&[",chunked,"], false),
            (&[""], false),
        ] {
            let headers: HeaderMap = values
                .iter()
                .map(|value| (http::header::TRANSFER_ENCODING, HeaderValue::from_static(value)))
                .collect();
            assert_eq!(is_only_chunked(&headers), passes, "{values:?}");
        }
    }

    #[test]
    fn row_f5_lengths_are_digits_that_agree() {
        let length = |values: &[&'static str]| {
            let headers: HeaderMap = values
                .iter()
                .map(|value| (http::header::CONTENT_LENGTH, HeaderValue::from_static(value)))
                .collect();
            content_length(&headers).ok().map(|found| found.map(|found| (found.bytes, found.canonical)))
        };
        assert_eq!(length(&[]), Some(None));
        assert_eq!(length(&["0"]), Some(Some((0, true))));
        assert_eq!(length(&["18446744073709551615"]), Some(Some((u64::MAX, true))));
        assert_eq!(length(&["003"]), Some(Some((3, false))));
        assert_eq!(length(&["3", "3"]), Some(Some((3, false))));
        assert_eq!(length(&["3, 3"]), Some(Some((3, false))));
        for bad in
            [&["3", "4"][..], &["+3"], &["-3"], &["0x3"], &["1_0"], &[""], &["3,"], &["18446744073709551616"]]
        {
            assert_eq!(length(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_body_decides_the_framing() {
        let framed = |fields, hop, body: u8| {
            let mut headers = map(fields);
            match body {
                0 => frame_request(&mut headers, &Empty::<Bytes>::new(), hop),
                1 => frame_request(&mut headers, &Full::new(Bytes::from_static(b"abc")), hop),
                // `map_frame` does not pass the size on.
                _ => frame_request(
                    &mut headers,
                    &Full::new(Bytes::from_static(b"abc")).map_frame(|frame| frame),
                    hop,
                ),
            }
            headers
        };
        assert_eq!(framed(&[], Hop::Http1, 0), map(&[]));
        assert_eq!(framed(&[("content-length", "0")], Hop::Http1, 0), map(&[("content-length", "0")]));
        assert_eq!(framed(&[("content-length", "9")], Hop::Http1, 1), map(&[("content-length", "3")]));
        assert_eq!(framed(&[("transfer-encoding", "x")], Hop::Http1, 1), map(&[("content-length", "3")]));
        assert_eq!(
            framed(&[("content-length", "9")], Hop::Http1, 2),
            map(&[("transfer-encoding", "chunked")])
        );
        assert_eq!(framed(&[("content-length", "9")], Hop::Http2, 2), map(&[]));
    }
}
