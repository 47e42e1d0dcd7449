//! Browsers that somebody else's page sends, and those of pages that may (D37).
//!
//! The Admin API has no login, so whoever reaches it may change it. A browser on the operator's machine
//! reaches it for every page that it shows. What gives such a page away: the name that it was asked by, which is the
//! page's own where DNS was rebound, and the fields that browsers add and pages cannot change.

use std::net::IpAddr;

use axum::extract::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, uri::Authority};

use super::reply::Failure;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names and the origins that are ours.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) hosts: Vec<Box<str>>,
    pub(super) origins: Vec<Box<str>>,
}

impl Known {
    fn has_host(&self, name: &str) -> bool {
        self.hosts.iter().any(|known| **known == *name)
    }

    pub(super) fn has_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

/// Refuses what may change something, where somebody else's page may have sent it.
pub(super) fn check_change(request: &Request, known: &Known) -> Result<(), Failure> {
    check_host(request, known)?;
    let headers = request.headers();
    let own = |origin: &str| hosts(request).any(|host| is_same(origin, host)) || known.has_origin(origin);
    if !values(headers, &header::ORIGIN).all(own) {
        return Err(Failure::Origin);
    }
    let crossed = values(headers, &SEC_FETCH_SITE).any(|site| site.eq_ignore_ascii_case("cross-site"));
    let is_known = values(headers, &header::ORIGIN).any(|origin| known.has_origin(origin));
    if crossed && !is_known { Err(Failure::Origin) } else { Ok(()) }
}

/// Refuses what was asked by a name that a stranger's DNS could answer for.
pub(super) fn check_host(request: &Request, known: &Known) -> Result<(), Failure> {
    let is_ours = |host: &str| is_local(host) || known.has_host(&name_of(host));
    if hosts(request).all(is_ours) { Ok(()) } else { Err(Failure::Host) }
}

/// Refuses what names no host over HTTP/1.1, and what names several (RFC 9112 3.2).
pub(super) fn check_hosts(request: &Request) -> Result<(), Failure> {
    match request.headers().get_all(header::HOST).iter().count() {
        0 if request.version() == Version::HTTP_11 => Err(Failure::Hosts),
        0 | 1 => Ok(()),
        _ => Err(Failure::Hosts),
    }
}

/// What it was asked by. Browsers always say it; without it there is nothing to rebind.
fn hosts(request: &Request) -> impl Iterator<Item = &str> {
    let authority = request.uri().authority().map(Authority::as_str);
    let fields = authority.is_none().then(|| values(request.headers(), &header::HOST));
    authority.into_iter().chain(fields.into_iter().flatten())
}

/// The page that asks, as far as answers tell browsers who may read them.
pub(super) enum Page {
    /// No page of another origin: anybody, as in Kong. Answers to what may change something are for nobody.
    None { reads: bool },
    /// One that is listed, by its origin.
    Known { origin: HeaderValue, asks: bool },
    /// Somebody else's.
    Other,
}

impl Page {
    pub(super) fn of(request: &Request, known: &Known) -> Self {
        let method = request.method();
        let Some(origin) = request.headers().get(header::ORIGIN) else {
            return Self::None { reads: matches!(*method, Method::GET | Method::HEAD) };
        };
        match origin.to_str() {
            Ok(text) if known.has_origin(text) => {
                Self::Known { origin: origin.clone(), asks: *method == Method::OPTIONS }
            }
            _ => Self::Other,
        }
    }

    /// Tells the browser. Answers differ by who asks, also for caches.
    pub(super) fn stamp(self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        match self {
            Self::None { reads: true } => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Self::None { reads: false } | Self::Other => {}
            Self::Known { origin, asks } => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
                if asks {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN);
                }
            }
        }
    }
}

/// Fields that pages which may ask need to see, and to send.
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, Gateway-Revision");
const TAKEN: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-Match, If-None-Match, Kong-Admin-Token");

/// Whether a method changes nothing (RFC 9110 9.2.1).
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// All values of a field; one that is no text is a value that nothing is equal to.
fn values<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default())
}

/// An address or `localhost`: no name that a stranger's DNS could answer for.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// A host without its port, lower case.
fn name_of(host: &str) -> String {
    host.parse::<Authority>().map(|authority| authority.host().to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a page of `origin` was loaded from `host`. Browsers leave the default port out of both.
fn is_same(origin: &str, host: &str) -> bool {
    let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    place.is_some_and(|place| place.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::{is_local, is_same};

    #[test]
    fn addresses_and_localhost_are_local() {
        for host in
            ["127.0.0.1", "127.0.0.1:8001", "[::1]:8001", "10.1.2.3:8001", "localhost", "LocalHost:8001"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8001",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a b",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_its_own_with_the_same_host_and_port_only() {
        assert!(is_same("http://localhost:8001", "localhost:8001"));
        for origin in ["null", "", "http://localhost:3000", "http://localhost", "http://evil.example"] {
            assert!(!is_same(origin, "localhost:8001"), "{origin}");
        }
    }
}
