//! One request of the process does what all of its workers need done once.

use plugin_sdk::{
    kv::{self, Only, Outcome},
    prelude::*,
};

/// Held by whoever does it; given back however that ends, as its client may leave before.
pub(crate) struct Lock<'k>(Option<(&'static str, &'k str)>);

impl<'k> Lock<'k> {
    /// Whether it is there to be taken, for so many seconds at most. Where there is no room to note it, everybody has it.
    pub(crate) fn take(namespace: &'static str, key: &'k str, seconds: u32) -> Result<(Self, bool), Error> {
        Ok(match kv::set(namespace, key, b"", Some(seconds), Only::Absent)? {
            Outcome::Done(_) => (Self(Some((namespace, key))), true),
            Outcome::Full => (Self(None), true),
            Outcome::Refused(_) => (Self(None), false),
        })
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if let Some((namespace, key)) = self.0 {
            // It ends by itself as well.
            let _ = kv::delete(namespace, key, Only::Always);
        }
    }
}
