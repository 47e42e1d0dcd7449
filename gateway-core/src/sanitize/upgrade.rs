//! The WebSocket handshake, checked on both sides (RFC 6455 section 4, RFC 9110 section 7.8).

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
        UPGRADE,
    },
    request::Parts,
};

use super::framing::content_length;
use crate::error::Reason;

/// A WebSocket handshake that the client asked for and that is well formed.
///
/// `Connection` and `Upgrade` are taken off the request with the other hop-by-hop fields; what the
/// next hop has to see, and what its 101 has to say, comes from here. Every other upgrade, h2c
/// first of all, is taken off and the request goes on as a plain one.
#[derive(Clone, Debug)]
pub struct Upgrade {
    key: HeaderValue,
}

impl Upgrade {
    /// The handshake that `parts` asks for, if any. The caller has seen an `Upgrade` field.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] for a handshake that is not GET, not HTTP/1.1, has a body or no
    /// good key; [`Reason::WebsocketVersion`] for another version than 13.
    pub(super) fn asked(parts: &Parts) -> Result<Option<Self>, Reason> {
        if !names(&parts.headers, &UPGRADE, "websocket") || !names(&parts.headers, &CONNECTION, "upgrade") {
            return Ok(None);
        }
        if parts.method != Method::GET || parts.version != Version::HTTP_11 || has_body(&parts.headers) {
            return Err(Reason::BadRequest);
        }
        if sole(&parts.headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(Reason::WebsocketVersion);
        }
        let key =
            sole(&parts.headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(Reason::BadRequest)?;
        Ok(Some(Self { key: key.clone() }))
    }

    /// Asks the next hop for the upgrade. Call it after the hop-by-hop fields are gone; the fields
    /// are what Kong sends (compat P35).
    pub fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_KEY, self.key.clone());
    }

    /// Tells the client that the protocol is switched, on a 101 that [`Upgrade::accepts`] let
    /// through and whose hop-by-hop fields are gone.
    pub fn confirm(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }

    /// Whether the fields of a 101 answer this very handshake: the token asked for, and the proof
    /// that the other end has read the key (RFC 6455 section 4.1).
    #[must_use]
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        names(headers, &UPGRADE, "websocket")
            && names(headers, &CONNECTION, "upgrade")
            && sole(headers, &SEC_WEBSOCKET_ACCEPT).is_some_and(|accept| self.proof(accept.as_bytes()))
    }

    fn proof(&self, accept: &[u8]) -> bool {
        const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(self.key.as_bytes());
        hash.update(SALT);
        let mut text = [0; 28];
        let written = BASE64_STANDARD.encode_slice(hash.finish().as_ref(), &mut text);
        written.is_ok_and(|length| text.get(..length) == Some(accept))
    }
}

/// Whether `token` is all that `name` lists (`Upgrade`), or among it (`Connection`).
pub(super) fn names(headers: &HeaderMap, name: &http::HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).into_iter();
    if *name == UPGRADE {
        let only = values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(token.as_bytes()));
        return only && values.next().is_none();
    }
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|listed| listed.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn sole<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    Some(first)
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = content_length(headers).ok().flatten();
    headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length.bytes > 0)
}

/// 16 bytes in base64 (RFC 6455 section 4.1).
fn is_key(key: &HeaderValue) -> bool {
    let mut nonce = [0; 18];
    BASE64_STANDARD.decode_slice(key.as_bytes(), &mut nonce).is_ok_and(|length| length == 16)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Request, header};

    use super::Upgrade;
    use crate::error::Reason;

    /// The example of RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn asked(change: impl FnOnce(&mut Request<()>)) -> Result<Option<Upgrade>, Reason> {
        let mut request = Request::builder()
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY)
            .body(())
            .unwrap();
        change(&mut request);
        Upgrade::asked(&request.into_parts().0)
    }

    fn set(name: &'static str, value: &'static str) -> impl FnOnce(&mut Request<()>) {
        move |request| {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }

    #[test]
    fn a_good_handshake_is_taken() {
        assert!(asked(|_| {}).unwrap().is_some());
        assert!(asked(set("upgrade", "WebSocket")).unwrap().is_some());
        assert!(asked(set("content-length", "0")).unwrap().is_some());
    }

    fn without(name: &'static str) -> impl FnOnce(&mut Request<()>) {
        move |request| drop(request.headers_mut().remove(name))
    }

    #[test]
    fn w1_bad_handshakes_are_refused() {
        let post = asked(|request| *request.method_mut() = http::Method::POST);
        assert_eq!(post.unwrap_err(), Reason::BadRequest);
        let old = asked(|request| *request.version_mut() = http::Version::HTTP_10);
        assert_eq!(old.unwrap_err(), Reason::BadRequest);
        for (name, value) in
            [("content-length", "1"), ("transfer-encoding", "chunked"), ("sec-websocket-key", "short")]
        {
            assert_eq!(asked(set(name, value)).unwrap_err(), Reason::BadRequest, "{name}");
        }
        assert_eq!(asked(without("sec-websocket-key")).unwrap_err(), Reason::BadRequest);
        assert_eq!(asked(set("sec-websocket-version", "8")).unwrap_err(), Reason::WebsocketVersion);
        assert_eq!(asked(without("sec-websocket-version")).unwrap_err(), Reason::WebsocketVersion);
    }

    #[test]
    fn w1_other_upgrades_are_no_upgrade() {
        assert!(asked(set("upgrade", "h2c")).unwrap().is_none());
        assert!(asked(set("upgrade", "websocket, h2c")).unwrap().is_none());
        assert!(asked(set("connection", "keep-alive")).unwrap().is_none());
    }

    #[test]
    fn only_the_right_101_is_accepted() {
        let upgrade = asked(|_| {}).unwrap().unwrap();
        let answer = |fields: [(header::HeaderName, &'static str); 3]| -> HeaderMap {
            fields.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
        };
        let (connection, token, accept) = (header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT);
        let fields = |c, u, a| [(connection.clone(), c), (token.clone(), u), (accept.clone(), a)];
        assert!(upgrade.accepts(&answer(fields("Upgrade", "websocket", ACCEPT))));
        assert!(!upgrade.accepts(&answer(fields("Upgrade", "h2c", ACCEPT))));
        assert!(!upgrade.accepts(&answer(fields("close", "websocket", ACCEPT))));
        assert!(!upgrade.accepts(&answer(fields("Upgrade", "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="))));
        assert!(!upgrade.accepts(&HeaderMap::new()));
    }
}
