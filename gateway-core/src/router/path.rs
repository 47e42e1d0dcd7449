//! Paths of routes and requests in their two forms.
//!
//! A path has two forms (compat P39, R12). On the wire an octet that may not stand plain is escaped: `/sp%20ace`.
//! Rules are written, ranked and matched by the decoded form, in which only reserved characters stay escaped:
//! `/sp ace`, `/a%2Fb`. Prefixes are compared on the wire form, which comes to the same; expressions see the
//! decoded one.

use std::borrow::Cow;

use smallvec::SmallVec;

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

/// How many bytes of `path` its first `length` decoded bytes take.
pub(super) fn wire_length(path: &str, length: usize) -> usize {
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
    let text = decoded_octets(path).and_then(|octets| String::from_utf8(octets.into_vec()).ok());
    text.map_or(Cow::Borrowed(path), Cow::Owned)
}

/// The octets of a decoded path. They need no allocation in paths that are not unusually long.
pub(super) type Octets = SmallVec<[u8; 256]>;

/// The decoded form of a canonical path; none where the path has no escapes.
pub(super) fn decoded_octets(path: &str) -> Option<Octets> {
    memchr::memchr(b'%', path.as_bytes())?;
    let mut octets = Octets::new();
    for piece in pieces(path) {
        match piece {
            Piece::Escaped(octet) if !is_reserved(octet) => octets.push(octet),
            Piece::Escaped(octet) => octets.extend(escape(octet)),
            Piece::Plain(text) => octets.extend_from_slice(text.as_bytes()),
        }
    }
    Some(octets)
}

/// The form of a request's path for a route's: escapes in upper case and only where they are needed, no empty and no
/// dot segments.
fn canonical(path: &str) -> String {
    let mut octets = Vec::with_capacity(path.len());
    for piece in pieces(path) {
        match piece {
            Piece::Escaped(octet) if is_unreserved(octet) => octets.push(octet),
            Piece::Escaped(octet) => octets.extend(escape(octet)),
            Piece::Plain(text) => text.bytes().for_each(|octet| match octet {
                _ if stands_plain(octet) => octets.push(octet),
                _ => octets.extend(escape(octet)),
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
pub(super) enum Piece<'a> {
    Escaped(u8),
    Plain(&'a str),
}

/// Splits a path at its escapes. A `%` without two digits is plain.
pub(super) fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
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

/// Text of the decoded form as it stands on the wire. A path starts with one if it starts with the other, but for
/// escapes in the text, which no decoded path has.
pub(super) fn encoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    for octet in text.bytes() {
        if stands_plain(octet) {
            octets.push(octet);
        } else {
            octets.extend(escape(octet));
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn escape(octet: u8) -> [u8; 3] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
    [b'%', digit(octet >> 4), digit(octet & 15)]
}

/// RFC 3986 section 2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

/// RFC 3986 section 2.2, and the sign of an escape.
pub(super) fn is_reserved(octet: u8) -> bool {
    b"!*'();:@&=+$,/?%#[]".contains(&octet)
}

pub(super) fn stands_plain(octet: u8) -> bool {
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
}
