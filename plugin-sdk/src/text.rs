//! A short text from the host.

use std::{fmt, ops::Deref};

use smallstr::SmallString;

/// A value of a header field or a property: a text, held without an allocation where it is at most 64 bytes long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(SmallString<[u8; 64]>);

impl Default for Text {
    fn default() -> Self {
        Self(SmallString::new())
    }
}

impl Text {
    /// The text in these bytes; nothing where they are not UTF-8.
    #[must_use]
    #[inline]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().map(Self::from)
    }

    /// The text in these bytes; what is not UTF-8 shows as the replacement character.
    #[must_use]
    #[inline]
    pub fn lossy(bytes: &[u8]) -> Self {
        Self::of(bytes).unwrap_or_else(|| Self::from(&*String::from_utf8_lossy(bytes)))
    }

    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self(SmallString::from_str(text))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into_string()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn a_text_is_what_it_was_made_of_and_bytes_that_are_none_are_refused() {
        let long = "x".repeat(300);
        assert_eq!(Text::of(long.as_bytes()).unwrap(), *long);
        assert_eq!(Text::of("naïve".as_bytes()).unwrap().to_string(), "naïve");
        assert!(Text::of(&[0xff]).is_none());
    }
}
