//! Where to listen, and how.

use std::{net::SocketAddr, sync::Arc};

use super::certificates::Certificates;
use crate::sanitize::TrustedIps;

/// An address to listen on: in clear, unless it is told otherwise.
///
/// ```
/// use gateway_core::server::{Listen, Server, Settings};
///
/// let balancers = ["10.0.0.0/8".parse().unwrap()].into_iter().collect();
/// let listen = Listen::on(([127, 0, 0, 1], 8000).into()).with_proxy_protocol(balancers);
/// let server = Server::new(Settings::default()).listen_as(listen);
/// # let _ = server;
/// ```
#[derive(Clone, Debug)]
pub struct Listen {
    pub(super) address: SocketAddr,
    pub(super) certificates: Option<Certificates>,
    pub(super) proxies: Option<Arc<TrustedIps>>,
}

impl Listen {
    /// Listens on `address` in clear: HTTP/1.1, and HTTP/2 with prior knowledge. Port 0 takes a free one.
    #[must_use]
    pub const fn on(address: SocketAddr) -> Self {
        Self { address, certificates: None, proxies: None }
    }

    /// With TLS, by these certificates.
    #[must_use]
    pub fn with_tls(mut self, certificates: &Certificates) -> Self {
        self.certificates = Some(certificates.clone());
        self
    }

    /// Behind proxies that say whom they speak for, by the PROXY protocol, version 1 or 2, before anything else:
    /// the source that they tell is the peer from then on. Only those `trusted` may connect, and each has to say
    /// it; all other connections are closed.
    #[must_use]
    pub fn with_proxy_protocol(mut self, trusted: TrustedIps) -> Self {
        self.proxies = Some(Arc::new(trusted));
        self
    }
}
