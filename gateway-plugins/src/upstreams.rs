//! Callouts through the gateway's own services.

use std::sync::{Arc, OnceLock};

use gateway_core::{
    Body, ConnectInfo, Gateway, WeakGateway,
    config::CaCertificate,
    plugin::Exchange,
    upstream::{Backend, HostPolicy, TlsSettings},
};
use http::{Request, Version, header::HOST};

use crate::{
    origins::Origins,
    sources::{Calling, Upstreams},
};

/// Sends callouts to the gateway's services by their names, with their TLS, timeouts, retries and open
/// connections. Where the name is an origin (`https://login.example.com`), they go there, with TLS that is verified by the
/// system's anchors: HTTP callouts by HTTP/1.1, calls of gRPC by HTTP/2. Plugins are registered before there is a gateway, so it is told of it afterwards; until then no
/// upstream is known.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::Gateway;
/// use gateway_plugins::GatewayUpstreams;
///
/// let upstreams = Arc::new(GatewayUpstreams::default());
/// // ... register plugins with `upstreams.clone()` ...
/// let gateway = Gateway::builder().build().unwrap();
/// upstreams.connect(&gateway);
/// ```
#[derive(Default)]
pub struct GatewayUpstreams {
    gateway: OnceLock<WeakGateway>,
    origins: Origins,
}

impl GatewayUpstreams {
    /// Trusts these certificates, PEM, at origins in place of the system's. Services have their own.
    #[must_use]
    pub fn trusting<'a>(certificates: impl IntoIterator<Item = &'a str>) -> Self {
        let anchors = certificates.into_iter().map(|pem| Arc::new(CaCertificate::new(pem))).collect();
        let origins = Origins::new(TlsSettings { anchors, ..TlsSettings::default() });
        Self { gateway: OnceLock::new(), origins }
    }

    /// From now on callouts go through `gateway`, as long as it lives. Only the first call counts.
    pub fn connect(&self, gateway: &Gateway) {
        // A second gateway is not this one's plugins' business.
        let _ = self.gateway.set(gateway.downgrade());
    }

    fn backend(&self, name: &str) -> Option<Arc<Backend>> {
        let snapshot = self.gateway.get()?.upgrade()?.snapshot();
        let named = |service: &&Arc<gateway_core::config::Service>| service.name.as_deref() == Some(name);
        let service = snapshot.config().services.values().find(named)?;
        snapshot.backend(service.id).cloned()
    }
}

impl Upstreams for GatewayUpstreams {
    fn call(&self, name: &str, mut request: Request<Body>, shard: usize) -> Option<Calling> {
        if name.contains("://") {
            return self.origins.call(name, request);
        }
        let backend = self.backend(name)?;
        if request.version() == Version::HTTP_2 && !backend.transport.is_http2() {
            return None;
        }
        let named = request.headers().contains_key(HOST);
        let host = if named { HostPolicy::Client } else { HostPolicy::Endpoint };
        Some(Box::pin(async move {
            let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
            Ok(backend.forward(&mut request, host, shard, &mut exchange).await?)
        }))
    }
}
