//! Plugin entities to the links of each route's chain.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::compiler::Compiler;
use crate::{
    config::{Plugin, Problem, Protocol, Route},
    plugin::{self, ByConsumer, Configured, Link, Scope, Scoped},
};

/// The configurations of one plugin, by where they apply.
pub(super) struct Family {
    name: Arc<str>,
    priority: i32,
    /// Scope, then the route and service named, then values by consumer (nil: any).
    placed: BTreeMap<Place, Placed>,
}

/// A scope with the route and the service it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    scope: Scope,
    route: Option<Uuid>,
    service: Option<Uuid>,
}

enum Placed {
    Any(Configured),
    ByConsumer(ByConsumer<Configured>),
}

impl Compiler<'_> {
    /// Configures every plugin that is switched on, and sorts them into families.
    pub(super) fn families(&mut self) -> Vec<Family> {
        let mut families = BTreeMap::<&str, Family>::new();
        let (config, environment) = (self.config, self.environment);
        for entity in config.plugins.values().filter(|plugin| plugin.enabled && speaks_http(plugin)) {
            let Some(plugin) = environment.registry.get(&entity.name) else {
                self.problems.push(not_enabled(entity));
                continue;
            };
            let Some(configured) = self.configured(entity, plugin.as_ref()) else { continue };
            self.plugins.insert(entity.id, (Arc::clone(entity), configured.clone()));
            let family = families.entry(&entity.name).or_insert_with(|| Family {
                name: entity.name.as_str().into(),
                priority: plugin.priority(),
                placed: BTreeMap::new(),
            });
            family.place(entity, configured);
        }
        families.into_values().collect()
    }

    /// The handler of before, where the entity is the same: what it has counted or cached goes on.
    fn configured(&mut self, entity: &Arc<Plugin>, plugin: &dyn plugin::Plugin) -> Option<Configured> {
        let before = self.previous.and_then(|previous| previous.plugins.get(&entity.id));
        if let Some((same, configured)) = before
            && (Arc::ptr_eq(same, entity) || same == entity)
        {
            return Some(configured.clone());
        }
        let refused =
            |message| Problem::in_entity("plugins", entity.id, Some(&entity.name), "config", message);
        plugin.configure(&entity.config).map_err(|message| self.problems.push(refused(message))).ok()
    }
}

impl Family {
    fn place(&mut self, entity: &Plugin, configured: Configured) {
        let (route, service) = (entity.route.map(|it| it.id), entity.service.map(|it| it.id));
        let scope = Scope::of(route.is_some(), service.is_some(), entity.consumer.is_some());
        let place = Place { scope, route, service };
        let Some(consumer) = entity.consumer else {
            self.placed.insert(place, Placed::Any(configured));
            return;
        };
        let placed = self.placed.entry(place).or_insert_with(|| Placed::ByConsumer(ByConsumer::default()));
        if let Placed::ByConsumer(by_consumer) = placed {
            Arc::make_mut(by_consumer).insert(consumer.id, configured);
        }
    }

    /// The link of this plugin on `route`, if any of its configurations may apply there.
    pub(super) fn link(&self, route: &Route) -> Option<Link> {
        let (route, service) = (Some(route.id), route.service.map(|it| it.id));
        let mut configured = Scoped::default();
        for scope in Scope::ALL {
            let place = Place {
                scope,
                route: route.filter(|_| scope.names_route()),
                service: service.filter(|_| scope.names_service()),
            };
            if scope.names_service() && place.service.is_none() {
                continue;
            }
            match self.placed.get(&place) {
                Some(Placed::Any(value)) => configured.insert(scope, value.clone()),
                Some(Placed::ByConsumer(values)) => configured.insert_by_consumer(scope, Arc::clone(values)),
                None => {}
            }
        }
        (!configured.is_empty()).then(|| Link {
            name: Arc::clone(&self.name),
            priority: self.priority,
            configured,
        })
    }
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
