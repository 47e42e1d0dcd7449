//! Connections and requests of the whole node.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::Serialize;

/// Counts connections and requests, per worker. Long-lived, as [`Metrics`](super::Metrics) is.
#[derive(Debug)]
pub struct ServerCounters {
    shards: Box<[Cell]>,
}

/// The counters of one worker, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell {
    accepted: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
    begun: AtomicU64,
    finished: AtomicU64,
}

impl ServerCounters {
    /// Counters for as many workers as `shards`, at least one.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Cell::default()).collect() }
    }

    /// Counts a connection that was accepted; dropping the guard counts its end.
    #[must_use]
    pub fn connection(self: &Arc<Self>, shard: usize) -> ConnectionGuard {
        self.on(shard, |cell| &cell.accepted);
        ConnectionGuard { counters: Arc::clone(self), shard }
    }

    /// Counts a connection that was accepted and closed at once, because of a limit.
    pub fn refused(&self, shard: usize) {
        self.on(shard, |cell| &cell.accepted);
        self.on(shard, |cell| &cell.refused);
        self.on(shard, |cell| &cell.closed);
    }

    /// Counts a request whose head has been read. [`Observer::finish`](super::Observer::finish) counts its end.
    pub fn begin(&self, shard: usize) {
        self.on(shard, |cell| &cell.begun);
    }

    pub(super) fn finish(&self, shard: usize) {
        self.on(shard, |cell| &cell.finished);
    }

    fn on(&self, shard: usize, counter: impl Fn(&Cell) -> &AtomicU64) {
        if let Some(cell) = self.shards.get(shard).or_else(|| self.shards.get(shard % self.shards.len())) {
            counter(cell).fetch_add(1, Relaxed);
        }
    }

    /// The sums, as `GET /status` shows them.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        let sum = |counter: fn(&Cell) -> &AtomicU64| -> u64 {
            self.shards.iter().map(|cell| counter(cell).load(Relaxed)).sum()
        };
        // Ends are read before beginnings, so that a difference is never below what it is.
        let (closed, finished) = (sum(|cell| &cell.closed), sum(|cell| &cell.finished));
        let (refused, begun) = (sum(|cell| &cell.refused), sum(|cell| &cell.begun));
        let accepted = sum(|cell| &cell.accepted);
        let active = accepted.saturating_sub(closed);
        let writing = begun.saturating_sub(finished);
        ServerStatus {
            connections_accepted: accepted,
            connections_active: active,
            connections_handled: accepted.saturating_sub(refused),
            connections_reading: 0,
            connections_waiting: active.saturating_sub(writing),
            connections_writing: writing,
            total_requests: begun,
        }
    }
}

/// An open connection, as far as the counters go.
#[derive(Debug)]
pub struct ConnectionGuard {
    counters: Arc<ServerCounters>,
    shard: usize,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.counters.on(self.shard, |cell| &cell.closed);
    }
}

/// The field `server` of Kong's `GET /status` (compat A43).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerStatus {
    /// Connections ever accepted.
    pub connections_accepted: u64,
    /// Connections open now.
    pub connections_active: u64,
    /// Connections ever accepted and not refused by a limit.
    pub connections_handled: u64,
    /// Connections on which a head is being read. Not told apart from waiting ones: always 0.
    pub connections_reading: u64,
    /// Connections without a request under way.
    pub connections_waiting: u64,
    /// Requests under way.
    pub connections_writing: u64,
    /// Requests ever begun.
    pub total_requests: u64,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::ServerCounters;

    #[test]
    fn status_is_what_is_open_and_what_has_been() {
        let counters = Arc::new(ServerCounters::new(2));
        let open = counters.connection(0);
        drop(counters.connection(1));
        counters.refused(5);
        counters.begin(0);
        counters.begin(0);
        counters.finish(0);
        let status = serde_json::to_value(counters.status()).unwrap();
        assert_eq!(
            status,
            serde_json::json!({
                "connections_accepted": 3, "connections_active": 1, "connections_handled": 2,
                "connections_reading": 0, "connections_waiting": 0, "connections_writing": 1,
                "total_requests": 2
            })
        );
        drop(open);
        assert_eq!(counters.status().connections_active, 0);
    }
}
