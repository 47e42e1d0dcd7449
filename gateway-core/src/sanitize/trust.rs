//! Whose word about the client counts.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::names::{X_FORWARDED_PROTO, X_REAL_IP};
use crate::{ConnectInfo, config::Protocol};

/// Kong's `trusted_ips`, `real_ip_header` and `real_ip_recursive`, with Kong's defaults: nobody is
/// trusted, `X-Real-IP`, not recursive.
///
/// ```
/// use gateway_core::{ConnectInfo, sanitize::Trust};
///
/// let mut trust = Trust::default();
/// trust.trusted_ips = ["10.0.0.0/8".parse().unwrap()].into_iter().collect();
/// let connection = ConnectInfo::new("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:8000".parse().unwrap());
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-real-ip", "192.0.2.7".parse().unwrap());
/// assert_eq!(trust.client(&headers, &connection).ip.to_string(), "192.0.2.7");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trust {
    /// Peers whose forwarding headers count. Default none.
    pub trusted_ips: TrustedIps,
    /// Where a trusted peer tells the client's address. Default `X-Real-IP`; a list, such as
    /// `X-Forwarded-For`, is read from its end. None: nowhere, what the listener knows counts (Kong's word for it is
    /// `proxy_protocol`).
    pub real_ip_header: Option<HeaderName>,
    /// Whether trusted addresses at the end of the list are passed over, so that the right-most
    /// untrusted one counts. Default off: the last one counts.
    pub real_ip_recursive: bool,
}

impl Default for Trust {
    fn default() -> Self {
        Self { trusted_ips: TrustedIps::default(), real_ip_header: Some(X_REAL_IP), real_ip_recursive: false }
    }
}

/// Who sent a request, as far as we may believe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address: the peer's, or the one a trusted peer tells. Never IPv4 written as IPv6.
    pub ip: IpAddr,
    /// How it speaks: the connection's scheme, or the one a trusted peer tells.
    pub scheme: Protocol,
    /// Whether the peer is trusted.
    pub trusted: bool,
}

impl Trust {
    /// Who sent the request with these headers over `connection`. The headers are only read where the
    /// peer is trusted; what they say that is no address or no scheme does not count.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, connection: &ConnectInfo) -> Client {
        let peer = connection.peer().ip().to_canonical();
        if !self.trusted_ips.contains(peer) {
            return Client { ip: peer, scheme: connection.scheme(), trusted: false };
        }
        Client {
            ip: self.told_ip(headers).unwrap_or(peer),
            scheme: told_scheme(headers).unwrap_or(connection.scheme()),
            trusted: true,
        }
    }

    /// As nginx's realip module: from the end of the list, up to what is no address.
    fn told_ip(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut found = None;
        for value in headers.get_all(self.real_ip_header.as_ref()?).iter().rev() {
            for text in value.as_bytes().rsplit(|byte| *byte == b',') {
                let Some(ip) = parse_ip(text.trim_ascii()) else { return found };
                found = Some(ip);
                if !self.real_ip_recursive || !self.trusted_ips.contains(ip) {
                    return found;
                }
            }
        }
        found
    }
}

fn told_scheme(headers: &HeaderMap) -> Option<Protocol> {
    let value = headers.get(X_FORWARDED_PROTO)?.as_bytes();
    let is = |scheme: &str| value.eq_ignore_ascii_case(scheme.as_bytes());
    if is("https") {
        Some(Protocol::Https)
    } else if is("http") {
        Some(Protocol::Http)
    } else {
        None
    }
}

/// An address, in brackets or not, with a port or not.
fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()?;
    Some(ip.to_canonical())
}

/// A set of addresses and ranges. Single addresses are found by binary search, ranges one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedIps {
    addresses: Vec<IpAddr>,
    ranges: Vec<IpNet>,
}

impl TrustedIps {
    /// Whether `ip` is in the set; IPv4 written as IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        if self.addresses.is_empty() && self.ranges.is_empty() {
            return false;
        }
        let ip = ip.to_canonical();
        self.addresses.binary_search(&ip).is_ok() || self.ranges.iter().any(|range| range.contains(&ip))
    }
}

impl FromIterator<IpNet> for TrustedIps {
    fn from_iter<I: IntoIterator<Item = IpNet>>(ranges: I) -> Self {
        let (single, ranges): (Vec<IpNet>, Vec<IpNet>) =
            ranges.into_iter().partition(|range| range.prefix_len() == range.max_prefix_len());
        let mut addresses: Vec<IpAddr> = single.iter().map(|range| range.addr().to_canonical()).collect();
        addresses.sort_unstable();
        Self { addresses, ranges }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Trust, TrustedIps};
    use crate::{
        ConnectInfo,
        config::Protocol,
        sanitize::names::{X_FORWARDED_FOR, X_FORWARDED_PROTO, X_REAL_IP},
    };

    fn set(ranges: &[&str]) -> TrustedIps {
        ranges.iter().map(|range| range.parse().unwrap()).collect()
    }

    fn told(
        trust: &Trust,
        peer: &str,
        fields: &[(http::HeaderName, &'static str)],
    ) -> (String, Protocol, bool) {
        let connection = ConnectInfo::new(peer.parse().unwrap(), "10.0.0.9:8000".parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        let client = trust.client(&headers, &connection);
        (client.ip.to_string(), client.scheme, client.trusted)
    }

    #[test]
    fn a_set_holds_addresses_and_ranges() {
        let trusted = set(&["192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32", "::1/128"]);
        for inside in ["192.0.2.7", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::9", "::1"] {
            assert!(trusted.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.0.2.8", "11.0.0.0", "::2"] {
            assert!(!trusted.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(!set(&[]).contains("0.0.0.0".parse().unwrap()));
    }

    #[test]
    fn row_h2_and_compat_p34_strangers_are_not_believed() {
        let trust = Trust { trusted_ips: set(&["10.0.0.0/8"]), ..Trust::default() };
        let fields = [(X_REAL_IP, "1.1.1.1"), (X_FORWARDED_PROTO, "https")];
        assert_eq!(told(&trust, "192.0.2.7:1", &fields), ("192.0.2.7".to_owned(), Protocol::Http, false));
        assert_eq!(told(&trust, "10.0.0.1:1", &fields), ("1.1.1.1".to_owned(), Protocol::Https, true));
        assert_eq!(told(&trust, "[::ffff:10.0.0.1]:1", &[]), ("10.0.0.1".to_owned(), Protocol::Http, true));
        let broken = [(X_REAL_IP, "unknown"), (X_FORWARDED_PROTO, "gopher")];
        assert_eq!(told(&trust, "10.0.0.1:1", &broken), ("10.0.0.1".to_owned(), Protocol::Http, true));
        let nowhere = Trust { real_ip_header: None, ..trust.clone() };
        assert_eq!(told(&nowhere, "10.0.0.1:1", &fields), ("10.0.0.1".to_owned(), Protocol::Https, true));
        let odd = [(X_REAL_IP, "[2001:DB8::1]:99")];
        assert_eq!(told(&trust, "10.0.0.1:1", &odd).0, "2001:db8::1");
    }

    #[test]
    fn row_h2_lists_are_read_from_the_end() {
        let list = [(X_FORWARDED_FOR, "6.6.6.6, 1.1.1.1"), (X_FORWARDED_FOR, "10.0.0.2, 10.0.0.3")];
        let mut trust = Trust {
            trusted_ips: set(&["10.0.0.0/8"]),
            real_ip_header: Some(X_FORWARDED_FOR),
            ..Trust::default()
        };
        assert_eq!(told(&trust, "10.0.0.1:1", &list).0, "10.0.0.3");
        trust.real_ip_recursive = true;
        assert_eq!(told(&trust, "10.0.0.1:1", &list).0, "1.1.1.1");
        assert_eq!(told(&trust, "10.0.0.1:1", &[(X_FORWARDED_FOR, "10.0.0.5, 10.0.0.6")]).0, "10.0.0.5");
        assert_eq!(told(&trust, "10.0.0.1:1", &[(X_FORWARDED_FOR, "9.9.9.9, junk, 10.0.0.6")]).0, "10.0.0.6");
    }
}
