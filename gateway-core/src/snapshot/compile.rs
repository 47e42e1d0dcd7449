//! From one snapshot to the next, with every problem on the way.

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use super::{
    Entry, Environment, Snapshot,
    backends::{Backends, Made, Maker},
    plugins::Families,
    touched,
};
use crate::{
    config::{Change, Checked, Config, Problem, Problems, Route},
    forwarder::Forwarder,
    identity::Identities,
    plugin::{Bound, Chain, Configured, Link, Matched, Scoped},
    router::{Router, RuleError},
    upstream::Hashing,
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
    let Made { groups, mut problems } = maker.made();
    let families = previous.families.change(change, previous.config(), environment, &mut problems);
    let routes = touched::routes(change, &services, &backends, &checked, previous);
    let entries = Entries { config: checked.config(), backends: &backends, families: &families, environment };
    let (gone, come) = entries.of(&routes);
    match previous.router.apply(gone, come) {
        Ok(router) if problems.is_empty() => {
            // From here on nothing fails: what is new begins its probes.
            if let Some(runtime) = environment.runtime.get() {
                groups.iter().for_each(|endpoints| endpoints.start_probes(runtime));
            }
            let identities = identities(&checked, change, previous);
            Ok(Snapshot { checked, router, backends, families, identities })
        }
        Ok(_) => Err(Problems::from(problems)),
        Err(found) => Err(Problems::from(problems.into_iter().chain(refused(found)).collect::<Vec<_>>())),
    }
}

/// Who may call, the same value where nobody changed.
fn identities(checked: &Checked, change: &Change, previous: &Snapshot) -> Arc<Identities> {
    if change.consumers.is_empty() && change.credentials.is_empty() {
        return Arc::clone(&previous.identities);
    }
    Arc::new(previous.identities.change(change, previous.config(), checked))
}

impl Snapshot {
    /// Of nothing: what every first configuration is a change of.
    ///
    /// # Errors
    /// None that are known of.
    pub(crate) fn empty(environment: &Environment) -> Result<Self, Problems> {
        let router = Router::with_flavor(environment.dialect, []);
        let router = router.map_err(|found| Problems::from(refused(found).collect::<Vec<_>>()))?;
        let (backends, families) = (Backends::default(), Families::default());
        let identities = Arc::default();
        Ok(Self { checked: Checked::default(), router, backends, families, identities })
    }
}

/// What of `links` has a say in forwarding to `service`, those of higher priority first.
fn policies(links: &[Link], service: Uuid) -> Box<[Scoped<Bound>]> {
    let bound = |link: &Link| {
        let bound = link.configured.filter_map(|configured| match configured {
            Configured::Policy(policy) => Some(policy.at(service)),
            _ => None,
        });
        (!bound.is_empty()).then_some((link.priority, Arc::clone(&link.name), bound))
    };
    let mut policies: Vec<_> = links.iter().filter_map(bound).collect();
    policies.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    policies.into_iter().map(|(.., bound)| bound).collect()
}

/// What the router says of routes that it cannot take.
fn refused(found: Vec<(Arc<Route>, RuleError)>) -> impl Iterator<Item = Problem> {
    found.into_iter().map(|(route, error)| {
        Problem::in_entity("routes", route.id, route.name.as_deref(), &error.field, error.message)
    })
}

/// The routes that are served no more, and those that are, with what they lead to.
type Served = (Vec<Uuid>, Vec<(Arc<Route>, Arc<Entry>)>);

/// What entries are made of.
struct Entries<'a> {
    config: &'a Config,
    backends: &'a Backends,
    families: &'a Families,
    environment: &'a Environment,
}

impl Entries<'_> {
    /// What becomes of `routes`.
    fn of(&self, routes: &BTreeSet<Uuid>) -> Served {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for id in routes {
            match self.config.routes.get(id).filter(|route| self.is_served(route)) {
                Some(route) => come.push((Arc::clone(route), Arc::new(self.entry(route)))),
                None => gone.push(*id),
            }
        }
        (gone, come)
    }

    /// The routes of a service that is switched off do not match (compat A50).
    fn is_served(&self, route: &Route) -> bool {
        let service = route.service.and_then(|reference| self.config.services.get(&reference.id));
        service.is_none_or(|service| service.enabled)
    }

    fn entry(&self, route: &Arc<Route>) -> Entry {
        let service = route.service.and_then(|reference| self.config.services.get(&reference.id)).cloned();
        let backend = service.as_ref().and_then(|service| self.backends.get(service.id)).cloned();
        let links = self.families.links(route);
        let series = links.iter().find_map(Link::series);
        let metrics = self.environment.metrics.route_showing(service.as_deref(), route, series);
        let hashing = backend.as_ref().and_then(|backend| backend.upstream.hashing());
        let captures = hashing.is_some_and(Hashing::wants_captures) || links.iter().any(Link::wants_captures);
        let policies = service.as_deref().map(|service| policies(&links, service.id)).unwrap_or_default();
        let forwarder = Forwarder::new(backend, route, Arc::clone(&self.environment.outbound), policies);
        let path_handling = self.environment.dialect.flavor.path_handling(route);
        let matched = Arc::new(Matched { route: Arc::clone(route), service });
        let chain = Chain::new(links, forwarder);
        Entry::new(matched, chain, metrics, path_handling).capturing(captures)
    }
}
