//! The forwarding headers as HTTP/1 writes them: no name is hashed and no value is made for them.

use std::io::Write as _;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, header::VIA};

use super::{
    Brand, Forward, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PATH, X_FORWARDED_PORT,
    X_FORWARDED_PREFIX, X_FORWARDED_PROTO, X_REAL_IP, put_decoded,
};

/// What [`set_forwarded`](super::set_forwarded) would put into a head, as the lines that stand there instead of
/// the fields that it would touch.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'a> {
    text: Vec<u8>,
    brand: &'a Brand,
}

impl<'a> Lines<'a> {
    /// The lines for a request with these fields, by a gateway of this `brand`.
    pub(crate) fn new(headers: &HeaderMap, forward: &Forward<'_>, brand: &'a Brand) -> Self {
        const USUAL: usize = 512;
        let mut lines = Self { text: Vec::with_capacity(USUAL), brand };
        lines.write(&Told::by(headers, forward), forward);
        lines
    }

    /// The lines, each with its end.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether they take the place of the field.
    pub(crate) fn replace(&self, name: &HeaderName) -> bool {
        is_forwarding(name) || *name == self.brand.request_id
    }

    fn write(&mut self, told: &Told<'_>, forward: &Forward<'_>) {
        self.list(told, &VIA, forward.brand.via(forward.version));
        let client = if forward.client_is_peer() { Some(forward.connection.peer_value()) } else { None };
        if told.any(&X_FORWARDED_FOR) {
            self.list(told, &X_FORWARDED_FOR, forward.connection.peer_value());
        } else {
            self.client(&X_FORWARDED_FOR, client, forward);
        }
        self.client(&X_REAL_IP, client, forward);
        self.line(&forward.brand.request_id, fitting(forward.request_id));
        let scheme: &[u8] = if forward.connection.scheme().is_tls() { b"https" } else { b"http" };
        self.unless_told(told, &X_FORWARDED_PROTO, scheme);
        self.unless_told(told, &X_FORWARDED_HOST, forward.host.name_bytes());
        self.unless_told(told, &X_FORWARDED_PORT, forward.connection.port_value().as_bytes());
        self.unless_told(told, &X_FORWARDED_PATH, fitting(forward.path.as_bytes()));
        let prefix = forward.prefix.unwrap_or_default();
        if prefix.contains('%') {
            let mut decoded = BytesMut::new();
            put_decoded(prefix, &mut decoded);
            self.unless_told(told, &X_FORWARDED_PREFIX, fitting(&decoded));
        } else {
            self.unless_told(told, &X_FORWARDED_PREFIX, fitting(prefix.as_bytes()));
        }
    }

    /// A line; none for what is empty.
    fn line(&mut self, name: &HeaderName, value: &[u8]) {
        if !value.is_empty() {
            self.begin(name);
            self.text.extend_from_slice(value);
            self.end();
        }
    }

    fn begin(&mut self, name: &HeaderName) {
        self.text.extend_from_slice(name.as_str().as_bytes());
        self.text.extend_from_slice(b": ");
    }

    fn end(&mut self) {
        self.text.extend_from_slice(b"\r\n");
    }

    /// All that was told, and `last`.
    fn list(&mut self, told: &Told<'_>, name: &HeaderName, last: &HeaderValue) {
        self.begin(name);
        for value in told.values(name).filter(|value| !value.is_empty()) {
            self.text.extend_from_slice(value.as_bytes());
            self.text.extend_from_slice(b", ");
        }
        self.text.extend_from_slice(last.as_bytes());
        self.end();
    }

    fn client(&mut self, name: &HeaderName, value: Option<&HeaderValue>, forward: &Forward<'_>) {
        self.begin(name);
        match value {
            Some(value) => self.text.extend_from_slice(value.as_bytes()),
            // Writing to memory does not fail.
            None => drop(write!(self.text, "{}", forward.client.ip)),
        }
        self.end();
    }

    /// A trusted peer's own where it told any.
    fn unless_told(&mut self, told: &Told<'_>, name: &HeaderName, value: &[u8]) {
        if !told.trusted || !told.any(name) {
            return self.line(name, value);
        }
        for value in told.values(name) {
            self.begin(name);
            self.text.extend_from_slice(value.as_bytes());
            self.end();
        }
    }
}

/// The text; nothing where it cannot stand in a field.
fn fitting(text: &[u8]) -> &[u8] {
    // To the end, whatever it finds: that can be done for many bytes at once.
    let visible = |valid, byte: &u8| valid & ((*byte >= b' ' && *byte != 0x7f) | (*byte == b'\t'));
    if text.iter().fold(true, visible) { text } else { b"" }
}

/// What the peer has told in these fields itself: mostly nothing.
struct Told<'h> {
    headers: Option<&'h HeaderMap>,
    trusted: bool,
}

impl<'h> Told<'h> {
    fn by(headers: &'h HeaderMap, forward: &Forward<'_>) -> Self {
        let any = headers.keys().any(is_forwarding);
        Self { headers: any.then_some(headers), trusted: forward.client.trusted }
    }

    fn any(&self, name: &HeaderName) -> bool {
        self.headers.is_some_and(|headers| headers.contains_key(name))
    }

    fn values(&self, name: &'h HeaderName) -> impl Iterator<Item = &'h HeaderValue> {
        self.headers.into_iter().flat_map(move |headers| headers.get_all(name))
    }
}

fn is_forwarding(name: &HeaderName) -> bool {
    match name.as_str() {
        "via" | "x-real-ip" => true,
        other => other
            .strip_prefix("x-forwarded-")
            .is_some_and(|rest| matches!(rest, "for" | "proto" | "host" | "port" | "path" | "prefix")),
    }
}
