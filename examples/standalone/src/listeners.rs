//! Where the node listens.

use std::{net::SocketAddr, time::Duration};

use gateway_core::server::{Bound, Certificates, Server};
use tracing::warn;

use crate::{address::Address, banner::Banner, failure::Failure, node, settings::Settings, stored};

/// Where the node listens.
pub(crate) struct Listeners {
    clear: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
}

impl Listeners {
    pub(crate) fn of(settings: &Settings) -> Self {
        let plain = |list: &Option<Vec<Address>>| list.iter().flatten().map(|address| address.0).collect();
        let (mut clear, tls): (Vec<_>, Vec<_>) = (plain(&settings.listen), plain(&settings.listen_tls));
        if clear.is_empty() && tls.is_empty() {
            // A demo is nobody else's business.
            let host = if settings.is_demo() { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
            clear.push((host, 8000).into());
        }
        Self { clear, tls }
    }

    /// Opens the sockets of all workers.
    pub(crate) fn bind(&self, settings: &Settings, certificates: &Certificates) -> Result<Bound, Failure> {
        let mut server = Server::new(node::server(settings));
        for address in &self.clear {
            server = server.listen(*address);
        }
        for address in &self.tls {
            server = server.listen_tls(*address, certificates);
        }
        if !self.tls.is_empty() && certificates.is_empty() {
            warn!("there is no certificate yet: every TLS handshake will be refused");
        }
        Ok(server.bind()?)
    }

    /// What the start says of them.
    pub(crate) fn banner(&self, settings: &Settings, bound: &Bound) -> Banner {
        let file = settings.config.as_ref();
        let (clear, tls) = bound.addresses().split_at(self.clear.len().min(bound.addresses().len()));
        Banner {
            what: settings
                .store
                .as_deref()
                .map(stored::name)
                .or_else(|| file.map(|file| file.display().to_string())),
            clear: clear.to_vec(),
            tls: tls.to_vec(),
            admin: None,
            workers: node::server(settings).workers,
            counts: [0; 3],
            took: Duration::ZERO,
        }
    }
}
