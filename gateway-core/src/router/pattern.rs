//! Regular expressions over decoded paths, and what they take out of them.

use std::borrow::Cow;

use regex::{CaptureLocations, Regex, RegexBuilder};
use regex_syntax::hir::{Hir, literal::Extractor};

use super::path::{Piece, decoded, is_reserved, pieces, stands_plain, wire_length};

/// A compiled expression may take this much memory, and each thread as much again while it matches: a route of one
/// tenant is not to eat the others'.
pub(super) const PATTERN_LIMIT: usize = 1 << 20;

/// A regular expression of a route, anchored at the start.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    /// What every path that matches starts with, decoded and on the wire alike.
    pub(super) literal: String,
}

impl Pattern {
    /// Compiles what stands after `~`. Time is linear in the path, so look-around and back-references do not exist
    /// (compat R6).
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let pattern = decoded_pattern(text);
        // Alone first: errors point into the user's text, and no parenthesis of it closes ours.
        let syntax = regex_syntax::parse(&pattern).map_err(|error| error.to_string())?;
        let anchored = RegexBuilder::new(&format!("^(?:{pattern})"))
            .size_limit(PATTERN_LIMIT)
            .dfa_size_limit(PATTERN_LIMIT)
            .build();
        let regex = anchored.map_err(|error| error.to_string())?;
        Ok(Self { literal: literal_prefix(&syntax), regex })
    }
}

/// What all that `pattern` matches starts with, as far as it is the same decoded and on the wire.
pub(super) fn literal_prefix(pattern: &Hir) -> String {
    let literals = Extractor::new().extract(pattern);
    let common = literals.longest_common_prefix().unwrap_or_default().iter().copied();
    common.take_while(|byte| stands_plain(*byte) && *byte != b'%').map(char::from).collect()
}

/// Escapes in an expression mean the octet itself: `~/sp%20ace` takes what `~/sp ace` takes (compat R12).
fn decoded_pattern(text: &str) -> Cow<'_, str> {
    match decoded(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(_) => {
            Cow::Owned(pieces(text).scan(Vec::new(), |run, piece| Some(literal(run, &piece))).collect())
        }
    }
}

/// The expression for one piece; octets of one character wait in `run` until it is whole.
fn literal(run: &mut Vec<u8>, piece: &Piece<'_>) -> String {
    match *piece {
        Piece::Escaped(octet) if !is_reserved(octet) => {
            run.push(octet);
            let Ok(text) = std::str::from_utf8(run) else { return String::new() };
            let text = regex::escape(text);
            run.clear();
            text
        }
        Piece::Escaped(octet) => format!("%{octet:02X}"),
        Piece::Plain(text) => text.to_owned(),
    }
}

/// What an expression took out of a path.
#[derive(Debug)]
pub struct Captures<'r, 'p> {
    regex: &'r Regex,
    path: Cow<'p, str>,
    groups: CaptureLocations,
}

impl<'r, 'p> Captures<'r, 'p> {
    /// The captures of `regex` in a canonical path.
    pub(super) fn new(regex: &'r Regex, path: &'p str) -> Option<Self> {
        let path = decoded(path);
        let mut groups = regex.capture_locations();
        regex.captures_read(&mut groups, &path)?;
        Some(Self { regex, path, groups })
    }

    /// The group of this number, decoded; 0 is the whole match.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&str> {
        self.groups.get(group).and_then(|(start, end)| self.path.get(start..end))
    }

    /// The group of this name, decoded.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(own, value)| if own == Some(name) { value } else { None })
    }

    /// All groups from number 1 on, with their names and values; a group that took no part has no value.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&'r str>, Option<&str>)> {
        self.regex.capture_names().enumerate().skip(1).map(|(group, name)| (name, self.get(group)))
    }
}

/// Where `regex` ends in the canonical `path`, of which `decoded` is the decoded form.
pub(super) fn match_end(regex: &Regex, path: &str, decoded: &str) -> Option<usize> {
    let end = regex.find(decoded)?.end();
    if path.len() == decoded.len() { Some(end) } else { Some(wire_length(path, end)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_ends_where_it_does_on_the_wire() {
        let end = |pattern: &str, path: &str| {
            match_end(&Pattern::new(pattern).unwrap().regex, path, &decoded(path))
        };
        assert_eq!(end(r"/re/\d+", "/re/12/x"), Some(6));
        assert_eq!(end("/sp ace", "/sp%20ace/x"), Some(9));
        assert_eq!(end("/sp%20a", "/sp%20ace/x"), Some(7));
        assert_eq!(end("/ü", "/%C3%BC%2Fx"), Some(7));
        assert_eq!(end("/%c3%bc%2F", "/%C3%BC%2Fx"), Some(10));
        assert_eq!(end("/x", "/re"), None);
    }

    #[test]
    fn an_expression_is_anchored_at_the_start_only_p39() {
        let regex = Pattern::new("/a|/b").unwrap().regex;
        assert!(regex.is_match("/bx") && regex.is_match("/a"));
        assert!(!regex.is_match("/x/b"));
    }

    #[test]
    fn a_pattern_knows_how_its_paths_start() {
        let literal = |pattern: &str| Pattern::new(pattern).unwrap().literal;
        assert_eq!(literal(r"/users/(?<id>\d+)"), "/users/");
        assert_eq!(literal("/(a|b)/c"), "/");
        assert_eq!(literal("/abc|/abd"), "/ab");
        assert_eq!(literal("/sp ace"), "/sp");
        assert_eq!(literal("/a%2Fb"), "/a");
        assert_eq!(literal("(?i)/ab"), "/");
        assert_eq!(literal(".*"), "");
    }

    #[test]
    fn an_expression_that_is_too_large_or_looks_around_is_refused() {
        assert!(Pattern::new(r"/(\w{100}){100}").is_err());
        assert!(Pattern::new(r"/a(?=b)").is_err());
        assert!(Pattern::new("/[").is_err());
        assert!(Pattern::new("/a)|(?:/b").is_err(), "it is one of ours that its parenthesis would close");
    }
}
