//! Where the body of a response ends (RFC 9112 section 6.3).

use http::{
    Method, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{Head, Malformed};
use crate::sanitize::{is_only_chunked, told_length};

/// How the body of a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none: an answer to HEAD, 204, 304, 101.
    None,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Up to the end of the connection.
    Close,
}

impl Framing {
    /// The framing of the answer with `head` to a request with `method`.
    pub(super) fn of(head: &Head, method: &Method) -> Result<Self, Malformed> {
        let bodiless = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        if bodiless.contains(&head.status) || *method == Method::HEAD {
            return Ok(Self::None);
        }
        if head.headers.contains_key(TRANSFER_ENCODING) {
            let clear = head.version == Version::HTTP_11 && is_only_chunked(&head.headers);
            return if clear { Ok(Self::Chunked) } else { Err(Malformed::Framing) };
        }
        match told_length(&head.headers) {
            Ok(Some(length)) => Ok(Self::Length(length)),
            Ok(None) => Ok(Self::Close),
            Err(_) => Err(Malformed::Framing),
        }
    }

    /// Whether the head told a length and a coding: the coding is right, but who told both is not believed
    /// about where the next message begins (RFC 9112 section 6.1).
    pub(super) fn is_in_doubt(self, head: &Head) -> bool {
        self == Self::Chunked && head.headers.contains_key(CONTENT_LENGTH)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;

    use super::{Framing, Head, Malformed};

    fn of(method: &Method, text: &str) -> Result<Framing, Malformed> {
        let head = Head::parse(&mut Bytes::from(format!("HTTP/{text}\r\n\r\n"))).unwrap().unwrap();
        Framing::of(&head, method)
    }

    #[test]
    fn the_rules_of_rfc_9112_6_3_in_their_order() {
        let get = |text| of(&Method::GET, text);
        assert_eq!(of(&Method::HEAD, "1.1 200 OK\r\ncontent-length: 5"), Ok(Framing::None));
        assert_eq!(get("1.1 204 No\r\ncontent-length: 5"), Ok(Framing::None));
        assert_eq!(get("1.1 304 No\r\ntransfer-encoding: chunked"), Ok(Framing::None));
        assert_eq!(
            get("1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: Chunked"),
            Ok(Framing::Chunked)
        );
        assert_eq!(get("1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5"), Ok(Framing::Length(5)));
        assert_eq!(get("1.1 200 OK"), Ok(Framing::Close));
    }

    #[test]
    fn what_two_readers_may_read_differently_is_refused() {
        for text in [
            "1.0 200 OK\r\ntransfer-encoding: chunked",
            "1.1 200 OK\r\ntransfer-encoding: gzip, chunked",
            "1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "1.1 200 OK\r\ntransfer-encoding: xchunked\r\ncontent-length: 5",
            "1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6",
            "1.1 200 OK\r\ncontent-length: -1",
            "1.1 200 OK\r\ncontent-length: 18446744073709551616",
        ] {
            assert_eq!(of(&Method::GET, text), Err(Malformed::Framing), "{text:?}");
        }
    }
}
