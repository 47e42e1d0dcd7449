//! A digest as it is written, and bytes that are held against it.

use std::str::FromStr;

use super::{Digest, FetchError};

impl Digest {
    /// Refuses other bytes than its own.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), FetchError> {
        let found = Self::of(bytes);
        if found == *self { Ok(()) } else { Err(FetchError::Digest { expected: *self, found }) }
    }
}

impl FromStr for Digest {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<Self, FetchError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let mut hash = [0; 32];
        let plain = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let read = plain && {
            let pairs = (0..64).step_by(2).map(|at| digits.get(at..at + 2));
            let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
            hash.iter_mut().zip(bytes).all(|(to, from)| from.map(|from| *to = from).is_some())
        };
        read.then_some(Self(hash)).ok_or_else(|| FetchError::NoDigest(text.to_owned()))
    }
}
