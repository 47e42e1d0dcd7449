//! All configurations of one plugin that may apply on a route, most specific first.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::config::{ConsumerGroup, Entities, Plugin};

/// Where a plugin configuration applies: from the most specific to global, Kong's eight levels and between them those of
/// consumer groups as its Enterprise edition has them (compat C1, C2). The order of the variants is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Route, service and consumer.
    RouteServiceConsumer,
    /// Route, service and consumer group.
    RouteServiceGroup,
    /// Route and consumer.
    RouteConsumer,
    /// Service and consumer.
    ServiceConsumer,
    /// Route and consumer group.
    RouteGroup,
    /// Service and consumer group.
    ServiceGroup,
    /// Route and service.
    RouteService,
    /// Consumer.
    Consumer,
    /// Consumer group.
    Group,
    /// Route.
    Route,
    /// Service.
    Service,
    /// Everywhere.
    Global,
}

impl Scope {
    /// Every scope in the order of precedence.
    pub const ALL: [Self; 12] = [
        Self::RouteServiceConsumer,
        Self::RouteServiceGroup,
        Self::RouteConsumer,
        Self::ServiceConsumer,
        Self::RouteGroup,
        Self::ServiceGroup,
        Self::RouteService,
        Self::Consumer,
        Self::Group,
        Self::Route,
        Self::Service,
        Self::Global,
    ];

    /// Whether it names a route.
    #[must_use]
    pub const fn names_route(self) -> bool {
        matches!(
            self,
            Self::RouteServiceConsumer
                | Self::RouteServiceGroup
                | Self::RouteConsumer
                | Self::RouteGroup
                | Self::RouteService
                | Self::Route
        )
    }

    /// Whether it names a service.
    #[must_use]
    pub const fn names_service(self) -> bool {
        matches!(
            self,
            Self::RouteServiceConsumer
                | Self::RouteServiceGroup
                | Self::ServiceConsumer
                | Self::ServiceGroup
                | Self::RouteService
                | Self::Service
        )
    }

    /// Whether it depends on who calls: it names a consumer or a group of them.
    #[must_use]
    pub const fn names_callers(self) -> bool {
        !matches!(self, Self::RouteService | Self::Route | Self::Service | Self::Global)
    }

    /// What it names, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::RouteServiceConsumer => "route, service and consumer",
            Self::RouteServiceGroup => "route, service and consumer group",
            Self::RouteConsumer => "route and consumer",
            Self::ServiceConsumer => "service and consumer",
            Self::RouteGroup => "route and consumer group",
            Self::ServiceGroup => "service and consumer group",
            Self::RouteService => "route and service",
            Self::Consumer => "consumer",
            Self::Group => "consumer group",
            Self::Route => "route",
            Self::Service => "service",
            Self::Global => "global",
        }
    }

    /// The scope of a plugin entity. One that names a consumer and a group is for the consumer, as long as it is in the
    /// group.
    #[must_use]
    pub const fn of(plugin: &Plugin) -> Self {
        let callers = (plugin.consumer.is_some(), plugin.consumer_group.is_some());
        match (plugin.route.is_some(), plugin.service.is_some(), callers) {
            (true, true, (true, _)) => Self::RouteServiceConsumer,
            (true, true, (false, true)) => Self::RouteServiceGroup,
            (true, false, (true, _)) => Self::RouteConsumer,
            (false, true, (true, _)) => Self::ServiceConsumer,
            (true, false, (false, true)) => Self::RouteGroup,
            (false, true, (false, true)) => Self::ServiceGroup,
            (true, true, (false, false)) => Self::RouteService,
            (false, false, (true, _)) => Self::Consumer,
            (false, false, (false, true)) => Self::Group,
            (true, false, (false, false)) => Self::Route,
            (false, true, (false, false)) => Self::Service,
            (false, false, (false, false)) => Self::Global,
        }
    }
}

/// The configurations by consumer of one level, shared between routes.
pub type ByConsumer<H> = Arc<HashMap<Uuid, H, RandomState>>;

/// What configurations of one level that name callers come to, by consumer. Of two groups that a consumer is in, the one
/// whose name comes first counts.
pub(crate) fn by_consumer<'a, H: Clone>(
    configurations: impl IntoIterator<Item = (&'a Plugin, H)>,
    groups: &Entities<ConsumerGroup>,
) -> HashMap<Uuid, H, RandomState> {
    let callers =
        |(plugin, value): (_, H)| callers(plugin, groups).map(move |caller| (caller, value.clone()));
    let mut callers: Vec<_> = configurations.into_iter().flat_map(callers).collect();
    callers.sort_by_key(|((group, _), _)| Reverse(*group));
    callers.into_iter().map(|((_, id), value)| (id, value)).collect()
}

/// Those whom a configuration is for, each with the name of the group that says so; nobody where it is for all.
fn callers<'g>(
    plugin: &Plugin,
    groups: &'g Entities<ConsumerGroup>,
) -> impl Iterator<Item = (&'g str, Uuid)> + use<'g> {
    let consumer = plugin.consumer.map(|it| it.id);
    let group = plugin.consumer_group.and_then(|it| groups.get(&it.id));
    let name = group.map_or("", |group| group.name.as_str());
    let members = group.into_iter().flat_map(|group| &group.consumers).map(|member| member.id);
    let members = members.filter(move |member| consumer.is_none_or(|consumer| consumer == *member));
    let alone = consumer.filter(|_| plugin.consumer_group.is_none());
    alone.into_iter().chain(members).map(move |id| (name, id))
}

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

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{Scope, Scoped, by_consumer};
    use crate::config::{ConsumerGroup, Entities, Plugin};

    fn plugin(references: &[&str]) -> Plugin {
        let mut plugin = Plugin::new("p", Value::Null);
        let told = |name: &str, id| references.contains(&name).then(|| Uuid::from_u128(id).into());
        (plugin.route, plugin.service) = (told("route", 1), told("service", 2));
        (plugin.consumer, plugin.consumer_group) = (told("consumer", 3), told("group", 4));
        plugin
    }

    fn group(id: u128, name: &str, members: &[u128]) -> ConsumerGroup {
        let members: Vec<_> = members.iter().map(|id| json!({ "id": Uuid::from_u128(*id) })).collect();
        let group = json!({
            "id": Uuid::from_u128(id), "name": name, "consumers": members, "created_at": 0, "updated_at": 0,
        });
        serde_json::from_value(group).unwrap()
    }

    #[test]
    fn the_order_of_scopes_c1_c2() {
        let order = [
            &["route", "service", "consumer"][..],
            &["route", "service", "group"],
            &["route", "consumer"],
            &["service", "consumer"],
            &["route", "group"],
            &["service", "group"],
            &["route", "service"],
            &["consumer"],
            &["group"],
            &["route"],
            &["service"],
            &[],
        ];
        for (references, scope) in order.into_iter().zip(Scope::ALL) {
            assert_eq!(Scope::of(&plugin(references)), scope, "{references:?}");
            let names = |name| references.contains(&name);
            assert_eq!((scope.names_route(), scope.names_service()), (names("route"), names("service")));
            assert_eq!(scope.names_callers(), names("consumer") || names("group"));
        }
        assert!(Scope::ALL.is_sorted());
    }

    #[test]
    fn a_group_stands_for_its_members_and_the_first_name_counts() {
        let groups = [group(4, "gold", &[3, 5]), group(6, "bronze", &[5, 7])];
        let groups: Entities<_> = groups.map(|group| (group.id, Arc::new(group))).into_iter().collect();
        let (gold, mut bronze) = (plugin(&["group"]), plugin(&["group"]));
        bronze.consumer_group = Some(Uuid::from_u128(6).into());
        let found = by_consumer([(&bronze, "bronze"), (&gold, "gold")], &groups);
        let of = |id| found.get(&Uuid::from_u128(id)).copied();
        assert_eq!([3, 5, 7, 9].map(of), [Some("gold"), Some("bronze"), Some("bronze"), None]);
        // One that names both is for the consumer while it is a member.
        let both = plugin(&["consumer", "group"]);
        assert_eq!(by_consumer([(&both, ())], &groups).len(), 1);
        let mut stranger = both;
        stranger.consumer = Some(Uuid::from_u128(7).into());
        assert!(by_consumer([(&stranger, ())], &groups).is_empty());
        assert!(by_consumer([(&gold, ())], &Entities::default()).is_empty(), "nobody, and not all");
    }

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
