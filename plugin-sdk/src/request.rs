//! The request in hand.

use std::any::Any;

use crate::{
    Text,
    headers::Headers,
    host::{self, Buffer, Map},
    scene,
};

/// The request in hand: what is read and written here goes to the gateway at once. A clone is the same request.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) context: u32,
    end: bool,
}

impl Request {
    pub(crate) const fn new(context: u32, end: bool) -> Self {
        Self { context, end }
    }

    /// The method: `GET`.
    #[must_use]
    pub fn method(&self) -> Text {
        host::header(Map::Request, ":method").unwrap_or_default()
    }

    /// The path and the query that the client asks for.
    #[must_use]
    pub fn path_and_query(&self) -> Text {
        host::header(Map::Request, ":path").unwrap_or_default()
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> Text {
        let whole = self.path_and_query();
        let path = whole.split('?').next().unwrap_or_default();
        Text::from(path)
    }

    /// The query, without the question mark; empty where there is none.
    #[must_use]
    pub fn query(&self) -> Text {
        let whole = self.path_and_query();
        Text::from(whole.split_once('?').map_or("", |(_, query)| query))
    }

    /// The host that it is for, as the client says.
    #[must_use]
    pub fn authority(&self) -> Text {
        host::header(Map::Request, ":authority").unwrap_or_default()
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> Text {
        host::header(Map::Request, ":scheme").unwrap_or_default()
    }

    /// The address of the client: of the peer, or what a trusted peer says.
    #[must_use]
    pub fn client_ip(&self) -> Text {
        let address = host::property(&["source", "address"], Text::of).flatten().unwrap_or_default();
        let (ip, _) = address.rsplit_once(':').unwrap_or((&address, ""));
        Text::from(ip.trim_start_matches('[').trim_end_matches(']'))
    }

    /// The path and the query as the client sent them, byte by byte: what a signature is of.
    #[must_use]
    pub fn received_path_and_query(&self) -> Text {
        crate::call::now(&plugin_contract::request::Received, |target| Text::from(target))
            .unwrap_or_else(|_| self.path_and_query())
    }

    /// The path and the query that go upstream, as they stand now: the route has taken off what it takes off, and the
    /// service's path stands before the rest. [`set_path_and_query`](Self::set_path_and_query) writes others.
    #[must_use]
    pub fn upstream_path_and_query(&self) -> Text {
        crate::call::now(&plugin_contract::request::Target, |target| Text::from(target))
            // A host without the function takes the route's part off afterwards.
            .unwrap_or_else(|_| self.path_and_query())
    }

    /// Whether no body follows.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        self.end
    }

    /// Sends another path and query upstream. It begins with `/`.
    pub fn set_path_and_query(&mut self, target: &str) {
        host::set_header(Map::Request, ":path", target);
    }

    /// Sends another method upstream.
    pub fn set_method(&mut self, method: &str) {
        host::set_header(Map::Request, ":method", method);
    }

    /// Sends another host upstream.
    pub fn set_authority(&mut self, authority: &str) {
        host::set_header(Map::Request, ":authority", authority);
    }

    /// A property, by Envoy's paths: `["source", "address"]`.
    #[must_use]
    pub fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        host::property(path, <[u8]>::to_vec)
    }

    /// Writes a header field on the answer that is yet to come, whoever makes it, in place of all of its name;
    /// `set-cookie` is added beside those that are there.
    pub fn set_response_header(&mut self, name: &str, value: &str) {
        self.set_response_headers(&[(name, value)]);
    }

    /// The same for several at a time, which costs one call.
    pub fn set_response_headers(&mut self, fields: &[(&str, &str)]) {
        let call = plugin_contract::response::Headers { set: fields.to_vec() };
        // A host without the function forwards the answer as it is.
        let _ = crate::call::now(&call, |()| ());
    }

    /// Keeps a value for later phases of this request: [`Response::kept`](crate::Response::kept).
    pub fn keep(&mut self, value: impl Any) {
        scene::keep(self.context, Box::new(value));
    }

    /// The whole body, once it has come; up to the gateway's bound. For plugins with `reads_body`.
    pub async fn body(&mut self) -> Vec<u8> {
        if self.end { Vec::new() } else { scene::body(self.context).await }
    }

    /// Sends another body upstream, in place of one that was read ([`body`](Self::body)). Its length is the gateway's
    /// to say.
    pub fn set_body(&mut self, body: &[u8]) {
        host::set_bytes(Buffer::RequestBody, 0, usize::MAX, body);
    }
}

impl Headers for Request {
    const MAP: Map = Map::Request;
}
