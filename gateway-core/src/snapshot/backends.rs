//! Services to backends: the endpoints behind each, and how to speak to them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use super::{Environment, Snapshot};
use crate::{
    BoxError,
    config::{Certificate, Checked, Problem, Protocol, Service, Target, Upstream},
    health::Recovery,
    upstream::{Backend, Group, TlsSettings, Transport, Upstream as Endpoints},
};

/// Backends by service, and services by where they lead. Clones share what did not change.
#[derive(Clone, Default)]
pub(super) struct Backends {
    pub(super) by_service: OrdMap<Uuid, Reached>,
    /// Host, port and id of each service with a backend.
    addresses: OrdSet<(Arc<str>, u16, Uuid)>,
}

/// How a service is reached.
#[derive(Clone)]
pub(super) struct Reached {
    host: Arc<str>,
    port: u16,
    pub(super) settings: Option<TlsSettings>,
    pub(super) backend: Arc<Backend>,
}

/// What a group of endpoints belongs to, over all changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// An upstream entity.
    Entity(Uuid),
    /// The host and port of services.
    Host(String, u16),
}

impl Backends {
    /// The backend of a service, where it can be forwarded to.
    pub(super) fn get(&self, service: Uuid) -> Option<&Arc<Backend>> {
        self.by_service.get(&service).map(|reached| &reached.backend)
    }

    /// The services that lead to `host`, on any port or on this one.
    pub(super) fn leading_to(&self, host: &str, port: Option<u16>) -> impl Iterator<Item = Uuid> {
        let host: Arc<str> = host.into();
        let (low, high) = port.map_or((0, u16::MAX), |port| (port, port));
        let range = (Arc::clone(&host), low, Uuid::nil())..=(host, high, Uuid::max());
        self.addresses.range(range).map(|(.., service)| *service)
    }

    /// The endpoints that services on this host share.
    pub(super) fn behind(&self, host: &str, port: Option<u16>) -> Option<&Arc<Endpoints>> {
        let service = self.leading_to(host, port).next()?;
        self.get(service).map(|backend| &backend.upstream)
    }

    /// The endpoints behind all services, those that several share more than once.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Arc<Endpoints>> {
        self.by_service.values().map(|reached| &reached.backend.upstream)
    }

    fn insert(&mut self, service: &Service, settings: Option<TlsSettings>, backend: Arc<Backend>) {
        let (host, port) = (Arc::<str>::from(service.host.as_str()), service.port);
        self.addresses.insert((Arc::clone(&host), port, service.id));
        self.by_service.insert(service.id, Reached { host, port, settings, backend });
    }

    /// The host that a service leads to.
    pub(super) fn host_of(&self, service: Uuid) -> Option<&Arc<str>> {
        self.by_service.get(&service).map(|reached| &reached.host)
    }

    pub(super) fn remove(&mut self, service: Uuid) {
        if let Some(Reached { host, port, .. }) = self.by_service.remove(&service) {
            self.addresses.remove(&(host, port, service));
        }
    }
}

/// What a [`Maker`] leaves behind.
pub(super) struct Made {
    /// The endpoints behind the services that it made backends of.
    pub(super) groups: Vec<Arc<Endpoints>>,
    pub(super) problems: Vec<Problem>,
}

/// Makes the backends of services that a change touches.
pub(super) struct Maker<'a> {
    pub(super) checked: &'a Checked,
    pub(super) previous: &'a Snapshot,
    pub(super) environment: &'a Environment,
    /// The endpoints made or kept so far, by whose they are.
    made: HashMap<Owner, Arc<Endpoints>, RandomState>,
    problems: Vec<Problem>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(checked: &'a Checked, previous: &'a Snapshot, environment: &'a Environment) -> Self {
        Self { checked, previous, environment, made: HashMap::default(), problems: Vec::new() }
    }

    /// Once all backends are made.
    pub(super) fn made(self) -> Made {
        Made { groups: self.made.into_values().collect(), problems: self.problems }
    }

    /// The backends of the snapshot before, those of `services` made anew.
    pub(super) fn backends(&mut self, services: &BTreeSet<Uuid>) -> Backends {
        let mut backends = self.previous.backends.clone();
        services.iter().for_each(|id| backends.remove(*id));
        for service in services.iter().filter_map(|id| self.checked.config().services.get(id)) {
            if !matches!(
                service.protocol,
                Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs
            ) {
                let protocol = service.protocol;
                tracing::warn!(service = %service.id, ?protocol, "services of this protocol are not forwarded to yet");
                continue;
            }
            self.add(service, &mut backends);
        }
        backends
    }

    /// Adds the backend of one more service, which may be none of the configuration's, in place of the one that it had.
    pub(super) fn add(&mut self, service: &Service, backends: &mut Backends) {
        backends.remove(service.id);
        if let Some((settings, backend)) = self.backend(service) {
            backends.insert(service, settings, backend);
        }
    }

    /// The backend of before, where it is the same: routes that hold it need not be touched.
    fn backend(&mut self, service: &Service) -> Option<(Option<TlsSettings>, Arc<Backend>)> {
        let upstream = self.checked.upstream_named(&service.host).map(Arc::clone);
        let endpoints = self.endpoints(service, upstream.as_deref());
        let settings = service.protocol.is_tls().then(|| self.tls_settings(service, upstream.as_deref()));
        let transport = self.transport(service, settings.as_ref())?;
        let subset = service.subset().filter(|_| self.environment.tags && upstream.is_some());
        let backend = Backend::new(service, endpoints, transport).within(subset);
        let backend = match self.previous.backends.get(service.id) {
            Some(same) if **same == backend => Arc::clone(same),
            _ => Arc::new(backend),
        };
        Some((settings, backend))
    }

    /// The endpoints of a service: its upstream's, or those of its host alone.
    fn endpoints(&mut self, service: &Service, upstream: Option<&Upstream>) -> Arc<Endpoints> {
        let owner = match upstream {
            Some(upstream) => Owner::Entity(upstream.id),
            None => Owner::Host(service.host.clone(), service.port),
        };
        if let Some(made) = self.made.get(&owner) {
            return Arc::clone(made);
        }
        let group = match upstream {
            Some(upstream) => {
                let targets = self.checked.targets_of(upstream.id);
                let targets = targets.filter_map(|id| self.checked.config().targets.get(&id));
                self.group(upstream, targets.map(AsRef::as_ref))
            }
            None => Group::of_service(service),
        };
        let endpoints = self.keep_or_make(self.before(&owner), group);
        self.made.insert(owner, Arc::clone(&endpoints));
        endpoints
    }

    fn group<'t>(&self, upstream: &Upstream, targets: impl IntoIterator<Item = &'t Target>) -> Group {
        let certificates = &self.checked.config().certificates;
        let certificate = upstream.client_certificate;
        let group = Group::of_upstream(upstream, targets);
        let group = if self.environment.tags { group } else { group.without_tags() };
        Group {
            zone: self.environment.zone.clone(),
            recovery: self
                .environment
                .recovery
                .map(|recovery| if self.environment.tags { tagged(recovery, upstream) } else { recovery }),
            client_certificate: certificate
                .and_then(|certificate| certificates.get(&certificate.id).cloned()),
            ..group
        }
    }

    /// The endpoints that `owner` had.
    fn before(&self, owner: &Owner) -> Option<&'a Arc<Endpoints>> {
        let previous: &'a Snapshot = self.previous;
        match owner {
            Owner::Entity(id) => previous.upstream(*id),
            Owner::Host(host, _) if previous.checked.upstream_named(host).is_some() => None,
            Owner::Host(host, port) => previous.backends.behind(host, Some(*port)),
        }
    }

    /// The group as it is, where it is the same as before: its live state goes on.
    fn keep_or_make(&self, before: Option<&Arc<Endpoints>>, group: Group) -> Arc<Endpoints> {
        match before {
            Some(same) if *same.group() == group => Arc::clone(same),
            _ => {
                let Environment { resolver, shards, pool, .. } = self.environment;
                Endpoints::new(group, before.map(AsRef::as_ref), Arc::clone(resolver), *shards, *pool)
            }
        }
    }

    fn tls_settings(&self, service: &Service, upstream: Option<&Upstream>) -> TlsSettings {
        let config = self.checked.config();
        let certificate = |id: Uuid| -> Option<Arc<Certificate>> { config.certificates.get(&id).cloned() };
        let own = service.client_certificate.and_then(|reference| certificate(reference.id));
        let of_upstream = upstream.and_then(|upstream| upstream.client_certificate);
        let anchors = service.ca_certificates.iter().flatten();
        TlsSettings {
            verify: service.tls_verify.unwrap_or(self.environment.tls_verify),
            depth: service.tls_verify_depth,
            anchors: anchors.filter_map(|id| config.ca_certificates.get(id).cloned()).collect(),
            client: own.or_else(|| of_upstream.and_then(|reference| certificate(reference.id))),
        }
    }

    /// The transport of before, where no setting differs: its open connections stay usable.
    fn transport(&mut self, service: &Service, settings: Option<&TlsSettings>) -> Option<Transport> {
        let http2 = matches!(service.protocol, Protocol::Grpc | Protocol::Grpcs);
        let Some(settings) = settings else {
            return Some(if http2 { Transport::clear_http2() } else { Transport::clear() });
        };
        let before = self.previous.backends.by_service.get(&service.id);
        if let Some(Reached { settings: Some(same), backend, .. }) = before
            && same == settings
            && backend.transport.is_http2() == http2
        {
            return Some(backend.transport.clone());
        }
        let refused = |error: BoxError| {
            let (id, name) = (service.id, service.name.as_deref());
            Problem::in_entity("services", id, name, "client_certificate", error.to_string())
        };
        let made = if http2 { Transport::tls_http2(settings) } else { Transport::tls(settings) };
        made.map_err(|error| self.problems.push(refused(error))).ok()
    }
}

/// The recovery of this node, as far as the tags of an upstream do not say otherwise.
fn tagged(mut recovery: Recovery, upstream: &Upstream) -> Recovery {
    if let Some(time) = upstream.ejection_time().and_then(|time| Duration::try_from_secs_f64(time).ok()) {
        recovery.base_ejection = time;
        recovery.max_ejection = recovery.max_ejection.max(time);
    }
    recovery.max_ejection_percent = upstream.max_ejection().unwrap_or(recovery.max_ejection_percent);
    recovery.panic_threshold = upstream.panic_threshold().unwrap_or(recovery.panic_threshold);
    recovery
}
