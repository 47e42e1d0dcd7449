//! The protocols that routes, services and plugins name.

use serde::{Deserialize, Serialize};

/// A protocol as Kong names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// gRPC over clear HTTP/2.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
    /// HTTP in clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// A TCP stream.
    Tcp,
    /// A TLS stream ended here.
    Tls,
    /// A TLS stream passed on as it is.
    TlsPassthrough,
    /// UDP datagrams.
    Udp,
}

impl Protocol {
    /// Whether the upstream connection is encrypted.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs | Self::Tls)
    }

    /// The port of a URL that names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}
