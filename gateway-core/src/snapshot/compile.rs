//! From a configuration to a snapshot, with every problem on the way.

use std::sync::Arc;

use super::{Entry, Environment, Snapshot, backends::Index, compiler::Compiler, plugins::Family};
use crate::{
    config::{Config, Problem, Problems, Route},
    forwarder::Forwarder,
    plugin::{Chain, Link, Matched},
    router::Router,
};

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
    let mut compiler = Compiler::new(&config, previous, environment);
    compiler.backends(&Index::new(&config));
    let families = compiler.families();
    let router = compiler.router(&families);
    let Compiler { problems, upstreams, backends, plugins, .. } = compiler;
    match router {
        Some(router) if problems.is_empty() => Ok(Snapshot { config, router, upstreams, backends, plugins }),
        _ => Err(Problems::from(problems)),
    }
}

impl Compiler<'_> {
    fn router(&mut self, families: &[Family]) -> Option<Router<Arc<Entry>>> {
        let config = self.config;
        let served = config.routes.values().filter(|route| self.is_served(route));
        let entries: Vec<_> =
            served.map(|route| (Arc::clone(route), Arc::new(self.entry(route, families)))).collect();
        match Router::with_flavor(self.environment.dialect, entries) {
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
        let path_handling = self.environment.dialect.flavor.path_handling(route);
        let matched = Arc::new(Matched { route: Arc::clone(route), service });
        Entry::new(matched, Chain::new(links, forwarder), metrics, path_handling)
    }
}
