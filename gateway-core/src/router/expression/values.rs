//! What a request has in a field.

use std::net::IpAddr;

use memchr::memchr_iter;

use super::{
    super::{
        path::{Piece, pieces},
        request::Request,
    },
    field::{AddressField, Header, NumberField, TextField},
    text::{Copied, TextTest},
};

/// Whether the values of a field pass: all of them, or any of them. A field without a value never does.
pub(super) fn pass(field: &TextField, any: bool, test: &TextTest, request: &Request<'_>) -> bool {
    let head = request.head;
    let one = |value: Option<&str>| value.is_some_and(|value| test.holds(value.as_bytes()));
    match field {
        TextField::Protocol => one(Some(if head.scheme.is_tls() { "https" } else { "http" })),
        // A final dot does not count, as in the fields of a route (compat R10).
        TextField::Sni => one(head.sni.map(|sni| sni.strip_suffix('.').unwrap_or(sni))),
        TextField::Method => one(Some(head.method.as_str())),
        TextField::Host => one(Some(head.host)),
        TextField::Path => one(Some(request.path())),
        TextField::Segments(first, last) => one(segments(request.path(), *first, *last)),
        TextField::Header(Header { name, underscored }) => {
            let dashed = head.headers.get_all(name).iter();
            let underscored = underscored.iter().flat_map(|name| head.headers.get_all(name));
            quantified(any, dashed.chain(underscored).map(|value| test.holds(value.as_bytes())))
        }
        TextField::Query(name) => {
            let values = head.query.into_iter().flat_map(|query| arguments(query, name));
            quantified(any, values.map(|value| plain(value, |value| test.holds(value))))
        }
    }
}

fn quantified(any: bool, held: impl Iterator<Item = bool>) -> bool {
    let mut has_value = false;
    for held in held {
        if held == any {
            return any;
        }
        has_value = true;
    }
    has_value && !any
}

/// The values of the arguments of this name, as they came. `a` is `a=`, as in Kong.
fn arguments<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q str> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(own, _)| plain(own, |own| own == name.as_bytes())).map(|(_, value)| value)
}

/// Hands on a part of a query with escapes resolved and `+` as a space. A `%` without two digits stays.
fn plain<R>(text: &str, then: impl FnOnce(&[u8]) -> R) -> R {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return then(text.as_bytes());
    }
    let mut octets = Copied::new();
    for piece in pieces(text) {
        match piece {
            Piece::Escaped(octet) => octets.push(octet),
            Piece::Plain(text) => {
                octets.extend(text.bytes().map(|octet| if octet == b'+' { b' ' } else { octet }));
            }
        }
    }
    then(&octets)
}

/// The number in a field.
pub(super) fn number(field: NumberField, request: &Request<'_>) -> Option<i64> {
    let head = request.head;
    match field {
        NumberField::SourcePort => head.source.map(|source| source.port().into()),
        NumberField::DestinationPort => {
            // As in Kong: the port that `Host` names, else the listener's. A host with the scheme's own port is one
            // without.
            let named = Some(head.port).filter(|port| *port != head.scheme.default_port());
            let listener = head.destination.map(|destination| destination.port());
            Some(named.or(listener).unwrap_or(head.port).into())
        }
        NumberField::SegmentCount => {
            let slashes = inner(request.path()).map(|inner| memchr_iter(b'/', inner.as_bytes()).count());
            i64::try_from(slashes.map_or(0, |slashes| slashes + 1)).ok()
        }
    }
}

/// The address in a field.
pub(super) fn address(field: AddressField, request: &Request<'_>) -> Option<IpAddr> {
    let end = match field {
        AddressField::Source => request.head.source,
        AddressField::Destination => request.head.destination,
    };
    end.map(|end| end.ip())
}

/// From the segment of this index to that, both included.
fn segments(path: &str, first: u32, last: u32) -> Option<&str> {
    let inner = inner(path)?;
    let mut slashes = memchr_iter(b'/', inner.as_bytes());
    let start = match first.checked_sub(1) {
        Some(before) => slashes.nth(before as usize)? + 1,
        None => 0,
    };
    if let Some(between) = (last - first).checked_sub(1) {
        slashes.nth(between as usize)?;
    }
    inner.get(start..slashes.next().unwrap_or(inner.len()))
}

/// What stands between the first slash and the last, if it ends the path; nothing in `/`.
fn inner(path: &str) -> Option<&str> {
    let inner = path.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    (!inner.is_empty()).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_count_from_zero_and_a_slash_at_the_end_adds_none() {
        for path in ["/a/b/c", "/a/b/c/"] {
            assert_eq!(segments(path, 0, 0), Some("a"));
            assert_eq!(segments(path, 2, 2), Some("c"));
            assert_eq!(segments(path, 0, 1), Some("a/b"));
            assert_eq!(segments(path, 1, 2), Some("b/c"));
            assert_eq!((segments(path, 3, 3), segments(path, 1, 3)), (None, None));
        }
        assert_eq!((segments("/", 0, 0), segments("", 0, 0)), (None, None));
        assert_eq!(segments("/a", 0, 1), None);
    }

    #[test]
    fn arguments_are_unescaped() {
        let all = |query: &str, name: &str| -> Vec<String> {
            let text = |value: &str| plain(value, |octets| String::from_utf8_lossy(octets).into_owned());
            arguments(query, name).map(text).collect()
        };
        assert_eq!(all("a=1&b=2&a=x+y%21&%61=%zz&a&aa=3&=4", "a"), ["1", "x y!", "%zz", ""]);
        assert!(all("", "a").is_empty());
    }
}
