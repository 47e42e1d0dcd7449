//! How signatures are made.

use plugin_sdk::crypto::Hash;

/// How signatures are made: HMAC with a hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Algorithm(&'static str, Hash);

impl Algorithm {
    const ALL: [Self; 4] = [
        Self("hmac-sha1", Hash::Sha1),
        Self("hmac-sha256", Hash::Sha256),
        Self("hmac-sha384", Hash::Sha384),
        Self("hmac-sha512", Hash::Sha512),
    ];

    /// By its name in requests and configurations.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.0 == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        self.0
    }

    pub(crate) const fn hash(self) -> Hash {
        self.1
    }
}
