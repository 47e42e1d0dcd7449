//! Plugin entities to the links of each route's chain.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::OrdMap;
use uuid::Uuid;

use super::{Snapshot, touched::regrouped};
use crate::{
    config::{Change, Checked, ConsumerGroup, Entities, Plugin, Problem, Protocol, Route},
    plugin::{
        ByConsumer, Configured, Destination, Handler, Link, Policy, Registry, Scope, Scoped, by_consumer,
    },
};

type Groups = Entities<ConsumerGroup>;

/// Every plugin that is switched on, by name. Clones share what did not change.
#[derive(Clone, Default)]
pub(super) struct Families(OrdMap<Arc<str>, Family>);

/// The configurations of one plugin, by where they apply.
#[derive(Clone)]
struct Family {
    priority: i32,
    placed: OrdMap<Place, Arc<Placed>>,
}

/// A scope with the route and the service it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    scope: Scope,
    route: Option<Uuid>,
    service: Option<Uuid>,
}

/// The configurations of one plugin in one place.
#[derive(Default)]
struct Placed {
    /// In the order of their entities' ids; the last one counts.
    own: Vec<Placing>,
    /// The same by who calls, where that counts.
    by_consumer: ByConsumer<Configured>,
}

#[derive(Clone)]
struct Placing {
    entity: Arc<Plugin>,
    configured: Configured,
}

/// What a change does in one place.
#[derive(Default)]
struct Edit {
    gone: BTreeSet<Uuid>,
    new: Vec<Placing>,
}

impl Families {
    /// The families with `change` made. Handlers of entities that it does not name are those of before: what they
    /// have counted or cached goes on.
    pub(super) fn change(
        &self,
        change: &Change,
        checked: &Checked,
        previous: &Snapshot,
        plugins: &Registry,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut edits = BTreeMap::<(&str, Place), Edit>::new();
        for before in change.plugins.keys().filter_map(|id| previous.config().plugins.get(id)) {
            edits.entry((&before.name, Place::of(before))).or_default().gone.insert(before.id);
        }
        for entity in change.plugins.values().flatten().filter(|plugin| plugin.enabled && speaks_http(plugin))
        {
            let before =
                previous.config().plugins.get(&entity.id).filter(|before| before.name == entity.name);
            // What another plugin of that name made is none of this one's business.
            let before = before.filter(|before| plugins.has_that_of(previous.plugins(), &before.name));
            let before = before.and_then(|before| self.configured(before));
            if let Some(placing) = configure(entity, before, plugins, problems) {
                edits.entry((&entity.name, Place::of(entity))).or_default().new.push(placing);
            }
        }
        // Who is in a group counts where the group is named.
        for plugin in regrouped(change, checked) {
            edits.entry((&plugin.name, Place::of(plugin))).or_default();
        }
        let mut families = self.clone();
        for ((name, place), edit) in edits {
            families.edit((name, place), edit, &checked.config().consumer_groups, plugins);
        }
        families
    }

    fn edit(&mut self, (name, place): (&str, Place), edit: Edit, groups: &Groups, plugins: &Registry) {
        let before = self.0.get(name);
        // A plugin that is gone leaves nothing but what is taken away.
        let priority =
            plugins.get(name).map(|plugin| plugin.priority()).or(before.map(|family| family.priority));
        let placed = before.map(|family| family.placed.clone()).unwrap_or_default();
        let mut family = Family { priority: priority.unwrap_or_default(), placed };
        let placed = Placed::edited(family.placed.get(&place).map(AsRef::as_ref), edit, groups);
        match placed.own.is_empty() {
            true => drop(family.placed.remove(&place)),
            false => drop(family.placed.insert(place, Arc::new(placed))),
        }
        match family.placed.is_empty() {
            true => drop(self.0.remove(name)),
            false => drop(self.0.insert(name.into(), family)),
        }
    }

    /// What the plugin made of `entity`, where that is switched on.
    fn configured(&self, entity: &Plugin) -> Option<&Configured> {
        let placed = self.0.get(entity.name.as_str())?.placed.get(&Place::of(entity))?;
        let placing = placed.own.iter().find(|placing| placing.entity.id == entity.id)?;
        Some(&placing.configured)
    }

    /// All policies, with the ids of their entities.
    pub(super) fn policies(&self) -> impl Iterator<Item = (Uuid, &Arc<dyn Policy>)> {
        let placed = self.0.values().flat_map(|family| family.placed.values());
        placed.flat_map(|placed| &placed.own).filter_map(|placing| match &placing.configured {
            Configured::Policy(policy) => Some((placing.entity.id, policy)),
            _ => None,
        })
    }

    /// All handlers, with the ids of their entities.
    pub(super) fn handlers(&self) -> impl Iterator<Item = (Uuid, &Arc<dyn Handler>)> {
        let placed = self.0.values().flat_map(|family| family.placed.values());
        placed.flat_map(|placed| &placed.own).filter_map(Placing::handler)
    }

    /// Where the plugins of `route` may send requests, whoever calls, each with the entity that says so.
    pub(super) fn destinations(&self, route: &Route) -> Vec<(Uuid, Arc<Destination>)> {
        let placed = self.0.values().flat_map(|family| family.placed_on(route));
        let handlers = placed.flat_map(|(_, placed)| &placed.own).filter_map(Placing::handler);
        handlers
            .flat_map(|(id, handler)| handler.destinations().into_iter().map(move |to| (id, to)))
            .collect()
    }

    /// The links on `route`: of each plugin all configurations that may apply there.
    pub(super) fn links(&self, route: &Route) -> Vec<Link> {
        let link = |(name, family): (&Arc<str>, &Family)| {
            let configured = family.configured(route);
            let link = |configured| Link { name: Arc::clone(name), priority: family.priority, configured };
            (!configured.is_empty()).then(|| link(configured))
        };
        self.0.iter().filter_map(link).collect()
    }
}

impl Place {
    fn of(entity: &Plugin) -> Self {
        let (route, service) = (entity.route.map(|it| it.id), entity.service.map(|it| it.id));
        Self { scope: Scope::of(entity), route, service }
    }
}

impl Placing {
    fn handler(&self) -> Option<(Uuid, &Arc<dyn Handler>)> {
        match &self.configured {
            Configured::Handler(handler) => Some((self.entity.id, handler)),
            _ => None,
        }
    }
}

impl Placed {
    fn edited(before: Option<&Self>, edit: Edit, groups: &Groups) -> Self {
        let before = before.into_iter().flat_map(|before| &before.own);
        let kept = before.filter(|placing| !edit.gone.contains(&placing.entity.id)).cloned();
        let mut own: Vec<_> = kept.chain(edit.new).collect();
        own.sort_by_key(|placing| placing.entity.id);
        let configurations = own.iter().map(|placing| (&*placing.entity, placing.configured.clone()));
        Self { by_consumer: Arc::new(by_consumer(configurations, groups)), own }
    }
}

impl Family {
    /// The configurations that may apply on `route`, by scope.
    fn placed_on(&self, route: &Route) -> impl Iterator<Item = (Scope, &Placed)> {
        let (route, service) = (route.id, route.service.map(|it| it.id));
        let names_what_is_there = move |scope: &Scope| service.is_some() || !scope.names_service();
        Scope::ALL.into_iter().filter(names_what_is_there).filter_map(move |scope| {
            let place = Place {
                scope,
                route: scope.names_route().then_some(route),
                service: service.filter(|_| scope.names_service()),
            };
            Some((scope, self.placed.get(&place)?.as_ref()))
        })
    }

    /// The same, ready for requests to look up theirs.
    fn configured(&self, route: &Route) -> Scoped<Configured> {
        let mut configured = Scoped::default();
        for (scope, placed) in self.placed_on(route) {
            match placed.own.last() {
                Some(placing) if !scope.names_callers() => {
                    configured.insert(scope, placing.configured.clone());
                }
                _ => configured.insert_by_consumer(scope, Arc::clone(&placed.by_consumer)),
            }
        }
        configured
    }
}

fn configure(
    entity: &Arc<Plugin>,
    before: Option<&Configured>,
    plugins: &Registry,
    problems: &mut Vec<Problem>,
) -> Option<Placing> {
    let Some(plugin) = plugins.get(&entity.name) else {
        problems.push(not_enabled(entity));
        return None;
    };
    let refused = |message| Problem::in_entity("plugins", entity.id, Some(&entity.name), "config", message);
    let configured = match before {
        Some(before) => plugin.reconfigure(entity, before),
        None => plugin.configure_entity(entity),
    };
    let configured = configured.map_err(|message| problems.push(refused(message))).ok()?;
    Some(Placing { entity: Arc::clone(entity), configured })
}

fn speaks_http(plugin: &Plugin) -> bool {
    plugin.protocols.iter().any(|protocol| {
        matches!(protocol, Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs)
    })
}

/// Kong's words for a plugin that is not there (compat A37).
fn not_enabled(entity: &Plugin) -> Problem {
    let message =
        format!("plugin '{}' not enabled; add it to the 'plugins' configuration property", entity.name);
    Problem::in_entity("plugins", entity.id, Some(&entity.name), "name", message)
}
