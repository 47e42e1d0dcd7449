//! Where the node listens.

use std::time::Duration;

use gateway_core::{
    sanitize::TrustedIps,
    server::{Bound, Certificates, Listen, Server},
};
use tracing::warn;

use crate::{address::ListenAddress, banner::Banner, failure::Failure, node, settings::Settings, stored};

/// Where the node listens.
pub(crate) struct Listeners {
    clear: Vec<ListenAddress>,
    tls: Vec<ListenAddress>,
    /// The proxies that may say whom they speak for.
    trusted: TrustedIps,
}

impl Listeners {
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        let list = |list: &Option<Vec<ListenAddress>>| list.clone().unwrap_or_default();
        let (mut clear, tls) = (list(&settings.listen), list(&settings.listen_tls));
        if clear.is_empty() && tls.is_empty() {
            // A demo is nobody else's business.
            let host = if settings.is_demo() { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
            clear.push(ListenAddress { address: (host, 8000).into(), proxy_protocol: false });
        }
        let trusted: TrustedIps = node::trusted_ips(settings);
        match clear.iter().chain(&tls).find(|listen| listen.proxy_protocol) {
            Some(listen) if trusted == TrustedIps::default() => Err(Failure::new(format!(
                "{} proxy_protocol: nobody may speak it; name the proxies in trusted_ips",
                listen.address
            ))),
            _ => Ok(Self { clear, tls, trusted }),
        }
    }

    /// Opens the sockets of all workers.
    pub(crate) fn bind(&self, settings: &Settings, certificates: &Certificates) -> Result<Bound, Failure> {
        let mut server = Server::new(node::server(settings));
        for listen in &self.clear {
            server = server.listen_as(self.listen(listen));
        }
        for listen in &self.tls {
            server = server.listen_as(self.listen(listen).with_tls(certificates));
        }
        if !self.tls.is_empty() && certificates.is_empty() {
            warn!("there is no certificate yet: every TLS handshake will be refused");
        }
        Ok(server.bind()?)
    }

    fn listen(&self, listen: &ListenAddress) -> Listen {
        let plain = Listen::on(listen.address);
        if listen.proxy_protocol { plain.with_proxy_protocol(self.trusted.clone()) } else { plain }
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
