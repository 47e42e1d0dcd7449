//! What the client got, and what happened on the way.

use super::{fields::Fields, request::Received};

/// What the client got, and what happened on the way.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) body: Vec<u8>,
    pub(super) upstream: Option<Received>,
    pub(super) callouts: Vec<(String, Received)>,
}

impl Answer {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
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

    /// The `message` of the body, where that is JSON: what a refusal says.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("message")?.as_str()?.to_owned())
    }

    /// Whether the request got through to the upstream.
    #[must_use]
    pub const fn is_forwarded(&self) -> bool {
        self.upstream.is_some()
    }

    /// The request as the upstream got it.
    ///
    /// # Panics
    /// Where it did not get there.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn upstream(&self) -> &Received {
        match &self.upstream {
            Some(received) => received,
            None => panic!("the request was not forwarded: it was answered {} {}", self.status, self.text()),
        }
    }

    /// The callouts for this request, in their order: which service, and what it got.
    #[must_use]
    pub fn callouts(&self) -> &[(String, Received)] {
        &self.callouts
    }
}
