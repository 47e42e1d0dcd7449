//! The root of the counters, which outlives every snapshot.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::route::{Cells, Labels, PerConsumer, RouteMetrics};
use crate::{
    config::{Route, Service},
    plugin::Series,
};

/// All that is counted about routes. One per gateway; snapshots come and go.
///
/// Counters belong to the ids of a route and its service: they survive every change of config that
/// keeps the route, a rename included, and go with the last snapshot that has it.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{config::{Route, Service}, observe::Metrics};
///
/// let metrics = Metrics::new(2);
/// let (service, route) = (Service::new("users", "users.internal"), Route::new("users"));
/// let before = metrics.route(Some(&service), &route);
/// let after = metrics.route(Some(&service), &route);
/// assert!(Arc::ptr_eq(&before, &after));
/// ```
#[derive(Debug)]
pub struct Metrics {
    shards: usize,
    per_consumer: PerConsumer,
    unmatched: Arc<RouteMetrics>,
    /// Behind a lock because only compile and scrape come here.
    routes: Mutex<HashMap<Key, Weak<RouteMetrics>, RandomState>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    service: Option<Uuid>,
    route: Uuid,
}

impl Metrics {
    /// Counters for as many workers as `shards`, at least one.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self::with_consumers(shards, PerConsumer::No)
    }

    /// Counters for as many workers as `shards`, by consumer if so wished.
    #[must_use]
    pub fn with_consumers(shards: usize, per_consumer: PerConsumer) -> Self {
        let cells = Arc::new(Cells::new(shards, per_consumer));
        let unmatched = Arc::new(RouteMetrics::new(Labels::default(), cells));
        Self { shards, per_consumer, unmatched, routes: Mutex::default() }
    }

    /// The counters of requests that no route takes; their labels are empty.
    #[must_use]
    pub const fn unmatched(&self) -> &Arc<RouteMetrics> {
        &self.unmatched
    }

    /// The counters of `route`, for a snapshot to keep. Take those of the new snapshot while the old
    /// one still stands, so that they go on.
    #[must_use]
    pub fn route(&self, service: Option<&Service>, route: &Route) -> Arc<RouteMetrics> {
        self.route_showing(service, route, None)
    }

    /// The same, of which only `series` are shown; none: all.
    #[must_use]
    pub fn route_showing(
        &self,
        service: Option<&Service>,
        route: &Route,
        series: Option<Series>,
    ) -> Arc<RouteMetrics> {
        let key = Key { service: service.map(|service| service.id), route: route.id };
        let labels = Labels::of(service, Some(route));
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = routes.get(&key).and_then(Weak::upgrade);
        if let Some(known) = &known
            && (&known.labels, known.series) == (&labels, series)
        {
            return Arc::clone(known);
        }
        if routes.len() == routes.capacity() {
            routes.retain(|_, route| route.strong_count() > 0);
        }
        let cells = known.map(|renamed| Arc::clone(&renamed.cells));
        let cells = cells.unwrap_or_else(|| Arc::new(Cells::new(self.shards, self.per_consumer)));
        let route = Arc::new(RouteMetrics::new(labels, cells).showing(series));
        routes.insert(key, Arc::downgrade(&route));
        route
    }

    /// Whether the health of targets is shown: unless each route that has a say is against it.
    pub(super) fn shows_upstream_health(&self) -> bool {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut said = routes.values().filter_map(|route| route.upgrade()?.series).peekable();
        said.peek().is_none() || said.any(|series| series.upstream_health)
    }

    /// Every route that has been counted for, in the order of its labels.
    pub(super) fn counted(&self) -> Vec<Arc<RouteMetrics>> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|_, route| route.strong_count() > 0);
        let mut live: Vec<_> = routes.values().filter_map(Weak::upgrade).collect();
        drop(routes);
        live.push(Arc::clone(&self.unmatched));
        live.retain(|route| route.cells.iter().next().is_some());
        live.sort_by(|a, b| a.labels.cmp(&b.labels));
        live
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Metrics;
    use crate::{ConnectInfo, config::Route, plugin::Exchange};

    #[test]
    fn a_renamed_route_goes_on_counting_and_a_removed_one_is_forgotten() {
        let metrics = Metrics::new(1);
        let exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        let mut route = Route::new("old");
        let old = metrics.route(None, &route);
        old.count(0, &exchange);
        route.name = Some("new".to_owned());
        let new = metrics.route(None, &route);
        assert!(!Arc::ptr_eq(&old, &new));
        assert_eq!(metrics.counted().len(), 1);
        assert_eq!(&*metrics.counted().first().unwrap().labels.route, "new");
        drop((old, new));
        assert!(metrics.counted().is_empty());
        assert_eq!(metrics.route(None, &route).cells.iter().count(), 0);
    }

    #[test]
    fn routes_that_are_gone_do_not_pile_up() {
        let metrics = Metrics::new(1);
        for _ in 0..10_000 {
            drop(metrics.route(None, &Route::new(&uuid::Uuid::new_v4().to_string())));
        }
        assert!(metrics.routes.lock().unwrap().capacity() < 100);
    }
}
