//! Where a running gateway has its Admin API, as people write it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use http::{Uri, uri::Scheme};
use rustls::pki_types::ServerName;

use crate::{address::Address, failure::Failure};

/// An [`Address`], or a URL: `https://gateway.internal:8444`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(SocketAddr),
    Url { is_tls: bool, host: String, port: u16 },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            return text.parse().map(|address: Address| Self::Address(address.0));
        }
        let url = || {
            let url: Uri = text.parse().ok()?;
            let is_tls = *url.scheme()? == Scheme::HTTPS;
            let is_plain = is_tls || *url.scheme()? == Scheme::HTTP;
            let is_whole = url.path_and_query().is_none_or(|path| path == "/");
            let host = url.host().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
            // As Kong's own: 8001 in clear, 8444 over TLS.
            let port = match url.port_u16() {
                Some(port) => port,
                None if url.authority()?.as_str() != url.host()? => return None,
                None if is_tls => 8444,
                None => 8001,
            };
            (is_plain && is_whole && !text.contains('@')).then_some(Self::Url { is_tls, host, port })
        };
        url().ok_or_else(|| {
            format!("'{text}' is no place of an Admin API; write 127.0.0.1:8001 or https://HOST:PORT")
        })
    }
}

impl Place {
    /// Where nothing is said.
    pub(super) fn usual() -> Self {
        Self::Address((Ipv4Addr::LOCALHOST, 8001).into())
    }

    /// Where to connect to.
    pub(super) fn address(&self) -> Result<SocketAddr, Failure> {
        let mut address = match self {
            Self::Address(address) => *address,
            Self::Url { host, port, .. } => {
                let unknown = |reason: String| Failure::new(format!("cannot find '{host}': {reason}"));
                let mut all =
                    (host.as_str(), *port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
                all.next().ok_or_else(|| unknown("it has no address".to_owned()))?
            }
        };
        // Where it listens on all, it listens here.
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(address)
    }

    /// Whether TLS is spoken there, if that is said.
    pub(super) const fn is_tls(&self) -> Option<bool> {
        match self {
            Self::Address(_) => None,
            Self::Url { is_tls, .. } => Some(*is_tls),
        }
    }

    /// Whose certificate is expected of who answers at `address`.
    pub(super) fn name(&self, address: IpAddr) -> Result<ServerName<'static>, Failure> {
        match self {
            Self::Url { host, .. } => Ok(ServerName::try_from(host.clone())?),
            Self::Address(_) => Ok(address.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_are_addresses_and_urls() {
        for (text, is_tls, host, port) in [
            ("https://gateway.internal:9444", true, "gateway.internal", 9444),
            ("https://127.0.0.1/", true, "127.0.0.1", 8444),
            ("http://[::1]:1", false, "::1", 1),
            ("http://gateway", false, "gateway", 8001),
        ] {
            assert_eq!(text.parse(), Ok(Place::Url { is_tls, host: host.to_owned(), port }), "{text}");
        }
        assert_eq!(":1".parse::<Place>().unwrap().address().unwrap().to_string(), "127.0.0.1:1");
        for text in
            ["ftp://a:1", "https://", "https://a/b", "https://a:1?x", "https://u@a:1", "a:1", "https://a:b"]
        {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
