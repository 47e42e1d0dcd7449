//! What bytes must be.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// A SHA-256 hash, as pins and registries write it: `sha256:` and 64 hexadecimal digits, the word may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub(super) [u8; 32]);

impl Digest {
    /// That of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        let digest = digest(&SHA256, bytes);
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
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
