//! What text is compared with. Values are bytes: a header field need not be UTF-8.

use std::sync::Arc;

use memchr::memmem::Finder;
use smallvec::SmallVec;

use super::{super::search_regex::SearchRegex, operator::Operator};

/// A test of text.
#[derive(Clone, Debug)]
pub(super) struct TextTest {
    lower: bool,
    needle: Needle,
}

/// Most constants are short: they stand beside what asks for them.
type Constant = SmallVec<[u8; 16]>;

#[derive(Clone, Debug)]
enum Needle {
    Equals(Constant),
    NotEquals(Constant),
    Prefix(Constant),
    Suffix(Constant),
    Contains(Box<Finder<'static>>),
    Search(Arc<SearchRegex>),
}

/// A value that is changed before it is compared; up to this length without the heap.
pub(super) type Copied = SmallVec<[u8; 256]>;

impl TextTest {
    /// Against a text, in lower case if `lower`.
    pub(super) fn new(operator: Operator, text: &str, lower: bool) -> Self {
        let bytes = || Constant::from_slice(text.as_bytes());
        let needle = match operator {
            Operator::NotEquals => Needle::NotEquals(bytes()),
            Operator::Prefix => Needle::Prefix(bytes()),
            Operator::Suffix => Needle::Suffix(bytes()),
            Operator::Contains => Needle::Contains(Box::new(Finder::new(text).into_owned())),
            _ => Needle::Equals(bytes()),
        };
        Self { lower, needle }
    }

    /// Against a regular expression.
    pub(super) fn search(regex: Arc<SearchRegex>, lower: bool) -> Self {
        Self { lower, needle: Needle::Search(regex) }
    }

    /// Its regular expression, if it has one.
    pub(super) fn regex(&self) -> Option<&SearchRegex> {
        if let Needle::Search(regex) = &self.needle { Some(regex) } else { None }
    }

    /// Whether `value` passes.
    pub(super) fn holds(&self, value: &[u8]) -> bool {
        if self.lower { lowered(value, |value| self.needle.holds(value)) } else { self.needle.holds(value) }
    }
}

impl Needle {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Equals(text) => value == text.as_slice(),
            Self::NotEquals(text) => value != text.as_slice(),
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::Contains(finder) => finder.find(value).is_some(),
            Self::Search(regex) => regex.is_match(value),
        }
    }
}

/// Hands on `value` in lower case: Unicode's for text, ASCII's for other bytes.
pub(super) fn lowered<R>(value: &[u8], then: impl FnOnce(&[u8]) -> R) -> R {
    if !value.is_ascii()
        && let Ok(text) = std::str::from_utf8(value)
    {
        return then(text.to_lowercase().as_bytes());
    }
    if !value.iter().any(u8::is_ascii_uppercase) {
        return then(value);
    }
    let mut copy = Copied::from_slice(value);
    copy.make_ascii_lowercase();
    then(&copy)
}

/// How many bytes of `text` become its first `length` bytes in lower case.
pub(super) fn original_length(text: &str, length: usize) -> usize {
    let mut left = length;
    let is_within = |letter: &char| {
        let is_within = left > 0;
        left = left.saturating_sub(letter.to_lowercase().map(char::len_utf8).sum());
        is_within
    };
    text.chars().take_while(is_within).map(char::len_utf8).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_is_unicodes_for_text_and_asciis_for_bytes() {
        let lower = |value: &[u8]| lowered(value, <[u8]>::to_vec);
        assert_eq!(lower(b"aBc"), b"abc");
        assert_eq!(lower(b"abc"), b"abc");
        assert_eq!(lower("ÄB".as_bytes()), "äb".as_bytes());
        assert_eq!(lower(b"A\xffB"), b"a\xffb");
        assert_eq!(lower(&[b'A'; 1_000]), [b'a'; 1_000]);
    }

    #[test]
    fn a_length_in_lower_case_leads_back_to_the_text() {
        assert_eq!(original_length("/ABC", 2), 2);
        // U+0130 has two bytes, and three in lower case.
        assert_eq!(original_length("/\u{130}x", 4), 3);
        assert_eq!(original_length("/a", 9), 2);
        assert_eq!(original_length("/a", 0), 0);
    }
}
