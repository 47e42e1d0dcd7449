//! The canonical authority: which host a request is for.

use std::{fmt, fmt::Write as _, net::Ipv6Addr};

use bytes::Bytes;
use http::{HeaderValue, Version, header::HOST, request::Parts, uri::Authority};

use super::{Compat, framing::multiplexed};
use crate::error::Reason;

/// A host and, if given, its port, in canonical form: lower case, without the final dot
/// (RFC 9110 section 4.2.3, compat D1), an IPv6 address in brackets and in its shortest form,
/// the port without leading zeros. A port that is the scheme's own stays: `preserve_host` sends
/// what the client sent (compat P36).
///
/// ```
/// use gateway_core::sanitize::Host;
/// use http::HeaderValue;
///
/// let host = Host::from_field(&HeaderValue::from_static("Example.COM.:8080")).unwrap();
/// assert_eq!((host.name(), host.port()), ("example.com", Some(8080)));
/// assert_eq!(host.value(), "example.com:8080");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    value: HeaderValue,
    /// Bytes of `value` before the port's colon.
    name: usize,
    port: Option<u16>,
}

impl Host {
    /// The host of a request that names none, which only HTTP/1.0 may: an empty name.
    #[must_use]
    pub const fn none() -> Self {
        Self { value: HeaderValue::from_static(""), name: 0, port: None }
    }

    /// The host of a `Host` field (RFC 9110 section 7.2). One that is canonical shares the
    /// field's memory.
    ///
    /// # Errors
    /// [`Reason::BadHost`]: empty, a list, with user information or a path, a name with other
    /// than letters, digits, `-`, `.`, `_` and `~` or with an empty inner label, a broken IPv6
    /// address, a port that is none.
    pub fn from_field(field: &HeaderValue) -> Result<Self, Reason> {
        let parsed = Parsed::new(field.as_bytes())?;
        if parsed.canonical {
            return Ok(Self { value: field.clone(), name: parsed.name.len(), port: parsed.port });
        }
        parsed.rebuild()
    }

    /// The host of `:authority` or of an absolute-form target; its bytes are copied.
    ///
    /// # Errors
    /// As [`Host::from_field`].
    pub fn from_authority(authority: &Authority) -> Result<Self, Reason> {
        Parsed::new(authority.as_str().as_bytes())?.rebuild()
    }

    /// The host of a `Host` field as it is spelled, but as valid as in [`Host::from_field`]: Kong
    /// compares hosts byte for byte (compat P40).
    ///
    /// # Errors
    /// As [`Host::from_field`].
    pub fn verbatim(field: &HeaderValue) -> Result<Self, Reason> {
        let parsed = Parsed::new(field.as_bytes())?;
        Ok(Self { value: field.clone(), name: parsed.spelled, port: parsed.port })
    }

    /// The name or address, without port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value.as_bytes().get(..self.name).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// The port, where one was given.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The whole as the value of a `Host` field.
    #[must_use]
    pub const fn value(&self) -> &HeaderValue {
        &self.value
    }
}

/// Which host `parts` is for, and whether its `Host` field has to be rewritten to say so.
///
/// HTTP/2: `:authority` wins (compat D4, RFC 9113 section 8.3.1). HTTP/1: the `Host` field,
/// and a target in absolute form has to agree with it (compat D3).
pub(super) fn host_of(parts: &Parts, compat: Compat) -> Result<(Host, bool), Reason> {
    let mut fields = parts.headers.get_all(HOST).into_iter();
    let (field, None) = (fields.next(), fields.next()) else { return Err(Reason::BadHost) };
    let host = match (parts.uri.authority(), field) {
        (Some(authority), _) if multiplexed(parts.version) => of_authority(authority, compat)?,
        (authority, Some(field)) => of_field(field, authority, parts, compat)?,
        // RFC 9112 section 3.2 asks HTTP/1.1 for the field even where the target is absolute.
        (Some(authority), None) if parts.version == Version::HTTP_10 => of_authority(authority, compat)?,
        (None, None) if parts.version == Version::HTTP_10 => return Ok((Host::none(), false)),
        _ => return Err(Reason::BadHost),
    };
    let rewrite = field != Some(&host.value);
    Ok((host, rewrite))
}

fn of_authority(authority: &Authority, compat: Compat) -> Result<Host, Reason> {
    match compat {
        Compat::Kong39 => Host::from_authority(authority),
        Compat::Kong39Strict => {
            let field = HeaderValue::from_str(authority.as_str()).map_err(|_| Reason::BadHost)?;
            Host::verbatim(&field)
        }
    }
}

fn of_field(
    field: &HeaderValue,
    authority: Option<&Authority>,
    parts: &Parts,
    compat: Compat,
) -> Result<Host, Reason> {
    if compat == Compat::Kong39Strict {
        return Host::verbatim(field);
    }
    let host = Host::from_field(field)?;
    if let Some(authority) = authority {
        agree(&host, &Host::from_authority(authority)?, parts)?;
    }
    Ok(host)
}

/// The same name, and the same port once the scheme's own is filled in.
fn agree(host: &Host, target: &Host, parts: &Parts) -> Result<(), Reason> {
    let default = if parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 };
    let same = host.name() == target.name() && host.port.unwrap_or(default) == target.port.unwrap_or(default);
    if same { Ok(()) } else { Err(Reason::BadHost) }
}

/// An authority taken apart.
struct Parsed<'a> {
    name: &'a [u8],
    /// Bytes before the port's colon as they came.
    spelled: usize,
    address: Option<Ipv6Addr>,
    port: Option<u16>,
    canonical: bool,
}

impl<'a> Parsed<'a> {
    fn new(authority: &'a [u8]) -> Result<Self, Reason> {
        let colon = match authority.strip_prefix(b"[") {
            Some(_) => memchr::memchr(b']', authority).map(|bracket| bracket + 1),
            None => memchr::memchr(b':', authority),
        };
        let (name, rest) = authority.split_at(colon.unwrap_or(authority.len()));
        let (port, plain_port) = parse_port(rest)?;
        let spelled = name.len();
        if let Some(address) = name.strip_prefix(b"[") {
            let address = parse_address(address)?;
            let canonical = plain_port && is_shortest(address, name);
            return Ok(Self { name, spelled, address: Some(address), port, canonical });
        }
        let (name, plain_name) = check_name(name)?;
        Ok(Self { name, spelled, address: None, port, canonical: plain_name && plain_port })
    }

    fn rebuild(&self) -> Result<Host, Reason> {
        let mut text = String::with_capacity(self.name.len() + 6);
        match self.address {
            Some(address) => write!(text, "[{address}]").map_err(|_| Reason::BadHost)?,
            None => text.extend(self.name.iter().map(|byte| char::from(byte.to_ascii_lowercase()))),
        }
        let name = text.len();
        if let Some(port) = self.port {
            write!(text, ":{port}").map_err(|_| Reason::BadHost)?;
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| Reason::BadHost)?;
        Ok(Host { value, name, port: self.port })
    }
}

/// `:port`, `:` or nothing, and whether it is spelled canonically.
fn parse_port(text: &[u8]) -> Result<(Option<u16>, bool), Reason> {
    match text {
        [] => Ok((None, true)),
        // RFC 3986 section 3.2.3 lets the port be empty.
        [b':'] => Ok((None, false)),
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            let text = str::from_utf8(digits).map_err(|_| Reason::BadHost)?;
            let port = text.parse().map_err(|_| Reason::BadHost)?;
            if port == 0 { Err(Reason::BadHost) } else { Ok((Some(port), !digits.starts_with(b"0"))) }
        }
        _ => Err(Reason::BadHost),
    }
}

/// An IPv6 address up to its bracket; zones and future versions are refused.
fn parse_address(text: &[u8]) -> Result<Ipv6Addr, Reason> {
    let text = text.strip_suffix(b"]").ok_or(Reason::BadHost)?;
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Reason::BadHost)
}

/// Whether `text` is how the address is written (RFC 5952).
fn is_shortest(address: Ipv6Addr, text: &[u8]) -> bool {
    struct Expect<'a>(&'a [u8]);
    impl fmt::Write for Expect<'_> {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(piece.as_bytes()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut expect = Expect(text);
    write!(expect, "[{address}]").is_ok() && expect.0.is_empty()
}

/// The name without its final dot, and whether that is how it came, in lower case. The characters
/// are those of host names in use; percent-encoding and what RFC 3986 calls sub-delims, a comma
/// among them, are refused. A leading dot passes as in Kong (compat P40).
fn check_name(text: &[u8]) -> Result<(&[u8], bool), Reason> {
    const LONGEST: usize = 255;
    let (name, mut canonical) = text.strip_suffix(b".").map_or((text, true), |name| (name, false));
    if name.is_empty() || name.len() > LONGEST {
        return Err(Reason::BadHost);
    }
    let mut previous = 0;
    for &byte in name {
        match byte {
            b'A'..=b'Z' => canonical = false,
            b'.' if previous == b'.' => return Err(Reason::BadHost),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {}
            _ => return Err(Reason::BadHost),
        }
        previous = byte;
    }
    if previous == b'.' { Err(Reason::BadHost) } else { Ok((name, canonical)) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request, Version, header::HOST};
    use proptest::prelude::*;

    use super::{Host, host_of};
    use crate::sanitize::Compat;

    fn field(text: &str) -> Option<(String, Option<u16>, String)> {
        let host = Host::from_field(&HeaderValue::from_bytes(text.as_bytes()).unwrap()).ok()?;
        Some((host.name().to_owned(), host.port(), host.value().to_str().unwrap().to_owned()))
    }

    #[test]
    fn deviation_1_a_host_has_one_form() {
        for (text, name, port, value) in [
            ("a.example", "a.example", None, "a.example"),
            ("A.Example", "a.example", None, "a.example"),
            ("a.example.", "a.example", None, "a.example"),
            ("a.example.:80", "a.example", Some(80), "a.example:80"),
            ("a:", "a", None, "a"),
            ("a:0080", "a", Some(80), "a:80"),
            ("my_host", "my_host", None, "my_host"),
            (".x.t", ".x.t", None, ".x.t"),
            ("127.0.0.1:8000", "127.0.0.1", Some(8000), "127.0.0.1:8000"),
            ("[::1]", "[::1]", None, "[::1]"),
            ("[::1]:8000", "[::1]", Some(8000), "[::1]:8000"),
            ("[0:0:0:0:0:0:0:1]:1", "[::1]", Some(1), "[::1]:1"),
            ("[2001:DB8::1]", "[2001:db8::1]", None, "[2001:db8::1]"),
        ] {
            assert_eq!(field(text), Some((name.to_owned(), port, value.to_owned())), "{text}");
        }
    }

    #[test]
    fn row_t1_and_deviation_2_bad_hosts_are_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a..",
            "a/b",
            "a?b",
            "a#b",
            "u@a",
            "u:p@a",
            "a b",
            "a,b",
            "a, a",
            "a:b",
            "a:80:80",
            "a:-1",
            "a:+1",
            "a:65536",
            "a:0",
            "a:99999999999",
            ":80",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[::1%25eth0]",
            "[v1.a]",
            "[1.2.3.4]",
            "a]",
            "a%41",
            "a\\b",
            "<a>",
            "a\u{fc}",
            "a\"",
            "a;b",
            "*",
        ] {
            let canonical = field(text);
            // An empty port after an address is as valid as after a name.
            assert_eq!(canonical.is_some(), text == "[::1]:", "{text:?}: {canonical:?}");
        }
        assert!(field(&"a".repeat(256)).is_none());
    }

    fn of(version: Version, uri: &str, hosts: &[&str]) -> Option<(String, bool)> {
        of_level(Compat::Kong39, version, uri, hosts)
    }

    fn of_level(compat: Compat, version: Version, uri: &str, hosts: &[&str]) -> Option<(String, bool)> {
        let mut request = Request::builder().version(version).uri(uri).body(()).unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
        }
        let (host, rewrite) = host_of(&request.into_parts().0, compat).ok()?;
        Some((host.value().to_str().unwrap().to_owned(), rewrite))
    }

    fn is(host: &str, rewrite: bool) -> Option<(String, bool)> {
        Some((host.to_owned(), rewrite))
    }

    #[test]
    fn rows_t1_and_t2_http_1_is_routed_by_its_one_host() {
        let (v10, v11) = (Version::HTTP_10, Version::HTTP_11);
        assert_eq!(of(v11, "/", &["a"]), is("a", false));
        assert_eq!(of(v11, "/", &["A"]), is("a", true));
        assert_eq!(of(v11, "/", &[]), None);
        assert_eq!(of(v11, "/", &["a", "a"]), None);
        assert_eq!(of(v10, "/", &[]), is("", false));
        assert_eq!(of(v10, "/", &["a", "b"]), None);
        assert_eq!(of(v10, "http://a/", &[]), is("a", true));
    }

    #[test]
    fn deviation_3_an_absolute_target_agrees_with_host() {
        let v11 = Version::HTTP_11;
        assert_eq!(of(v11, "http://a/", &["a"]), is("a", false));
        assert_eq!(of(v11, "http://A.:80/", &["a"]), is("a", false));
        assert_eq!(of(v11, "https://a:443/", &["a"]), is("a", false));
        assert_eq!(of(v11, "http://b/", &["a"]), None);
        assert_eq!(of(v11, "http://a:81/", &["a"]), None);
        assert_eq!(of(v11, "http://u@a/", &["a"]), None);
        assert_eq!(of(v11, "http://a/", &[]), None);
    }

    #[test]
    fn row_t3_and_deviation_4_authority_wins_in_http_2() {
        let v2 = Version::HTTP_2;
        assert_eq!(of(v2, "https://a/", &[]), is("a", true));
        assert_eq!(of(v2, "https://a/", &["a"]), is("a", false));
        assert_eq!(of(v2, "https://a/", &["b"]), is("a", true));
        assert_eq!(of(v2, "https://a/", &["a", "a"]), None);
        assert_eq!(of(v2, "/", &["b"]), is("b", false));
        assert_eq!(of(v2, "/", &[]), None);
        assert_eq!(of(v2, "https://u:p@a/", &[]), None);
    }

    #[test]
    fn deviations_1_and_3_fall_back_to_kong() {
        let of = |version, uri, hosts| of_level(Compat::Kong39Strict, version, uri, hosts);
        assert_eq!(of(Version::HTTP_11, "/", &["A.b.:080"]), is("A.b.:080", false));
        assert_eq!(of(Version::HTTP_11, "http://b/", &["a"]), is("a", false));
        assert_eq!(of(Version::HTTP_2, "https://A/", &["b"]), is("A", true));
        assert_eq!(of(Version::HTTP_11, "/", &["a/b"]), None);
        let host = Host::verbatim(&HeaderValue::from_static("A.b.:080")).unwrap();
        assert_eq!((host.name(), host.port()), ("A.b.", Some(80)));
    }

    proptest! {
        #[test]
        fn it_is_idempotent_and_never_panics(text in "[\\PC]{0,12}|[a-zA-Z.\\[\\]:0-9@,]{0,16}") {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes())
                && let Ok(once) = Host::from_field(&value)
            {
                    let again = Host::from_field(once.value()).unwrap();
                    prop_assert_eq!(&again, &once);
                    prop_assert_eq!(again.value().as_bytes().as_ptr(), once.value().as_bytes().as_ptr());
                    prop_assert!(!once.name().bytes().any(|byte| byte.is_ascii_uppercase()));
            }
        }

        #[test]
        fn every_name_equals_itself_in_capitals(name in "[a-z0-9_-]{1,8}(\\.[a-z0-9-]{1,8}){0,3}", port in 1_u16..) {
            let plain = Host::from_field(&HeaderValue::from_str(&format!("{name}:{port}")).unwrap()).unwrap();
            let odd = format!("{}.:{port:08}", name.to_uppercase());
            prop_assert_eq!(plain, Host::from_field(&HeaderValue::from_str(&odd).unwrap()).unwrap());
        }
    }
}
