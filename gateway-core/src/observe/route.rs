//! What is counted per route.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::{
    histogram::{GATEWAY, Histogram, REQUEST},
    latencies::Latencies,
    statuses::{Answered, Statuses},
};
use crate::{
    config::{Consumer, Route, Service},
    error::Reason,
    plugin::{Exchange, Series},
};

/// How many of a route's consumers have series of their own per worker; later ones share `_other`.
const MAX_CONSUMERS: usize = 1000;

/// The counters of one route with its service. A compiled route keeps it: counting takes no lock, no
/// hash and no allocation, but for the first request of a worker and for [`PerConsumer::Yes`].
#[derive(Debug)]
pub struct RouteMetrics {
    pub(super) labels: Labels,
    pub(super) cells: Arc<Cells>,
    /// What is shown; none: all, and consumers as the node says.
    pub(super) series: Option<Series>,
}

/// The labels of a route's series, as Kong fills them: names, where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels {
    /// The service's name, else its host.
    pub(super) service: Arc<str>,
    /// The route's name, else its id.
    pub(super) route: Arc<str>,
}

impl Labels {
    pub(super) fn of(service: Option<&Service>, route: Option<&Route>) -> Self {
        let service = service.map(|service| service.name.as_deref().unwrap_or(&service.host));
        let route = route.map(|route| route.name.clone().unwrap_or_else(|| route.id.to_string()));
        Self { service: Arc::from(service.unwrap_or_default()), route: Arc::from(route.unwrap_or_default()) }
    }
}

/// Whether requests and bandwidth are counted by consumer (Kong's `per_consumer`). It costs a lock
/// that only the scrape contends for, and a hash, on requests that have a consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PerConsumer {
    /// The label `consumer` is empty.
    #[default]
    No,
    /// The label is the consumer's username.
    Yes,
}

impl RouteMetrics {
    pub(super) const fn new(labels: Labels, cells: Arc<Cells>) -> Self {
        Self { labels, cells, series: None }
    }

    /// The same, of which only `series` are shown.
    pub(super) const fn showing(mut self, series: Option<Series>) -> Self {
        self.series = series;
        self
    }

    /// Whether consumers have series of their own.
    pub(super) fn per_consumer(&self) -> bool {
        self.series.map_or(self.cells.per_consumer == PerConsumer::Yes, |series| series.per_consumer)
    }

    /// Counts a request that is over, on the worker `shard`. A shard that does not exist counts on one
    /// that does.
    pub fn count(&self, shard: usize, exchange: &Exchange) {
        let Some(cell) = self.cells.at(shard) else { return };
        let latencies = Latencies::from(exchange.timings);
        cell.gateway.observe(&GATEWAY, latencies.gateway);
        cell.request.observe(&REQUEST, latencies.request);
        if let Some(upstream) = latencies.upstream {
            cell.upstream.observe(&REQUEST, upstream);
        }
        if let Some(reason) = exchange.reason {
            cell.count_reason(reason);
        }
        match &exchange.consumer {
            Some(consumer) if self.per_consumer() => {
                cell.count_consumer(consumer, exchange);
            }
            _ => cell.traffic.count(exchange),
        }
    }
}

/// One cell a worker, made when the worker counts for the first time: a route without traffic is cheap.
#[derive(Debug)]
pub(super) struct Cells {
    shards: Box<[OnceLock<Box<Cell>>]>,
    per_consumer: PerConsumer,
}

impl Cells {
    pub(super) fn new(shards: usize, per_consumer: PerConsumer) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| OnceLock::new()).collect(), per_consumer }
    }

    fn at(&self, shard: usize) -> Option<&Cell> {
        let cell = self.shards.get(shard).or_else(|| self.shards.get(shard % self.shards.len()))?;
        Some(cell.get_or_init(Box::default))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.shards.iter().filter_map(|cell| cell.get().map(Box::as_ref))
    }
}

/// The counters of one worker, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Cell {
    pub(super) traffic: Traffic,
    pub(super) gateway: Histogram<17>,
    pub(super) upstream: Histogram<13>,
    pub(super) request: Histogram<13>,
    reasons: OnceLock<Box<[AtomicU64; Reason::ALL.len()]>>,
    consumers: Mutex<HashMap<Uuid, Box<ByConsumer>, RandomState>>,
}

impl Cell {
    fn count_reason(&self, reason: Reason) {
        let counts = self.reasons.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))));
        if let Some(count) = counts.get(reason as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counts = self.reasons.get().into_iter().flat_map(|counts| counts.iter());
        Reason::ALL.into_iter().zip(counts).map(|(reason, count)| (reason, count.load(Relaxed)))
    }

    fn count_consumer(&self, consumer: &Consumer, exchange: &Exchange) {
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = consumers.len() < MAX_CONSUMERS || consumers.contains_key(&consumer.id);
        let id = if known { consumer.id } else { Uuid::nil() };
        let entry = consumers.entry(id).or_insert_with(|| {
            let name = if known { consumer_label(consumer) } else { "_other".to_owned() };
            Box::new(ByConsumer { name, traffic: Traffic::default() })
        });
        entry.traffic.count(exchange);
    }

    /// Sees the traffic of every consumer under its name, and that without one under an empty name.
    pub(super) fn for_each_consumer(&self, mut see: impl FnMut(&str, &Traffic)) {
        see("", &self.traffic);
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.values().for_each(|consumer| see(&consumer.name, &consumer.traffic));
    }
}

fn consumer_label(consumer: &Consumer) -> String {
    let name = consumer.username.as_ref().or(consumer.custom_id.as_ref());
    name.cloned().unwrap_or_else(|| consumer.id.to_string())
}

#[derive(Debug)]
struct ByConsumer {
    name: String,
    traffic: Traffic,
}

/// Requests by status, and bytes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) statuses: Statuses,
    pub(super) ingress: AtomicU64,
    pub(super) egress: AtomicU64,
}

impl Traffic {
    fn count(&self, exchange: &Exchange) {
        self.statuses.count(Answered::new(exchange.status, exchange.source));
        for (sum, bytes) in [(&self.ingress, exchange.request_bytes), (&self.egress, exchange.response_bytes)]
        {
            if bytes > 0 {
                sum.fetch_add(bytes, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Cells, Labels, MAX_CONSUMERS, PerConsumer, RouteMetrics};
    use crate::{ConnectInfo, Reason, config::Consumer, plugin::Exchange};

    #[test]
    fn the_place_of_a_reason_in_the_list_is_its_number() {
        assert!(Reason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
    }

    #[test]
    fn a_route_without_traffic_has_no_cells_and_a_strange_shard_counts_too() {
        let route = RouteMetrics::new(Labels::default(), Arc::new(Cells::new(2, PerConsumer::No)));
        assert_eq!(route.cells.iter().count(), 0);
        let exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        route.count(7, &exchange);
        route.count(1, &exchange);
        let counts: Vec<_> = route.cells.iter().flat_map(|cell| cell.traffic.statuses.iter()).collect();
        assert_eq!(
            counts.iter().map(|(answered, count)| (answered.code(), *count)).collect::<Vec<_>>(),
            [(200, 2)]
        );
    }

    #[test]
    fn consumers_beyond_the_bound_share_a_series() {
        let route = RouteMetrics::new(Labels::default(), Arc::new(Cells::new(1, PerConsumer::Yes)));
        let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        for number in 0..MAX_CONSUMERS + 5 {
            exchange.consumer = Some(Arc::new(Consumer::new(&format!("c{number}"))));
            route.count(0, &exchange);
        }
        let mut names = Vec::new();
        let cell = route.cells.iter().next().unwrap();
        cell.for_each_consumer(|name, traffic| {
            names.push((name.to_owned(), traffic.statuses.iter().map(|(_, count)| count).sum::<u64>()));
        });
        assert_eq!(names.len(), MAX_CONSUMERS + 2);
        assert!(names.contains(&("_other".to_owned(), 5)));
        assert!(names.contains(&("c7".to_owned(), 1)));
    }
}
