//! The canonical form of a path: what the router, the plugins and the upstream all see.
//!
//! RFC 3986 section 6.2.2 as Kong applies it (compat P39, R12): unreserved characters are
//! decoded, other escapes are upper-cased, characters that do not belong into a path are
//! escaped, `//` is one slash, dot segments are resolved. `%2F` and the other reserved
//! characters keep the form they came in.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;

use crate::error::Reason;

/// The canonical form of `path`, which begins with `/` and has no query. A path that is
/// canonical already is scanned once and borrowed.
///
/// ```
/// use gateway_core::sanitize::canonical_path;
///
/// assert_eq!(canonical_path("/a//b/%7euser/../c%2fd").unwrap(), "/a/b/c%2Fd");
/// assert!(canonical_path("/a/../../etc/passwd").is_err());
/// ```
///
/// # Errors
/// [`Reason::BadPath`]: it does not begin with `/`, climbs above the root (also where `%2F` is
/// taken for a slash, as nginx and many an upstream do), or has a control character, `?`, `#`,
/// `%00` or a `%` without two hexadecimal digits.
pub fn canonical_path(path: &str) -> Result<Cow<'_, str>, Reason> {
    let canonical = match scan(path.as_bytes()) {
        Form::Canonical => return Ok(Cow::Borrowed(path)),
        Form::Escaped => Cow::Borrowed(path),
        Form::Other => Cow::Owned(resolve_dots(&normalize_escapes(path.as_bytes())?)?),
    };
    if climbs_decoded(&canonical) { Err(Reason::BadPath) } else { Ok(canonical) }
}

/// Refuses the canonical path whose meaning differs among servers: `%2F` or `%5C` (a raw `\`
/// has become one), and a `..` next to a `;` (compat D10, `strict_paths`).
///
/// # Errors
/// [`Reason::BadPath`].
pub fn refuse_ambiguous(canonical: &str) -> Result<(), Reason> {
    const FORMS: [&str; 4] = ["%2F", "%5C", ";..", "..;"];
    if memchr::memchr2(b'%', b';', canonical.as_bytes()).is_none() {
        return Ok(());
    }
    if FORMS.iter().any(|form| canonical.contains(form)) { Err(Reason::BadPath) } else { Ok(()) }
}

/// The target with its path made canonical and its query untouched, a bare `?` included; `None`
/// where it is canonical already.
///
/// # Errors
/// As [`canonical_path`].
pub(super) fn canonical_target(target: &PathAndQuery) -> Result<Option<PathAndQuery>, Reason> {
    let path = canonical_path(target.path())?;
    // An absolute-form target without a path, `http://a?q`, is held without its slash.
    if matches!(path, Cow::Borrowed(_)) && target.as_str().starts_with('/') {
        return Ok(None);
    }
    let mut text = path.into_owned();
    if let Some(query) = target.query() {
        text.push('?');
        text.push_str(query);
    }
    PathAndQuery::from_maybe_shared(Bytes::from(text)).map(Some).map_err(|_| Reason::BadPath)
}

/// Appends `canonical` with all escapes decoded but those of reserved and control characters: the
/// form that Kong shows in `X-Forwarded-Prefix` (compat P33).
pub(super) fn put_decoded(canonical: &str, out: &mut BytesMut) {
    let mut rest = canonical.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let (b'%', Some((value, after))) = (*byte, escape(tail)) else {
            out.put_u8(*byte);
            continue;
        };
        if kind(value) == Kind::Encode && value >= b' ' {
            out.put_u8(value);
            rest = after;
        } else {
            out.put_u8(b'%');
        }
    }
}

/// What a byte is in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// RFC 3986 section 2.3: never escaped.
    Unreserved,
    /// RFC 3986 section 2.2: raw and escaped differ in meaning.
    Reserved,
    Slash,
    Percent,
    /// No URI character; Kong sends it on escaped.
    Encode,
    /// Never in a path.
    Refuse,
}

/// `Kind` by byte, one load in the hot loop.
static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Encode; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)]
        let this = byte as u8;
        kinds[byte] = match this {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => Kind::Unreserved,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => Kind::Reserved,
            b':' | b'@' | b'[' | b']' => Kind::Reserved,
            b'/' => Kind::Slash,
            b'%' => Kind::Percent,
            0..=0x1f | 0x7f | b'?' | b'#' => Kind::Refuse,
            _ => Kind::Encode,
        };
        byte += 1;
    }
    kinds
};

fn kind(byte: u8) -> Kind {
    KINDS[usize::from(byte)]
}

enum Form {
    /// Canonical, without escapes.
    Canonical,
    /// Canonical, with escapes.
    Escaped,
    Other,
}

/// One pass without writing: is there anything to do?
fn scan(path: &[u8]) -> Form {
    let Some(mut rest) = path.strip_prefix(b"/") else { return Form::Other };
    let mut form = Form::Canonical;
    let mut at_start = true;
    if is_dot_segment(rest) {
        return Form::Other;
    }
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match kind(*byte) {
            Kind::Unreserved | Kind::Reserved => at_start = false,
            Kind::Slash if at_start || is_dot_segment(tail) => return Form::Other,
            Kind::Slash => at_start = true,
            Kind::Percent => match canonical_escape(tail) {
                Some(after) => (rest, form, at_start) = (after, Form::Escaped, false),
                None => return Form::Other,
            },
            Kind::Encode | Kind::Refuse => return Form::Other,
        }
    }
    form
}

/// Whether the segment that begins here is `.` or `..`.
fn is_dot_segment(rest: &[u8]) -> bool {
    matches!(rest, [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// What follows two hexadecimal digits, if they are upper case and have to stay.
fn canonical_escape(tail: &[u8]) -> Option<&[u8]> {
    let [high, low, ..] = tail else { return None };
    let (value, after) = escape(tail)?;
    let stays = value != 0 && kind(value) != Kind::Unreserved;
    (stays && !high.is_ascii_lowercase() && !low.is_ascii_lowercase()).then_some(after)
}

/// The value of two hexadecimal digits, and what follows them.
fn escape(tail: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, after @ ..] = tail else { return None };
    Some((hex(*high)? << 4 | hex(*low)?, after))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// First half: every character in its one canonical spelling.
fn normalize_escapes(path: &[u8]) -> Result<String, Reason> {
    let mut out = String::with_capacity(path.len() + 16);
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match kind(*byte) {
            Kind::Unreserved | Kind::Reserved | Kind::Slash => out.push(char::from(*byte)),
            Kind::Encode => push_escape(&mut out, *byte),
            Kind::Refuse => return Err(Reason::BadPath),
            Kind::Percent => {
                let (value, after) = escape(tail).ok_or(Reason::BadPath)?;
                rest = after;
                match kind(value) {
                    _ if value == 0 => return Err(Reason::BadPath),
                    Kind::Unreserved => out.push(char::from(value)),
                    _ => push_escape(&mut out, value),
                }
            }
        }
    }
    Ok(out)
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Second half: RFC 3986 section 5.2.4 with `//` merged first, as nginx and Kong do it.
fn resolve_dots(path: &str) -> Result<String, Reason> {
    let segments = path.strip_prefix('/').ok_or(Reason::BadPath)?;
    let mut out = String::with_capacity(path.len());
    let mut open = true;
    for segment in segments.split('/') {
        open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').ok_or(Reason::BadPath)?),
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    if open {
        out.push('/');
    }
    Ok(out)
}

/// Whether the path leaves the root once its `%2F` are slashes. nginx, and so Kong, answers it
/// with 400 too, and an upstream that decodes first would walk out of its directory.
pub(crate) fn climbs_decoded(canonical: &str) -> bool {
    if !canonical.contains("%2F") {
        return false;
    }
    let segments = canonical.split('/').flat_map(|segment| segment.split("%2F"));
    let depth =
        segments.filter(|segment| !matches!(*segment, "" | ".")).try_fold(0_usize, |depth, segment| {
            if segment == ".." { depth.checked_sub(1) } else { Some(depth + 1) }
        });
    depth.is_none()
}

#[cfg(test)]
mod tests;
