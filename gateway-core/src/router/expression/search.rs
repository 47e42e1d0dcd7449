//! A regular expression of an expression: found anywhere in a value.

use std::sync::Arc;

use regex_syntax::hir::{Hir, Look};

use super::super::{pattern::literal_prefix, search_regex::SearchRegex};

/// A regular expression. Two are equal if they are written the same.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) text: String,
    pub(super) regex: Arc<SearchRegex>,
}

impl Search {
    /// Over the path, which is text.
    pub(super) fn path(text: String) -> Result<Self, String> {
        Ok(Self { regex: SearchRegex::over_text(&text)?, text })
    }

    /// Over anything else, which may be any bytes.
    pub(super) fn bytes(text: String) -> Result<Self, String> {
        Ok(Self { regex: SearchRegex::over_bytes(&text)?, text })
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
