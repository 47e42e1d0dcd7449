//! The head of a response.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, StatusCode, Version, header::CONNECTION};

use super::{MOST_BYTES, MOST_FIELDS, Malformed, fields};

/// The head of a response; its reason phrase is dropped, it may say anything.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl Head {
    /// Takes a head off the front of `bytes`; `None` where it is not complete yet, and `bytes` are as before.
    ///
    /// Nothing is lenient: no folded lines, no blanks before a colon (RFC 9112 sections 5.1 and 5.2).
    pub(super) fn parse(bytes: &mut Bytes) -> Result<Option<Self>, Malformed> {
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let strict = httparse::ParserConfig::default();
        let parsed = strict.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) if length <= MOST_BYTES => length,
            Ok(httparse::Status::Partial) if bytes.len() < MOST_BYTES => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooLarge),
            Err(_) => return Err(Malformed::Head),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Head)?;
        let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let mut headers = HeaderMap::new();
        fields::take(&mut headers, bytes, response.headers, Malformed::Head)?;
        bytes.advance(length);
        Ok(Some(Self { version, status, headers }))
    }

    /// Whether another response follows to the same request (RFC 9110 section 15.2). A 101 is the last one.
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Whether the connection may serve another request (RFC 9112 section 9.3).
    pub(super) fn keeps_alive(&self) -> bool {
        let lists = |option: &[u8]| {
            let values = self.headers.get_all(CONNECTION).iter();
            let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
            options.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(option))
        };
        if !self.headers.contains_key(CONNECTION) {
            return self.version == Version::HTTP_11;
        }
        !lists(b"close") && (self.version == Version::HTTP_11 || lists(b"keep-alive"))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Version;

    use super::{Head, Malformed};

    fn parse(text: &'static str) -> (Result<Option<Head>, Malformed>, Bytes) {
        let mut bytes = Bytes::from_static(text.as_bytes());
        (Head::parse(&mut bytes), bytes)
    }

    #[test]
    fn a_head_is_taken_and_the_rest_is_left() {
        let (head, rest) = parse("HTTP/1.1 404 Nope\r\nA: b\r\na: c\r\n\r\nbody");
        let head = head.unwrap().unwrap();
        assert_eq!(
            (head.version, head.status.as_u16(), rest.as_ref()),
            (Version::HTTP_11, 404, &b"body"[..])
        );
        assert_eq!(head.headers.get_all("a").iter().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_part_of_a_head_is_left_as_it_is() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
        for end in 0..whole.len() {
            let (head, rest) = parse(&whole[..end]);
            assert!(matches!(head, Ok(None)), "{end}");
            assert_eq!(rest, &whole.as_bytes()[..end]);
        }
    }

    #[test]
    fn what_is_not_http_1_is_refused() {
        for text in [
            "<html>",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 abc OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        ] {
            assert!(matches!(parse(text).0, Err(Malformed::Head)), "{text:?}");
        }
    }

    #[test]
    fn a_connection_lives_on_as_its_version_and_its_options_say() {
        for (version, options, lives) in [
            ("1.1", "", true),
            ("1.1", "connection: close\r\n", false),
            ("1.1", "connection: x\r\nconnection: keep-alive, Close\r\n", false),
            ("1.1", "connection: x-close\r\n", true),
            ("1.0", "", false),
            ("1.0", "connection: Keep-Alive\r\n", true),
            ("1.0", "connection: keep-alive, close\r\n", false),
        ] {
            let mut bytes = Bytes::from(format!("HTTP/{version} 200 OK\r\n{options}\r\n"));
            assert_eq!(
                Head::parse(&mut bytes).unwrap().unwrap().keeps_alive(),
                lives,
                "{version} {options:?}"
            );
        }
    }
}
