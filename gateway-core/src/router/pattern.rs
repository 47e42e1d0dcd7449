//! Regular expressions over decoded paths, and what they take out of them.

use std::{borrow::Cow, sync::Arc};

use memchr::memmem;
use regex_syntax::hir::{
    Hir, HirKind, Look,
    literal::{Extractor, Seq},
};

use super::{
    interned::Interned,
    path::{Piece, decoded, is_reserved, pieces, stands_plain, wire_length},
    path_regex::PathRegex,
};

/// A regular expression of a route, anchored at the start.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As the route writes it, without `~`.
    pub(super) text: Box<str>,
    pub(super) regex: PathRegex,
    /// What every path that matches starts with, decoded and on the wire alike.
    pub(super) literal: String,
    /// One of these stands in every decoded path that matches, behind `literal`; none: nothing is known.
    pub(super) needed: Vec<Vec<u8>>,
}

/// Those of all routers: tenants use the same expressions.
static PATTERNS: Interned<Pattern> = Interned::new();

impl Pattern {
    /// Compiles what stands after `~`; what is equal is shared. Time is linear in the path, so look-around and
    /// back-references do not exist (compat R6).
    pub(super) fn new(text: &str) -> Result<Arc<Self>, String> {
        PATTERNS.get(text, || Self::compile(text))
    }

    fn compile(text: &str) -> Result<Self, String> {
        let syntax = regex_syntax::parse(&decoded_pattern(text)).map_err(|error| error.to_string())?;
        let literal = literal_prefix(&syntax);
        let needed = needed(&syntax, literal.len());
        let regex = PathRegex::new(syntax)?;
        Ok(Self { text: text.into(), regex, literal, needed })
    }
}

impl Pattern {
    /// Where it ends in the canonical `path`, of which `decoded` is the decoded form.
    pub(super) fn end(&self, path: &str, decoded: &str) -> Option<usize> {
        if !self.may_match(decoded) {
            return None;
        }
        let end = self.regex.end(decoded)?;
        if path.len() == decoded.len() { Some(end) } else { Some(wire_length(path, end)) }
    }

    /// Whether it takes a path that is its own decoded form.
    pub(super) fn takes(&self, path: &str) -> bool {
        self.end(path, path).is_some()
    }

    /// Finding a text costs a tenth of a match.
    fn may_match(&self, decoded: &str) -> bool {
        let mut needed = self.needed.iter();
        self.needed.is_empty() || needed.any(|text| memmem::find(decoded.as_bytes(), text).is_some())
    }
}

/// What all that `pattern` matches starts with, as far as it is the same decoded and on the wire.
pub(super) fn literal_prefix(pattern: &Hir) -> String {
    let literals = Extractor::new().extract(pattern);
    let common = literals.longest_common_prefix().unwrap_or_default().iter().copied();
    common.take_while(|byte| stands_plain(*byte) && *byte != b'%').map(char::from).collect()
}

/// So many parts of an expression are looked at, and so many texts of which one is needed are kept.
const MOST: usize = 16;

/// Where a part of the expression begins, one of a few texts must follow: the longest such texts. What all paths
/// start with, `known` bytes, tells nothing more.
fn needed(pattern: &Hir, known: usize) -> Vec<Vec<u8>> {
    let parts =
        if let HirKind::Concat(parts) = pattern.kind() { parts } else { std::slice::from_ref(pattern) };
    let following = (0..parts.len().min(MOST)).filter_map(|at| {
        let rest = Hir::concat(parts.get(at..)?.to_vec());
        let texts = few(&Extractor::new().limit_total(MOST).extract(&rest))?;
        let known = if at == 0 { known } else { 0 };
        Some(texts.into_iter().map(|text| text.get(known..).unwrap_or_default().to_vec()).collect())
    });
    following.max_by_key(|texts: &Vec<Vec<u8>>| texts.iter().map(Vec::len).min()).unwrap_or_default()
}

fn few(texts: &Seq) -> Option<Vec<Vec<u8>>> {
    Some(texts.literals()?.iter().map(|text| text.as_bytes().to_vec()).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_ends_where_it_does_on_the_wire() {
        let end = |pattern: &str, path: &str| Pattern::new(pattern).unwrap().end(path, &decoded(path));
        assert_eq!(end(r"/re/\d+", "/re/12/x"), Some(6));
        assert_eq!(end("/sp ace", "/sp%20ace/x"), Some(9));
        assert_eq!(end("/sp%20a", "/sp%20ace/x"), Some(7));
        assert_eq!(end("/ü", "/%C3%BC%2Fx"), Some(7));
        assert_eq!(end("/%c3%bc%2F", "/%C3%BC%2Fx"), Some(10));
        assert_eq!(end("/x", "/re"), None);
    }

    #[test]
    fn an_expression_is_anchored_at_the_start_only_p39() {
        let regex = &Pattern::new("/a|/b").unwrap().regex;
        assert_eq!((regex.end("/bx"), regex.end("/a"), regex.end("/x/b")), (Some(2), Some(2), None));
    }

    #[test]
    fn a_pattern_knows_how_its_paths_start() {
        let literal = |pattern: &str| Pattern::new(pattern).unwrap().literal.clone();
        assert_eq!(literal(r"/users/(?<id>\d+)"), "/users/");
        assert_eq!(literal("/(a|b)/c"), "/");
        assert_eq!(literal("/abc|/abd"), "/ab");
        assert_eq!(literal("/sp ace"), "/sp");
        assert_eq!(literal("/a%2Fb"), "/a");
        assert_eq!(literal("(?i)/ab"), "/");
        assert_eq!(literal(".*"), "");
    }

    #[test]
    fn a_pattern_knows_what_its_paths_need() {
        let needed = |pattern: &str| {
            let pattern = Pattern::new(pattern).unwrap();
            pattern.needed.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(needed(r"/[^/]+/orders/\d+"), ["/orders/"]);
        assert_eq!(needed("/api/.*/(?:edit|show)"), ["/edit", "/show"]);
        assert_eq!(needed(r"/users/(?<id>\d+)/posts$"), ["/posts"], "/users/ is known");
        assert_eq!(needed("(?:/one|/two)/x"), ["one/x", "two/x"], "without what both start with");
        assert_eq!(needed(r"/.*\.pdf$"), [".pdf"]);
        assert_eq!(needed("(?:/v1)?/.*"), ["/"]);
        assert!(needed(r"/\w+/\d+").iter().all(|text| text.len() < 2));
    }

    #[test]
    fn equal_expressions_are_compiled_once() {
        let one = Pattern::new("/equal/[a-z]+").unwrap();
        assert!(Arc::ptr_eq(&one, &Pattern::new("/equal/[a-z]+").unwrap()));
    }

    #[test]
    fn an_expression_that_is_too_large_or_looks_around_is_refused() {
        assert!(Pattern::new(r"/(\w{100}){100}").is_err());
        assert!(Pattern::new(r"/a(?=b)").is_err());
        assert!(Pattern::new("/[").is_err());
        assert!(Pattern::new("/a)|(?:/b").is_err(), "it is one of ours that its parenthesis would close");
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
}
