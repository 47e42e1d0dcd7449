//! What bytes must be.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};

use super::FetchError;

/// A SHA-256 hash, as pins and registries write it: `sha256:` and 64 hexadecimal digits, the word may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        let digest = digest(&SHA256, bytes);
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }

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

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn it_is_written_as_it_is_read() {
        let empty = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), empty);
        assert_eq!(text["sha256:".len()..].to_uppercase().parse::<Digest>().unwrap(), empty);
        for wrong in ["", "sha256:", "sha512:00", &text[..70], &format!("{text}0"), &text.replace("e3", "+3")]
        {
            assert!(
                wrong.parse::<Digest>().unwrap_err().to_string().contains("64 hexadecimal digits"),
                "{wrong}"
            );
        }
        assert!(empty.check(b"").is_ok());
        let refused = empty.check(b"x").unwrap_err().to_string();
        assert!(refused.contains(text) && refused.contains(&Digest::of(b"x").to_string()), "{refused}");
    }
}
