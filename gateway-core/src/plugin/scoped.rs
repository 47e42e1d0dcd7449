//! All configurations of one plugin that may apply on a route, most specific first.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use uuid::Uuid;

/// Where a plugin configuration applies: eight levels, from the most specific to global
/// (compat A 2.4). The order of the variants is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Route, service and consumer.
    RouteServiceConsumer,
    /// Route and consumer.
    RouteConsumer,
    /// Service and consumer.
    ServiceConsumer,
    /// Route and service.
    RouteService,
    /// Consumer.
    Consumer,
    /// Route.
    Route,
    /// Service.
    Service,
    /// Everywhere.
    Global,
}

impl Scope {
    /// Every scope in the order of precedence.
    pub const ALL: [Self; 8] = [
        Self::RouteServiceConsumer,
        Self::RouteConsumer,
        Self::ServiceConsumer,
        Self::RouteService,
        Self::Consumer,
        Self::Route,
        Self::Service,
        Self::Global,
    ];

    /// Whether it names a route.
    #[must_use]
    pub const fn names_route(self) -> bool {
        matches!(self, Self::RouteServiceConsumer | Self::RouteConsumer | Self::RouteService | Self::Route)
    }

    /// Whether it names a service.
    #[must_use]
    pub const fn names_service(self) -> bool {
        matches!(
            self,
            Self::RouteServiceConsumer | Self::ServiceConsumer | Self::RouteService | Self::Service
        )
    }

    /// What it names, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::RouteServiceConsumer => "route, service and consumer",
            Self::RouteConsumer => "route and consumer",
            Self::ServiceConsumer => "service and consumer",
            Self::RouteService => "route and service",
            Self::Consumer => "consumer",
            Self::Route => "route",
            Self::Service => "service",
            Self::Global => "global",
        }
    }

    /// The scope of a plugin entity with these references set.
    #[must_use]
    pub const fn of(route: bool, service: bool, consumer: bool) -> Self {
        match (route, service, consumer) {
            (true, true, true) => Self::RouteServiceConsumer,
            (true, false, true) => Self::RouteConsumer,
            (false, true, true) => Self::ServiceConsumer,
            (true, true, false) => Self::RouteService,
            (false, false, true) => Self::Consumer,
            (true, false, false) => Self::Route,
            (false, true, false) => Self::Service,
            (false, false, false) => Self::Global,
        }
    }
}

/// The configurations by consumer of one level, shared between routes.
pub type ByConsumer<H> = Arc<HashMap<Uuid, H, RandomState>>;

/// Every configuration of one plugin that may apply to a request on one route.
#[derive(Clone, Debug)]
pub struct Scoped<H> {
    /// Levels in the order of precedence.
    levels: Vec<(Scope, Level<H>)>,
}

#[derive(Clone, Debug)]
enum Level<H> {
    Any(H),
    ByConsumer(ByConsumer<H>),
}

impl<H> Default for Scoped<H> {
    fn default() -> Self {
        Self { levels: Vec::new() }
    }
}

impl<H> Scoped<H> {
    /// Adds a configuration that does not depend on the consumer.
    pub fn insert(&mut self, scope: Scope, value: H) {
        self.push(scope, Level::Any(value));
    }

    /// Adds the configurations of a level that depend on the consumer.
    pub fn insert_by_consumer(&mut self, scope: Scope, values: ByConsumer<H>) {
        self.push(scope, Level::ByConsumer(values));
    }

    /// The same scopes with what `convert` makes of each value; those it drops are left out.
    #[must_use]
    pub fn filter_map<T>(&self, convert: impl Fn(&H) -> Option<T>) -> Scoped<T> {
        let level = |level: &Level<H>| match level {
            Level::Any(value) => convert(value).map(Level::Any),
            Level::ByConsumer(values) => {
                let kept: HashMap<_, _, _> =
                    values.iter().filter_map(|(id, value)| Some((*id, convert(value)?))).collect();
                (!kept.is_empty()).then(|| Level::ByConsumer(Arc::new(kept)))
            }
        };
        let levels = self.levels.iter().filter_map(|(scope, values)| Some((*scope, level(values)?)));
        Scoped { levels: levels.collect() }
    }

    /// Whether `matches` holds for any configuration.
    #[must_use]
    pub fn any(&self, matches: impl Fn(&H) -> bool) -> bool {
        self.levels.iter().any(|(_, level)| match level {
            Level::Any(value) => matches(value),
            Level::ByConsumer(values) => values.values().any(&matches),
        })
    }

    /// Whether there is no configuration at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    fn push(&mut self, scope: Scope, level: Level<H>) {
        let at = self.levels.partition_point(|(other, _)| *other <= scope);
        self.levels.insert(at, (scope, level));
    }

    /// The configuration that applies to a request of `consumer`, and where it came from.
    #[must_use]
    pub fn resolve(&self, consumer: Option<Uuid>) -> Option<(Scope, &H)> {
        self.levels.iter().find_map(|(scope, level)| {
            let value = match level {
                Level::Any(value) => Some(value),
                Level::ByConsumer(values) => consumer.and_then(|id| values.get(&id)),
            };
            value.map(|value| (*scope, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::{Scope, Scoped};

    #[test]
    fn the_most_specific_configuration_wins_and_consumers_count_once_known() {
        let alice = Uuid::from_u128(1);
        let mut scoped = Scoped::default();
        scoped.insert(Scope::Global, "global");
        scoped.insert(Scope::Route, "route");
        scoped.insert_by_consumer(Scope::Consumer, Arc::new([(alice, "alice")].into_iter().collect()));
        assert_eq!(scoped.resolve(None), Some((Scope::Route, &"route")));
        assert_eq!(scoped.resolve(Some(alice)), Some((Scope::Consumer, &"alice")));
        assert_eq!(scoped.resolve(Some(Uuid::from_u128(2))), Some((Scope::Route, &"route")));
        scoped.insert(Scope::RouteService, "both");
        assert_eq!(scoped.resolve(Some(alice)), Some((Scope::RouteService, &"both")));
    }
}
