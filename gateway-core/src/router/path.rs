//! Paths of routes: their canonical form, and regular expressions over the decoded path.
//!
//! A path has two forms (compat P39, R12). On the wire an octet that may not stand plain is escaped: `/sp%20ace`.
//! Rules are written, ranked and matched by the decoded form, in which only reserved characters stay escaped:
//! `/sp ace`, `/a%2Fb`. Prefixes are compared on the wire form, which comes to the same; expressions see the
//! decoded one.

use std::borrow::Cow;

use regex::{CaptureLocations, Regex, RegexBuilder};
use regex_syntax::hir::literal::Extractor;

/// A compiled expression may take this much memory: a route of one tenant is not to eat the others'.
const PATTERN_LIMIT: usize = 1 << 20;

/// A plain path of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    /// As it stands on the wire.
    pub(super) wire: String,
    /// Its length as Kong counts it.
    pub(super) length: usize,
}

impl Prefix {
    pub(super) fn new(path: &str) -> Self {
        let wire = canonical(path);
        let length = decoded(&wire).len();
        Self { wire, length }
    }
}

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
    pub(super) fn new(text: &str) -> Result<Self, regex::Error> {
        let anchored = format!("^(?:{})", decoded_pattern(text));
        let regex = RegexBuilder::new(&anchored).size_limit(PATTERN_LIMIT).build()?;
        Ok(Self { literal: literal_prefix(&anchored).unwrap_or_default(), regex })
    }
}

fn literal_prefix(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let literals = Extractor::new().extract(&hir);
    let common = literals.longest_common_prefix()?.iter();
    Some(common.copied().take_while(|byte| stands_plain(*byte) && *byte != b'%').map(char::from).collect())
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

/// How many bytes of `path` its first `length` decoded bytes take.
fn wire_length(path: &str, length: usize) -> usize {
    let (mut wire, mut left) = (0, length);
    for piece in pieces(path) {
        let (taken, decoded) = match piece {
            Piece::Escaped(octet) if !is_reserved(octet) => (3, 1),
            Piece::Escaped(_) => (left.min(3), left.min(3)),
            Piece::Plain(text) => (left.min(text.len()), left.min(text.len())),
        };
        if left == 0 {
            break;
        }
        (wire, left) = (wire + taken, left - decoded);
    }
    wire
}

/// The decoded form of a canonical path; the path itself where the octets are not UTF-8.
pub(super) fn decoded(path: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', path.as_bytes()).is_none() {
        return Cow::Borrowed(path);
    }
    let mut octets = Vec::with_capacity(path.len());
    for piece in pieces(path) {
        match piece {
            Piece::Escaped(octet) if !is_reserved(octet) => octets.push(octet),
            Piece::Escaped(octet) => push_escaped(&mut octets, octet),
            Piece::Plain(text) => octets.extend(text.bytes()),
        }
    }
    String::from_utf8(octets).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// The form of a request's path for a route's: escapes in upper case and only where they are needed, no empty and no
/// dot segments.
fn canonical(path: &str) -> String {
    let mut octets = Vec::with_capacity(path.len());
    for piece in pieces(path) {
        match piece {
            Piece::Escaped(octet) if is_unreserved(octet) => octets.push(octet),
            Piece::Escaped(octet) => push_escaped(&mut octets, octet),
            Piece::Plain(text) => text.bytes().for_each(|octet| match octet {
                _ if stands_plain(octet) => octets.push(octet),
                _ => push_escaped(&mut octets, octet),
            }),
        }
    }
    without_dots(&String::from_utf8_lossy(&octets))
}

fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let is_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let end = if is_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// A part of a path: one escape, or text up to the next one.
enum Piece<'a> {
    Escaped(u8),
    Plain(&'a str),
}

/// Splits a path at its escapes. A `%` without two digits is plain.
fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if let Some(octet) = leading_escape(rest) {
            rest = rest.get(3..)?;
            return Some(Piece::Escaped(octet));
        }
        let (plain, after) = rest.split_at_checked(plain_length(rest))?;
        rest = after;
        (!plain.is_empty()).then_some(Piece::Plain(plain))
    })
}

fn plain_length(text: &str) -> usize {
    let mut escapes = memchr::memchr_iter(b'%', text.as_bytes());
    escapes.find(|at| text.get(*at..).and_then(leading_escape).is_some()).unwrap_or(text.len())
}

fn leading_escape(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn push_escaped(octets: &mut Vec<u8>, octet: u8) {
    octets.extend(format!("%{octet:02X}").bytes());
}

/// RFC 3986 section 2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

/// RFC 3986 section 2.2, and the sign of an escape.
fn is_reserved(octet: u8) -> bool {
    b"!*'();:@&=+$,/?%#[]".contains(&octet)
}

fn stands_plain(octet: u8) -> bool {
    is_unreserved(octet) || is_reserved(octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routes_path_takes_the_form_of_a_requests_r12() {
        for (path, wire) in [
            ("/a", "/a"),
            ("/", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/%41%7e", "/A~"),
            ("/%2e%2E/x", "/x"),
            ("/a%2fb", "/a%2Fb"),
            ("/e/sp ace", "/e/sp%20ace"),
            ("/e/ü", "/e/%C3%BC"),
            ("/e/%c3%bc", "/e/%C3%BC"),
            ("/a/%zz", "/a/%zz"),
            ("/(a|b)", "/(a%7Cb)"),
        ] {
            assert_eq!(canonical(path), wire, "{path}");
        }
    }

    #[test]
    fn a_prefix_counts_as_kong_stores_it() {
        assert_eq!(Prefix::new("/e/ü").length, 5);
        assert_eq!(Prefix::new("/e/sp%20ace").length, 9);
        assert_eq!(Prefix::new("/a%2fb").length, 6);
    }

    #[test]
    fn decoding_keeps_reserved_characters_and_what_is_not_text() {
        assert_eq!(decoded("/sp%20ace/%C3%BC%2F%25"), "/sp ace/ü%2F%25");
        assert_eq!(decoded("/%FF%20"), "/%FF%20");
        assert!(matches!(decoded("/plain"), Cow::Borrowed(_)));
    }

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
    }
}
