//! From a configuration to a snapshot, with every problem on the way.

use std::{collections::HashMap, sync::Arc};

use super::{
    ById, Entry, Snapshot,
    backends::Index,
    plugins::{Family, Plugins},
};
use crate::{
    config::{Config, Problem, Problems, Route},
    forwarder::{Forwarder, Outbound},
    observe::Metrics,
    plugin::{Chain, Link, Matched, Registry},
    router::Router,
    upstream::{Backend, PoolLimits, Resolve, TlsSettings, Transport},
};

/// What compiling takes besides a configuration: the owners of what outlives a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) registry: Arc<Registry>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) shards: usize,
    pub(crate) pool: PoolLimits,
    pub(crate) tls_verify: bool,
}

/// Compiles `config`. What is equal in `previous` is shared with it: endpoints, connections, handlers.
///
/// # Errors
/// Every problem that only compiling finds: a regular expression that does not parse, a plugin that is not
/// there or refuses its config, a key that does not fit its certificate.
pub(crate) fn compile(
    config: Config,
    previous: Option<&Snapshot>,
    environment: &Environment,
) -> Result<Snapshot, Problems> {
    let mut compiler = Compiler {
        config: &config,
        previous,
        environment,
        problems: Vec::new(),
        upstreams: HashMap::default(),
        backends: ById::default(),
        plugins: ById::default(),
    };
    compiler.backends(&Index::new(&config));
    let families = compiler.families();
    let router = compiler.router(&families);
    let Compiler { problems, upstreams, backends, plugins, .. } = compiler;
    match router {
        Some(router) if problems.is_empty() => Ok(Snapshot { config, router, upstreams, backends, plugins }),
        _ => Err(Problems::from(problems)),
    }
}

/// A snapshot in the making.
pub(super) struct Compiler<'a> {
    pub(super) config: &'a Config,
    pub(super) previous: Option<&'a Snapshot>,
    pub(super) environment: &'a Environment,
    pub(super) problems: Vec<Problem>,
    pub(super) upstreams:
        HashMap<super::UpstreamKey, Arc<crate::upstream::Upstream>, foldhash::fast::RandomState>,
    pub(super) backends: ById<(Option<TlsSettings>, Transport, Arc<Backend>)>,
    pub(super) plugins: Plugins,
}

impl Compiler<'_> {
    fn router(&mut self, families: &[Family]) -> Option<Router<Arc<Entry>>> {
        let config = self.config;
        let served = config.routes.values().filter(|route| self.is_served(route));
        let entries: Vec<_> =
            served.map(|route| (Arc::clone(route), Arc::new(self.entry(route, families)))).collect();
        match Router::new(entries) {
            Ok(router) => Some(router),
            Err(refused) => {
                self.problems.extend(refused.into_iter().map(|(route, error)| {
                    Problem::in_entity("routes", route.id, route.name.as_deref(), &error.field, error.message)
                }));
                None
            }
        }
    }

    /// The routes of a service that is switched off do not match (compat A50).
    fn is_served(&self, route: &Route) -> bool {
        let service = route.service.and_then(|reference| self.config.services.get(&reference.id));
        service.is_none_or(|service| service.enabled)
    }

    fn entry(&self, route: &Arc<Route>, families: &[Family]) -> Entry {
        let service = route.service.and_then(|reference| self.config.services.get(&reference.id)).cloned();
        let backend = service.as_ref().and_then(|service| self.backends.get(&service.id));
        let backend = backend.map(|(_, _, backend)| Arc::clone(backend));
        let links: Vec<Link> = families.iter().filter_map(|family| family.link(route)).collect();
        let metrics = self.environment.metrics.route(service.as_deref(), route);
        let forwarder = Forwarder::new(backend, route, Arc::clone(&self.environment.outbound));
        let matched = Arc::new(Matched { route: Arc::clone(route), service });
        Entry::new(matched, Chain::new(links, forwarder), metrics)
    }
}
