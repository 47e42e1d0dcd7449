//! From one snapshot to the next, with every problem on the way.

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use super::{
    Entry, Environment, Snapshot,
    backends::{Backends, Made, Maker},
    detours::{Detours, service_of},
    plugins::Families,
    touched,
};
use crate::{
    config::{Change, Checked, Problem, Problems, Route, Service},
    forwarder::{Branch, Forwarder},
    identity::Identities,
    plugin::{Bound, Chain, Configured, Destination, Link, Matched, Registry, Scoped},
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
    plugins: &Arc<Registry>,
    environment: &Environment,
) -> Result<Snapshot, Problems> {
    let services = touched::services(change, &checked, previous);
    let mut maker = Maker::new(&checked, previous, environment);
    let mut backends = maker.backends(&services);
    let mut problems = Vec::new();
    let families = previous.families.change(change, &checked, previous, plugins, &mut problems);
    let routes = touched::routes(change, &services, &backends, &checked, previous);
    let mut entries = Entries {
        checked: &checked,
        families: &families,
        environment,
        maker,
        backends: &mut backends,
        detours: previous.detours.clone(),
        problems,
        derived: BTreeSet::new(),
        said: BTreeSet::new(),
    };
    let (gone, come) = entries.of(&routes);
    let Entries { maker, detours, mut problems, .. } = entries;
    let Made { groups, problems: refused_by_maker } = maker.made();
    problems.extend(refused_by_maker);
    match previous.router.apply(gone, come) {
        Ok(router) if problems.is_empty() => {
            // From here on nothing fails: what is new begins its probes.
            if let Some(runtime) = environment.runtime.get() {
                groups.iter().for_each(|endpoints| endpoints.start_probes(runtime));
            }
            let identities = identities(&checked, change, previous);
            let plugins = Arc::clone(plugins);
            Ok(Snapshot { plugins, checked, router, backends, families, detours, identities })
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
    pub(crate) fn empty(plugins: Arc<Registry>, environment: &Environment) -> Result<Self, Problems> {
        let router = Router::with_flavor(environment.dialect, []);
        let router = router.map_err(|found| Problems::from(refused(found).collect::<Vec<_>>()))?;
        let (backends, families) = (Backends::default(), Families::default());
        let (detours, identities) = (Detours::default(), Arc::default());
        Ok(Self { plugins, checked: Checked::default(), router, backends, families, detours, identities })
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

/// What entries are made of, and what making them leaves behind.
struct Entries<'a> {
    checked: &'a Checked,
    families: &'a Families,
    environment: &'a Environment,
    /// Makes the backends of services that only plugins lead to.
    maker: Maker<'a>,
    backends: &'a mut Backends,
    detours: Detours,
    problems: Vec<Problem>,
    /// Those that have been made.
    derived: BTreeSet<Uuid>,
    /// What has been said of plugins, to say it once, however many routes they apply on.
    said: BTreeSet<(Uuid, String)>,
}

impl Entries<'_> {
    /// What becomes of `routes`.
    fn of(&mut self, routes: &BTreeSet<Uuid>) -> Served {
        let (mut gone, mut come, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for id in routes {
            let route = self.checked.config().routes.get(id).filter(|route| self.is_served(route));
            let Some(route) = route.cloned() else {
                gone.push(*id);
                left.extend(self.detours.set(*id, &[]));
                continue;
            };
            let (entry, no_more) = self.entry(&route);
            come.push((route, Arc::new(entry)));
            left.extend(no_more);
        }
        for service in left {
            let is_derived = !self.checked.config().services.contains_key(&service);
            if is_derived && self.detours.routes_of(service).next().is_none() {
                self.backends.remove(service);
            }
        }
        (gone, come)
    }

    fn service(&self, route: &Route) -> Option<&Arc<Service>> {
        route.service.and_then(|reference| self.checked.config().services.get(&reference.id))
    }

    /// The routes of a service that is switched off do not match (compat A50).
    fn is_served(&self, route: &Route) -> bool {
        self.service(route).is_none_or(|service| service.enabled)
    }

    /// What a route leads to, and the services that no plugin of a route leads to any more.
    fn entry(&mut self, route: &Arc<Route>) -> (Entry, Vec<Uuid>) {
        let service = self.service(route).cloned();
        let links = self.families.links(route);
        let (others, no_more) = self.others(route, service.as_ref(), &links);
        let own = service.as_deref().and_then(|service| self.branch(service, None, &links));
        let series = links.iter().find_map(Link::series);
        let metrics = self.environment.metrics.route_showing(service.as_deref(), route, series);
        let branches = own.iter().chain(others.iter().map(|(_, branch)| branch));
        let captures = branches
            .into_iter()
            .any(|branch| branch.backend.upstream.hashing().is_some_and(Hashing::wants_captures))
            || links.iter().any(Link::wants_captures);
        let forwarder = Forwarder::new(own, others, route, Arc::clone(&self.environment.outbound));
        let path_handling = self.environment.dialect.flavor.path_handling(route);
        let mut matched = Matched::new(Arc::clone(route), service);
        matched.ways = forwarder.ways();
        let chain = Chain::new(links, forwarder);
        (Entry::new(Arc::new(matched), chain, metrics, path_handling).capturing(captures), no_more)
    }

    /// Where the plugins of a route may send requests. Services that are switched off, or of a protocol that is not
    /// spoken, are left out.
    fn others(
        &mut self,
        route: &Route,
        own: Option<&Arc<Service>>,
        links: &[Link],
    ) -> (Vec<(Arc<Destination>, Branch)>, Vec<Uuid>) {
        let (mut others, mut services) = (Vec::<(Arc<Destination>, Branch)>::new(), Vec::new());
        for (entity, destination) in self.families.destinations(route) {
            if others.iter().any(|(known, _)| *known == destination) {
                continue;
            }
            let service = match service_of(&destination, own, self.checked) {
                Ok(Some(service)) => service,
                Ok(None) => continue,
                Err(message) => {
                    self.refuse(entity, message);
                    continue;
                }
            };
            let is_derived = !self.checked.config().services.contains_key(&service.id);
            if is_derived && self.derived.insert(service.id) {
                self.maker.add(&service, self.backends);
            }
            services.push(service.id);
            let branch = self.branch(&service, Some(own.and_then(|own| own.path.as_deref())), links);
            others.extend(branch.filter(|_| service.enabled).map(|branch| (destination, branch)));
        }
        let no_more = self.detours.set(route.id, &services);
        (others, no_more)
    }

    /// How a service is forwarded to; `instead_of` has the path of the service in whose place it is, if it is.
    fn branch(&self, service: &Service, instead_of: Option<Option<&str>>, links: &[Link]) -> Option<Branch> {
        let backend = Arc::clone(self.backends.get(service.id)?);
        let paths = instead_of.map(|own| (own.unwrap_or("/"), service.path.as_deref().unwrap_or("/")));
        let path = paths.filter(|(own, other)| own != other);
        let path = path.map(|(own, other)| (own.into(), other.into()));
        Some(Branch { backend, policies: policies(links, service.id), path })
    }

    /// A plugin names what is not there.
    fn refuse(&mut self, entity: Uuid, message: String) {
        if self.said.insert((entity, message.clone())) {
            let name = self.checked.config().plugins.get(&entity).map(|plugin| plugin.name.as_str());
            self.problems.push(Problem::in_entity("plugins", entity, name, "config", message));
        }
    }
}
