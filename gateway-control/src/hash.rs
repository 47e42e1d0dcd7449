//! What tells one configuration from another.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// A digest of a configuration's text: 32 hexadecimal digits, all 0 for none (compat A43).
///
/// ```
/// use gateway_control::Hash;
///
/// assert_eq!(Hash::of("a"), Hash::of("a"));
/// assert_eq!(Hash::NONE.to_string(), "00000000000000000000000000000000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash([u8; 16]);

impl Hash {
    /// That of no configuration.
    pub const NONE: Self = Self([0; 16]);

    /// That of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest = digest(&SHA256, text.as_bytes());
        digest.as_ref().first_chunk().map_or(Self::NONE, |start| Self(*start))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
