//! What the listener knows of the connection a request came on.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::HeaderValue;

use crate::{Closing, config::Protocol};

/// Peer, listener and TLS of a connection.
///
/// The crate's own server hands it to the [`Gateway`](crate::Gateway) with every request. An
/// embedder puts it, as `Arc<ConnectInfo>`, into the request's extensions; without it the
/// gateway takes the peer as unknown (`0.0.0.0`), in clear, and trusts none of its headers.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::ConnectInfo;
///
/// let info = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "192.0.2.1:8000".parse().unwrap());
/// let mut request = http::Request::new(gateway_core::Body::empty());
/// request.extensions_mut().insert(Arc::new(info));
/// ```
#[derive(Clone, Debug)]
pub struct ConnectInfo {
    peer: SocketAddr,
    proxy: Option<SocketAddr>,
    local: SocketAddr,
    tls: Option<TlsInfo>,
    closing: Option<Closing>,
    /// The peer's address and the listener's port as header values, made once a connection.
    peer_value: HeaderValue,
    port_value: HeaderValue,
}

/// What the TLS handshake settled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The server name that the client asked for, lower case.
    pub sni: Option<Arc<str>>,
    /// The application protocol agreed on.
    pub alpn: Option<Vec<u8>>,
    /// The TLS version, `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite, by its IANA name.
    pub cipher: Option<&'static str>,
}

impl ConnectInfo {
    /// A connection in clear from `peer` to the listener at `local`.
    #[must_use]
    pub fn new(peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            peer,
            proxy: None,
            local,
            tls: None,
            closing: None,
            peer_value: address_value(peer.ip()),
            port_value: HeaderValue::from(local.port()),
        }
    }

    /// The same connection, whose peer is a proxy that passes on what `source` sends, and is believed (PROXY
    /// protocol). From here on `source` is the peer, and who has connected is the [`proxy`](Self::proxy).
    #[must_use]
    pub fn with_source(self, source: SocketAddr) -> Self {
        let proxy = self.proxy.unwrap_or(self.peer);
        Self { peer: source, proxy: Some(proxy), peer_value: address_value(source.ip()), ..self }
    }

    /// The same connection, encrypted.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsInfo) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same connection, whose listener says beforehand when it cuts it.
    #[must_use]
    pub fn with_closing(mut self, closing: Closing) -> Self {
        self.closing = Some(closing);
        self
    }

    /// A connection of which nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self::new(nowhere, nowhere)
    }

    /// The other end: of the connection, or of the one that a trusted proxy passes on.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Who has connected, where that is a proxy that told of its own [`peer`](Self::peer) (PROXY protocol).
    #[must_use]
    pub const fn proxy(&self) -> Option<SocketAddr> {
        self.proxy
    }

    /// This end.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// TLS, unless in clear.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// What tells that it is about to be cut, where its listener does.
    #[must_use]
    pub const fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }

    /// `https` over TLS, `http` in clear.
    #[must_use]
    pub const fn scheme(&self) -> Protocol {
        if self.tls.is_some() { Protocol::Https } else { Protocol::Http }
    }

    /// The peer's address as a header value.
    #[must_use]
    pub const fn peer_value(&self) -> &HeaderValue {
        &self.peer_value
    }

    /// The listener's port as a header value.
    #[must_use]
    pub const fn port_value(&self) -> &HeaderValue {
        &self.port_value
    }
}

/// An address as a header value; an IPv4 address that came in as IPv6 is shown as IPv4.
pub(crate) fn address_value(address: IpAddr) -> HeaderValue {
    let text = address.to_canonical().to_string();
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
