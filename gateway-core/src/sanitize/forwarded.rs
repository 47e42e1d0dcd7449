//! What the upstream is told of the client and of the way (compat P33, P34).

mod text;

pub(crate) use text::Lines;

use std::fmt::Write as _;

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{Entry, InvalidHeaderValue, VIA},
};

use super::{
    Client, Host,
    names::{
        X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PATH, X_FORWARDED_PORT, X_FORWARDED_PREFIX,
        X_FORWARDED_PROTO, X_KONG_REQUEST_ID, X_REAL_IP,
    },
    path::put_decoded,
};
use crate::ConnectInfo;

/// Under which name the gateway shows itself.
#[derive(Clone, Debug)]
pub struct Brand {
    via: [HeaderValue; 3],
    request_id: HeaderName,
}

impl Brand {
    /// `name` in `Via`, the request's id in `request_id`.
    ///
    /// # Errors
    /// `name` has characters that a field value may not have.
    pub fn new(name: &str, request_id: HeaderName) -> Result<Self, InvalidHeaderValue> {
        // Kong writes `1`, not `1.0` (compat P13).
        let via = |version: &str| HeaderValue::try_from(format!("{version} {name}"));
        Ok(Self { via: [via("1")?, via("1.1")?, via("2")?], request_id })
    }

    /// The same with the request's id in another field.
    #[must_use]
    pub fn with_request_id(mut self, name: HeaderName) -> Self {
        self.request_id = name;
        self
    }

    /// The entry for `Via` on a message received in `version`: `1.1 gateway/0.1.0`.
    #[must_use]
    pub const fn via(&self, version: Version) -> &HeaderValue {
        let [old, usual, newer] = &self.via;
        match version {
            Version::HTTP_09 | Version::HTTP_10 => old,
            Version::HTTP_2 | Version::HTTP_3 => newer,
            _ => usual,
        }
    }
}

impl Default for Brand {
    /// `gateway/` with this crate's version, and `X-Kong-Request-Id`.
    fn default() -> Self {
        const NAMES: [&str; 3] = [
            concat!("1 gateway/", env!("CARGO_PKG_VERSION")),
            concat!("1.1 gateway/", env!("CARGO_PKG_VERSION")),
            concat!("2 gateway/", env!("CARGO_PKG_VERSION")),
        ];
        Self { via: NAMES.map(HeaderValue::from_static), request_id: X_KONG_REQUEST_ID }
    }
}

/// What the forwarding headers are made of.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// The connection the request came on.
    pub connection: &'a ConnectInfo,
    /// Who sent it, from [`Trust::client`](super::Trust::client).
    pub client: &'a Client,
    /// The version it came in.
    pub version: Version,
    /// The host it is for.
    pub host: &'a Host,
    /// The path as received, without query.
    pub path: &'a str,
    /// What was stripped from the canonical path, if anything.
    pub prefix: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a [u8],
    /// The gateway's name.
    pub brand: &'a Brand,
}

/// Writes the forwarding headers: `Via` and `X-Forwarded-For` appended to the client's,
/// `X-Forwarded-Proto`, `-Host` (no port), `-Port` (the listener's), `-Path`, `-Prefix`, `X-Real-IP` and
/// the request's id. Of a trusted peer's `X-Forwarded-Proto`, `-Host`, `-Port`, `-Path` and `-Prefix`
/// those that are there stay; a stranger's are replaced or removed.
///
/// All text made for one request lies in one buffer; what the connection and the gateway know is shared.
pub fn set_forwarded(headers: &mut HeaderMap, forward: &Forward<'_>) {
    const FIELDS: usize = 9;
    headers.reserve(FIELDS);
    let mut texts = Texts(BytesMut::with_capacity(forward.text_length()));
    let client = forward.client_value(&mut texts);
    set_via(headers, forward, &mut texts);
    set_forwarded_for(headers, forward, &client, &mut texts);
    put(headers, X_REAL_IP, client);
    put(headers, forward.brand.request_id.clone(), texts.copy(forward.request_id));
    let stays = |headers: &HeaderMap, name: &HeaderName| forward.client.trusted && headers.contains_key(name);
    if !stays(headers, &X_FORWARDED_PROTO) {
        let scheme = if forward.connection.scheme().is_tls() { "https" } else { "http" };
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !stays(headers, &X_FORWARDED_HOST) {
        put(headers, X_FORWARDED_HOST, forward.host_value(&mut texts));
    }
    if !stays(headers, &X_FORWARDED_PORT) {
        headers.insert(X_FORWARDED_PORT, forward.connection.port_value().clone());
    }
    if !stays(headers, &X_FORWARDED_PATH) {
        put(headers, X_FORWARDED_PATH, texts.copy(forward.path.as_bytes()));
    }
    if !stays(headers, &X_FORWARDED_PREFIX) {
        let prefix = forward.prefix.filter(|prefix| !prefix.is_empty());
        let prefix = prefix.and_then(|prefix| texts.write(|out| put_decoded(prefix, out)));
        put(headers, X_FORWARDED_PREFIX, prefix);
    }
}

/// Appends the gateway to the `Via` of a response that came in `version` (compat P31).
pub fn append_via(headers: &mut HeaderMap, version: Version, brand: &Brand) {
    let via = brand.via(version);
    if let Entry::Vacant(vacant) = headers.entry(VIA) {
        vacant.insert(via.clone());
        return;
    }
    let value = Texts(BytesMut::new()).append(headers, &VIA, via);
    put(headers, VIA, value);
}

impl Forward<'_> {
    /// Room for every text of an ordinary request; lists that grow get room of their own.
    fn text_length(&self) -> usize {
        const ADDRESS: usize = 39;
        let client = if self.client_is_peer() { 0 } else { ADDRESS };
        let prefix = self.prefix.map_or(0, str::len);
        client + self.host.name().len() + prefix + self.path.len() + self.request_id.len()
    }

    fn client_is_peer(&self) -> bool {
        self.client.ip == self.connection.peer().ip().to_canonical()
    }

    fn client_value(&self, texts: &mut Texts) -> Option<HeaderValue> {
        if self.client_is_peer() {
            return Some(self.connection.peer_value().clone());
        }
        texts.write(|out| {
            let _ = write!(out, "{}", self.client.ip);
        })
    }

    /// The host without port; none for a client that named none.
    fn host_value(&self, texts: &mut Texts) -> Option<HeaderValue> {
        match (self.host.name(), self.host.port()) {
            ("", _) => None,
            (_, None) => Some(self.host.value().clone()),
            (name, Some(_)) => texts.copy(name.as_bytes()),
        }
    }
}

fn set_via(headers: &mut HeaderMap, forward: &Forward<'_>, texts: &mut Texts) {
    let via = forward.brand.via(forward.version);
    if let Entry::Vacant(vacant) = headers.entry(VIA) {
        vacant.insert(via.clone());
        return;
    }
    let value = texts.append(headers, &VIA, via);
    put(headers, VIA, value);
}

/// The peer after what the client sent, the client where it sent nothing: Kong's two cases.
fn set_forwarded_for(
    headers: &mut HeaderMap,
    forward: &Forward<'_>,
    client: &Option<HeaderValue>,
    texts: &mut Texts,
) {
    match (headers.entry(X_FORWARDED_FOR), client) {
        (Entry::Vacant(vacant), Some(client)) => {
            vacant.insert(client.clone());
        }
        (Entry::Vacant(_), None) => {}
        (Entry::Occupied(_), _) => {
            let value = texts.append(headers, &X_FORWARDED_FOR, forward.connection.peer_value());
            put(headers, X_FORWARDED_FOR, value);
        }
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

/// One buffer, cut into values.
struct Texts(BytesMut);

impl Texts {
    /// What `write` writes; none where that cannot stand in a field.
    fn write(&mut self, write: impl FnOnce(&mut BytesMut)) -> Option<HeaderValue> {
        write(&mut self.0);
        HeaderValue::from_maybe_shared(self.0.split().freeze()).ok()
    }

    fn copy(&mut self, text: &[u8]) -> Option<HeaderValue> {
        self.write(|out| out.extend_from_slice(text))
    }

    /// All values of `name` and `last`, as one list.
    fn append(&mut self, headers: &HeaderMap, name: &HeaderName, last: &HeaderValue) -> Option<HeaderValue> {
        self.write(|out| {
            for value in headers.get_all(name).iter().filter(|value| !value.is_empty()) {
                out.extend_from_slice(value.as_bytes());
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(last.as_bytes());
        })
    }
}

#[cfg(test)]
mod tests;
