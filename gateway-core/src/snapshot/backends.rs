//! Services to backends: the endpoints behind each, and how to speak to them.

use std::sync::Arc;

use super::{ById, Snapshot, UpstreamKey, compiler::Compiler};
use crate::{
    BoxError,
    config::{Certificate, Config, Problem, Reference, Service, Target, Upstream},
    upstream::{Backend, Group, TlsSettings, Transport, Upstream as Endpoints},
};

/// Config by what it is looked up by.
pub(super) struct Index<'c> {
    upstreams: std::collections::HashMap<&'c str, &'c Arc<Upstream>>,
    targets: ById<Vec<&'c Target>>,
}

impl<'c> Index<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        let upstreams =
            config.upstreams.values().map(|upstream| (upstream.name.as_str(), upstream)).collect();
        let mut targets = ById::<Vec<_>>::default();
        for target in config.targets.values() {
            targets.entry(target.upstream.id).or_default().push(target.as_ref());
        }
        Self { upstreams, targets }
    }
}

impl Compiler<'_> {
    /// Every service with a backend that can be forwarded to.
    pub(super) fn backends(&mut self, index: &Index<'_>) {
        let config = self.config;
        for service in config.services.values() {
            if !matches!(service.protocol, crate::config::Protocol::Http | crate::config::Protocol::Https) {
                let protocol = service.protocol;
                tracing::warn!(service = %service.id, ?protocol, "services of this protocol are not forwarded to yet");
                continue;
            }
            if let Some(backend) = self.backend(service, index) {
                self.backends.insert(service.id, backend);
            }
        }
    }

    fn backend(
        &mut self,
        service: &Service,
        index: &Index<'_>,
    ) -> Option<(Option<TlsSettings>, Transport, Arc<Backend>)> {
        let (upstream, endpoints) = self.endpoints(service, index);
        let settings = service.protocol.is_tls().then(|| self.tls_settings(service, upstream.as_deref()));
        let transport = self.transport(service, settings.as_ref())?;
        let backend = Backend::new(service, endpoints, transport.clone());
        let previous = self.previous.and_then(|previous| previous.backends.get(&service.id));
        let backend = match previous {
            Some((_, _, same)) if **same == backend => Arc::clone(same),
            _ => Arc::new(backend),
        };
        Some((settings, transport, backend))
    }

    /// The endpoints of a service: its upstream's, or those of its host alone.
    fn endpoints(&mut self, service: &Service, index: &Index<'_>) -> (Option<Arc<Upstream>>, Arc<Endpoints>) {
        let upstream = index.upstreams.get(service.host.as_str()).map(|upstream| Arc::clone(upstream));
        let (key, group) = match &upstream {
            Some(upstream) => {
                let targets = index.targets.get(&upstream.id).into_iter().flatten().copied();
                let mut group = Group::of_upstream(upstream, targets);
                group.recovery = self.environment.recovery;
                let certificate = upstream.client_certificate;
                let find = |reference: Reference| self.config.certificates.get(&reference.id).cloned();
                group.client_certificate = certificate.and_then(find);
                (UpstreamKey::Entity(upstream.id), group)
            }
            None => (UpstreamKey::Host(service.host.clone(), service.port), Group::of_service(service)),
        };
        let endpoints = self.keep_or_make(key, group);
        (upstream, endpoints)
    }

    /// The group as it is, where it is the same as before: its live state goes on.
    fn keep_or_make(&mut self, key: UpstreamKey, group: Group) -> Arc<Endpoints> {
        if let Some(made) = self.upstreams.get(&key) {
            return Arc::clone(made);
        }
        let before = self.previous.and_then(|previous| previous.upstreams.get(&key));
        let endpoints = match before {
            Some(same) if *same.group() == group => Arc::clone(same),
            _ => {
                let environment = self.environment;
                let resolver = Arc::clone(&environment.resolver);
                Endpoints::new(
                    group,
                    before.map(AsRef::as_ref),
                    resolver,
                    environment.shards,
                    environment.pool,
                )
            }
        };
        self.upstreams.insert(key, Arc::clone(&endpoints));
        endpoints
    }

    fn tls_settings(&self, service: &Service, upstream: Option<&Upstream>) -> TlsSettings {
        let certificate =
            |id: uuid::Uuid| -> Option<Arc<Certificate>> { self.config.certificates.get(&id).cloned() };
        let own = service.client_certificate.and_then(|reference| certificate(reference.id));
        let of_upstream = upstream.and_then(|upstream| upstream.client_certificate);
        let anchors = service.ca_certificates.iter().flatten();
        TlsSettings {
            verify: service.tls_verify.unwrap_or(self.environment.tls_verify),
            depth: service.tls_verify_depth,
            anchors: anchors.filter_map(|id| self.config.ca_certificates.get(id).cloned()).collect(),
            client: own.or_else(|| of_upstream.and_then(|reference| certificate(reference.id))),
        }
    }

    /// The transport of before, where no setting differs: its open connections stay usable.
    fn transport(&mut self, service: &Service, settings: Option<&TlsSettings>) -> Option<Transport> {
        let Some(settings) = settings else { return Some(Transport::clear()) };
        let before: Option<&Snapshot> = self.previous;
        if let Some((Some(same), transport, _)) =
            before.and_then(|previous| previous.backends.get(&service.id))
            && same == settings
        {
            return Some(transport.clone());
        }
        let refused = |error: BoxError| {
            let (id, name) = (service.id, service.name.as_deref());
            Problem::in_entity("services", id, name, "client_certificate", error.to_string())
        };
        Transport::tls(settings).map_err(|error| self.problems.push(refused(error))).ok()
    }
}
