//! A regular expression of an expression: found anywhere in a value.

use regex::{Regex, RegexBuilder, bytes};
use regex_syntax::hir::{Hir, Look};

use super::super::{path_regex::PATTERN_LIMIT, pattern::literal_prefix};

/// A regular expression. Two are equal if they are written the same.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) text: String,
    /// Over a path, which is text, or over other values, which may be any bytes.
    pub(super) regex: Either,
}

#[derive(Clone, Debug)]
pub(super) enum Either {
    Path(Regex),
    Bytes(bytes::Regex),
}

impl Search {
    /// Over the path.
    pub(super) fn path(text: String) -> Result<Self, regex::Error> {
        let regex =
            RegexBuilder::new(&text).size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT).build()?;
        Ok(Self { text, regex: Either::Path(regex) })
    }

    /// Over anything else.
    pub(super) fn bytes(text: String) -> Result<Self, regex::Error> {
        let mut builder = bytes::RegexBuilder::new(&text);
        let regex = builder.size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT).build()?;
        Ok(Self { text, regex: Either::Bytes(regex) })
    }

    /// What all that it matches starts with, decoded and on the wire alike; nothing where it may match further in.
    pub(super) fn literal_start(&self) -> String {
        let is_anchored = |syntax: &Hir| syntax.properties().look_set_prefix().contains(Look::Start);
        let syntax = regex_syntax::parse(&self.text).ok().filter(is_anchored);
        syntax.as_ref().map(literal_prefix).unwrap_or_default()
    }
}

impl PartialEq for Search {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Search {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_anchored_pattern_knows_how_paths_start() {
        let start = |text: &str| Search::path(text.into()).unwrap().literal_start();
        assert_eq!(start(r"^/users/(?<id>\d+)"), "/users/");
        assert_eq!(start(r"^/a(b|c)$"), "/a");
        assert_eq!(start("^/sp ace"), "/sp");
        assert_eq!(start("^(/ab|/ac)"), "/a");
        for anywhere in ["/users", "^/a|/b", "(?m)^/a", "(^/a)?", "", "^", "x*^/a"] {
            assert_eq!(start(anywhere), "", "{anywhere}");
        }
    }

    #[test]
    fn a_pattern_has_a_limit_of_its_size() {
        assert!(Search::path(r"/(\w{100}){100}".into()).is_err());
        assert!(Search::bytes(r"(\w{100}){100}".into()).is_err());
        assert!(Search::bytes("a(?=b)".into()).is_err());
    }
}
