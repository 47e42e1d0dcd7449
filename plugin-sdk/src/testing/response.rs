//! What a scripted service answers.

use std::time::Duration;

use super::{fields::Fields, pieces};

/// What a scripted service answers.
///
/// ```
/// use std::time::Duration;
/// use plugin_sdk::testing::Response;
///
/// let found = Response::new(200).header("content-type", "text/plain").body("hello");
/// let slow = Response::new(204).after(Duration::from_secs(2));
/// let never = Response::failure();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Response {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) after: Duration,
}

impl Response {
    /// With this status, at once.
    pub fn new(status: u16) -> Self {
        Self { status, fields: Fields::default(), pieces: Vec::new(), after: Duration::ZERO }
    }

    /// No answer: the connection breaks. A request that was forwarded is answered 502.
    pub fn failure() -> Self {
        Self::new(0)
    }

    /// With one more header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.add(name, value);
        self
    }

    /// With a body that comes in one piece and is known to be whole.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.pieces = pieces::whole(body.into());
        self
    }

    /// With a body that comes piece by piece, and whose end comes by itself.
    pub fn pieces<P: Into<Vec<u8>>>(mut self, pieces: impl IntoIterator<Item = P>) -> Self {
        self.pieces = pieces::one_by_one(pieces.into_iter().map(Into::into));
        self
    }

    /// Comes after this time, on the test's clock.
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    pub(super) const fn fails(&self) -> bool {
        self.status == 0
    }
}
