//! Who is believed about the client's address, and where that is told.

use http::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;

/// An address or a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Network(pub(crate) IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
        network.map(Self).map_err(|_| format!("'{text}' is no address and no range such as 10.0.0.0/8"))
    }
}

/// Where a trusted peer tells the client's address: the name of a field, or `proxy_protocol` for none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RealIpHeader(pub(crate) Option<HeaderName>);

impl TryFrom<String> for RealIpHeader {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "proxy_protocol" {
            return Ok(Self(None));
        }
        let name =
            text.parse().map_err(|_| format!("'{text}' is no name of a field, and not proxy_protocol"));
        name.map(Some).map(Self)
    }
}
