//! Addresses to listen on, as people write them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

use serde::Deserialize;

/// An address to listen on: `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`, `:8000` for all of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let port = |text: &str| text.parse::<u16>().ok();
        let short = text.strip_prefix(':').and_then(port).map(|port| (Ipv4Addr::UNSPECIFIED, port));
        let local = text.strip_prefix("localhost:").and_then(port).map(|port| (Ipv4Addr::LOCALHOST, port));
        let address = short.or(local).map(|address| Self(address.into()));
        address.ok_or_else(|| format!("'{text}' is no address; write 127.0.0.1:8000, [::1]:8000 or :8000"))
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where to listen: an [`Address`], and behind it in Kong's word whether it is behind proxies that tell whom they
/// speak for: `0.0.0.0:8000 proxy_protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ListenAddress {
    pub(crate) address: SocketAddr,
    pub(crate) proxy_protocol: bool,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let address: Address = words.next().unwrap_or_default().parse()?;
        let mut proxy_protocol = false;
        for word in words {
            if word != "proxy_protocol" {
                return Err(format!("'{word}' is no word that may follow an address; proxy_protocol may"));
            }
            proxy_protocol = true;
        }
        Ok(Self { address: address.0, proxy_protocol })
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, ListenAddress};

    #[test]
    fn proxy_protocol_may_follow_an_address() {
        for (text, address, proxy_protocol) in [
            (":8000", "0.0.0.0:8000", false),
            ("[::1]:80 proxy_protocol", "[::1]:80", true),
            (" localhost:1  proxy_protocol ", "127.0.0.1:1", true),
        ] {
            let meant = ListenAddress { address: address.parse().unwrap(), proxy_protocol };
            assert_eq!(text.parse(), Ok(meant));
        }
        assert!(":8000 ssl".parse::<ListenAddress>().unwrap_err().contains("'ssl' is no word"));
        assert!("".parse::<ListenAddress>().is_err() && "proxy_protocol".parse::<ListenAddress>().is_err());
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, meant) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:80", "[::1]:80"),
            (":8000", "0.0.0.0:8000"),
            ("localhost:1", "127.0.0.1:1"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().0.to_string(), meant);
        }
        for text in ["", "8000", "127.0.0.1", "localhost", ":99999", "example.com:80"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
