//! The canonical authority: which host a request is for.

use std::{fmt, fmt::Write as _, net::Ipv6Addr};

use bytes::Bytes;
use http::{HeaderValue, Version, header::HOST, request::Parts, uri::Authority};

use super::{
    Compat,
    framing::{digits, multiplexed},
};
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
        str::from_utf8(self.name_bytes()).unwrap_or_default()
    }

    pub(super) fn name_bytes(&self) -> &[u8] {
        self.value.as_bytes().get(..self.name).unwrap_or_default()
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
        [b':', text @ ..] => match digits(text).map(u16::try_from) {
            Some(Ok(port @ 1..)) => Ok((Some(port), !text.starts_with(b"0"))),
            _ => Err(Reason::BadHost),
        },
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
mod tests;
