//! A request, as a test sends it and as a service gets it.

use super::{fields::Fields, pieces};

/// A request that a test sends.
///
/// ```
/// use plugin_sdk::testing::Request;
///
/// let plain = Request::get("/orders?page=2").header("accept", "application/json");
/// let upload = Request::post("/orders", "{}").host("shop.example").client_ip("203.0.113.7");
/// let in_pieces = Request::put("/orders/1", "").pieces(["{", "}"]);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) scheme: &'static str,
    pub(super) client_ip: String,
    pub(super) fields: Fields,
    pub(super) pieces: Vec<Vec<u8>>,
}

impl Request {
    /// With this method, for a path and a query, from 127.0.0.1 to `http://example.com`.
    pub fn new(method: &str, target: &str) -> Self {
        let mut fields = Fields::default();
        fields.add("host", "example.com");
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            scheme: "http",
            client_ip: "127.0.0.1".to_owned(),
            fields,
            pieces: Vec::new(),
        }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST with a body.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// A PUT with a body.
    pub fn put(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("PUT", target).body(body)
    }

    /// With one more header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.add(name, value);
        self
    }

    /// For this host.
    pub fn host(mut self, host: &str) -> Self {
        self.fields.set("host", host);
        self
    }

    /// From this address.
    pub fn client_ip(mut self, address: &str) -> Self {
        address.clone_into(&mut self.client_ip);
        self
    }

    /// With a body that comes in one piece and is known to be whole.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.pieces = pieces::whole(body.into());
        self
    }

    /// With a body that comes piece by piece, and whose end comes by itself, as with `Transfer-Encoding: chunked`.
    pub fn pieces<P: Into<Vec<u8>>>(mut self, pieces: impl IntoIterator<Item = P>) -> Self {
        self.pieces = pieces::one_by_one(pieces.into_iter().map(Into::into));
        self
    }
}

/// A request as a service got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Fields,
    pub(super) body: Vec<u8>,
}

impl Received {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path and the query.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.target
    }

    /// The first field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// All header fields in their order, names in small letters.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; what is no UTF-8 shows as the replacement character.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
