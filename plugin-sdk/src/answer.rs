//! What a service answered to a callout.

use crate::{
    Text,
    host::{self, Buffer, Map},
};

/// What a service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// The answer in hand, in the callback that brings it; none where the callout failed.
    pub(crate) fn in_hand(fields: u32, body: usize) -> Option<Self> {
        if fields == 0 {
            return None;
        }
        let status: Text = host::header(Map::Called, ":status")?;
        let mut headers = host::headers(Map::Called);
        headers.retain(|(name, _)| !name.starts_with(':'));
        Some(Self { status: status.parse().ok()?, headers, body: host::bytes(Buffer::CalledBody, 0, body) })
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The first field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its body as JSON.
    ///
    /// # Errors
    /// A body that is not JSON, or not of this type.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
