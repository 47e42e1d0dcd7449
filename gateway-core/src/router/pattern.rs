//! Regular expressions over decoded paths.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look, literal::Extractor};

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

fn literal_prefix(pattern: &Hir) -> String {
    let literals = Extractor::new().extract(pattern);
    let common = literals.longest_common_prefix().unwrap_or_default().iter().copied();
    common.take_while(|byte| stands_plain(*byte) && *byte != b'%').map(char::from).collect()
}

/// The text that is all that an expression takes, where it is a literal with an end anchor: `/x$`.
pub(super) fn whole_literal(text: &str) -> Option<String> {
    let pattern = regex_syntax::parse(&decoded_pattern(text)).ok()?;
    let HirKind::Concat(parts) = pattern.kind() else { return None };
    let parts = match parts.split_first()? {
        (start, parts) if *start.kind() == HirKind::Look(Look::Start) => parts,
        _ => parts,
    };
    match parts {
        [text, end] if *end.kind() == HirKind::Look(Look::End) => match text.kind() {
            HirKind::Literal(text) => String::from_utf8(text.0.to_vec()).ok(),
            _ => None,
        },
        _ => None,
    }
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
    fn a_literal_with_an_end_is_known() {
        for (pattern, literal) in [
            ("/x$", Some("/x")),
            ("^/x$", Some("/x")),
            (r"/a\.b\z", Some("/a.b")),
            ("/sp%20ace$", Some("/sp ace")),
            ("/a%2fb$", Some("/a%2Fb")),
            ("/$", Some("/")),
            ("/x", None),
            ("/x.$", None),
            ("(?i)/x$", None),
            ("(?m)/x$", None),
            ("(/x)$", None),
            ("/x$|/y", None),
            ("$", None),
            ("[", None),
        ] {
            assert_eq!(whole_literal(pattern).as_deref(), literal, "{pattern}");
        }
    }

    #[test]
    fn an_expression_that_is_too_large_or_looks_around_is_refused() {
        assert!(Pattern::new(r"/(\w{100}){100}").is_err());
        assert!(Pattern::new(r"/a(?=b)").is_err());
        assert!(Pattern::new("/[").is_err());
        assert!(Pattern::new("/a)|(?:/b").is_err(), "it is one of ours that its parenthesis would close");
    }
}
