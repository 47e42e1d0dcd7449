//! The answer in hand.

use std::any::Any;

use crate::{
    headers::Headers,
    host::{self, Map},
    scene,
};

/// The answer in hand, from the upstream or of the gateway's own.
#[derive(Debug)]
pub struct Response {
    pub(crate) context: u32,
    end: bool,
}

impl Response {
    pub(crate) const fn new(context: u32, end: bool) -> Self {
        Self { context, end }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        host::header(Map::Response, ":status").and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// Answers with another status, from 200 to 599.
    pub fn set_status(&mut self, status: u16) {
        host::set_header(Map::Response, ":status", &status.to_string());
    }

    /// Whether no body follows.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        self.end
    }

    /// Has the body of this answer go by unseen, though the plugin has a phase for bodies: it stays as it is, and costs
    /// nothing. Hosts other than the gateway show it all the same.
    pub fn skip_body(&mut self) {
        host::skips_body();
    }

    /// A property, by Envoy's paths: `["upstream", "address"]`.
    #[must_use]
    pub fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        host::property(path, <[u8]>::to_vec)
    }

    /// A field of the request, as it went by.
    #[must_use]
    pub fn request_header(&self, name: &str) -> Option<crate::Text> {
        host::header(Map::Request, name)
    }

    /// Keeps a value for later phases of this request.
    pub fn keep(&mut self, value: impl Any) {
        scene::keep(self.context, Box::new(value));
    }

    /// Takes what this plugin has kept for this request.
    #[must_use]
    pub fn kept<T: Any>(&mut self) -> Option<T> {
        scene::kept(self.context)
    }
}

impl Headers for Response {
    const MAP: Map = Map::Response;
}
