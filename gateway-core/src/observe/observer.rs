//! The one place that sees every request end.

use std::sync::Arc;

use super::{AccessLog, Metrics, RouteMetrics, ServerCounters};
use crate::plugin::Exchange;

/// Counts and logs requests. One per gateway; it outlives every snapshot.
///
/// Call [`begin`](Self::begin) when a head has been read and [`finish`](Self::finish) once, when the last
/// byte of the answer is handed over or the client is gone, with the exchange's `status`, `source`,
/// `reason`, `timings.finished` and byte counts set.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{ConnectInfo, observe::Observer, plugin::Exchange};
///
/// let observer = Observer::new(1);
/// observer.begin(0);
/// let exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
/// observer.finish(0, observer.metrics().unmatched(), &exchange);
/// assert_eq!(observer.server().status().total_requests, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Observer {
    metrics: Arc<Metrics>,
    server: Arc<ServerCounters>,
    access_log: Option<Arc<AccessLog>>,
}

impl Observer {
    /// Counts for as many workers as `shards`; logs nothing.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self::of(Arc::new(Metrics::new(shards)), Arc::new(ServerCounters::new(shards)))
    }

    /// Counts with counters that exist; logs nothing.
    #[must_use]
    pub const fn of(metrics: Arc<Metrics>, server: Arc<ServerCounters>) -> Self {
        Self { metrics, server, access_log: None }
    }

    /// The same, with an access log.
    #[must_use]
    pub fn with_access_log(mut self, log: Arc<AccessLog>) -> Self {
        self.access_log = Some(log);
        self
    }

    /// The counters of routes.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The counters of connections and requests.
    #[must_use]
    pub const fn server(&self) -> &Arc<ServerCounters> {
        &self.server
    }

    /// The access log, if there is one.
    #[must_use]
    pub const fn access_log(&self) -> Option<&Arc<AccessLog>> {
        self.access_log.as_ref()
    }

    /// Sees a request begin on the worker `shard`.
    pub fn begin(&self, shard: usize) {
        self.server.begin(shard);
    }

    /// Sees a request end on the worker `shard`.
    pub fn finish(&self, shard: usize, route: &RouteMetrics, exchange: &Exchange) {
        self.server.finish(shard);
        route.count(shard, exchange);
        if let Some(log) = &self.access_log {
            log.write(shard, exchange);
        }
    }
}
