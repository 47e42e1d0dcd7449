//! From one snapshot to the next, with every problem on the way.

use std::{collections::BTreeSet, sync::Arc};

use imbl::OrdMap;
use uuid::Uuid;

use super::{
    Entry, Environment, Snapshot,
    backends::{Backends, Maker},
    plugins::Families,
    touched,
};
use crate::{
    config::{Change, Checked, Config, Problem, Problems, Route},
    forwarder::Forwarder,
    plugin::{Chain, Matched},
    router::Router,
};

/// Compiles `checked`, which differs from what `previous` was compiled from by `change`. What the change does not
/// touch is shared with it: endpoints, connections, handlers, the entries of routes. A first configuration is a
/// change of nothing.
///
/// # Errors
/// Every problem that only compiling finds: a regular expression that does not parse, a plugin that is not
/// there or refuses its config, a key that does not fit its certificate.
pub(crate) fn compile(
    checked: Checked,
    change: &Change,
    previous: &Snapshot,
    environment: &Environment,
) -> Result<Snapshot, Problems> {
    let services = touched::services(change, &checked, previous);
    let mut maker = Maker::new(&checked, previous, environment);
    let backends = maker.backends(&services);
    let mut problems = maker.problems;
    let families = previous.families.change(change, previous.config(), environment, &mut problems);
    let routes = touched::routes(change, &services, &backends, &checked, previous);
    let entries = Entries { config: checked.config(), backends: &backends, families: &families, environment };
    let entries = entries.made(&routes, previous.entries.clone());
    let router = match routes.is_empty() {
        true => Ok(Arc::clone(&previous.router)),
        false => router(&entries, environment),
    };
    match router {
        Ok(router) if problems.is_empty() => Ok(Snapshot { checked, router, entries, backends, families }),
        Ok(_) => Err(Problems::from(problems)),
        Err(refused) => Err(Problems::from(problems.into_iter().chain(refused).collect::<Vec<_>>())),
    }
}

impl Snapshot {
    /// Of nothing: what every first configuration is a change of.
    ///
    /// # Errors
    /// None that are known of.
    pub(crate) fn empty(environment: &Environment) -> Result<Self, Problems> {
        let entries = OrdMap::new();
        let router = router(&entries, environment).map_err(Problems::from)?;
        let (backends, families) = (Backends::default(), Families::default());
        Ok(Self { checked: Checked::default(), router, entries, backends, families })
    }
}

fn router(
    entries: &OrdMap<Uuid, Arc<Entry>>,
    environment: &Environment,
) -> Result<Arc<Router<Arc<Entry>>>, Vec<Problem>> {
    let routes = entries.values().map(|entry| (Arc::clone(&entry.matched.route), Arc::clone(entry)));
    let router = Router::with_flavor(environment.flavor, routes).map(Arc::new);
    router.map_err(|refused| {
        let problem = |(route, error): (Arc<Route>, crate::router::RuleError)| {
            Problem::in_entity("routes", route.id, route.name.as_deref(), &error.field, error.message)
        };
        refused.into_iter().map(problem).collect()
    })
}

/// What entries are made of.
struct Entries<'a> {
    config: &'a Config,
    backends: &'a Backends,
    families: &'a Families,
    environment: &'a Environment,
}

impl Entries<'_> {
    /// `entries` with those of `routes` made anew.
    fn made(
        &self,
        routes: &BTreeSet<Uuid>,
        mut entries: OrdMap<Uuid, Arc<Entry>>,
    ) -> OrdMap<Uuid, Arc<Entry>> {
        for id in routes {
            match self.config.routes.get(id).filter(|route| self.is_served(route)) {
                Some(route) => drop(entries.insert(*id, Arc::new(self.entry(route)))),
                None => drop(entries.remove(id)),
            }
        }
        entries
    }

    /// The routes of a service that is switched off do not match (compat A50).
    fn is_served(&self, route: &Route) -> bool {
        let service = route.service.and_then(|reference| self.config.services.get(&reference.id));
        service.is_none_or(|service| service.enabled)
    }

    fn entry(&self, route: &Arc<Route>) -> Entry {
        let service = route.service.and_then(|reference| self.config.services.get(&reference.id)).cloned();
        let backend = service.as_ref().and_then(|service| self.backends.get(service.id)).cloned();
        let metrics = self.environment.metrics.route(service.as_deref(), route);
        let forwarder = Forwarder::new(backend, route, Arc::clone(&self.environment.outbound));
        let matched = Arc::new(Matched { route: Arc::clone(route), service });
        Entry::new(matched, Chain::new(self.families.links(route), forwarder), metrics)
    }
}
