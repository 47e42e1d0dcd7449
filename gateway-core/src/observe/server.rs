//! Requests of the whole node, beside the connections that the server counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// Counts requests, per worker. Long-lived, as [`Metrics`](super::Metrics) is. Connections are the
/// [server](crate::server)'s to count, or the embedder's, whose listener it is.
#[derive(Debug)]
pub struct ServerCounters {
    shards: Box<[Cell]>,
}

/// The counters of one worker, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell {
    begun: AtomicU64,
    finished: AtomicU64,
}

impl ServerCounters {
    /// Counters for as many workers as `shards`, at least one.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Cell::default()).collect() }
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

    /// The sums, as `GET /status` shows them; who serves the connections fills in theirs.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        let sum = |counter: fn(&Cell) -> &AtomicU64| -> u64 {
            self.shards.iter().map(|cell| counter(cell).load(Relaxed)).sum()
        };
        // Ends are read before beginnings, so that the difference is never below what it is.
        let finished = sum(|cell| &cell.finished);
        let begun = sum(|cell| &cell.begun);
        ServerStatus {
            connections_writing: begun.saturating_sub(finished),
            total_requests: begun,
            ..ServerStatus::default()
        }
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
    /// Connections on which a head is being read.
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
    use super::ServerCounters;

    #[test]
    fn status_is_what_is_open_and_what_has_been() {
        let counters = ServerCounters::new(2);
        counters.begin(0);
        counters.begin(5);
        counters.finish(0);
        let status = serde_json::to_value(counters.status()).unwrap();
        assert_eq!(
            status,
            serde_json::json!({
                "connections_accepted": 0, "connections_active": 0, "connections_handled": 0,
                "connections_reading": 0, "connections_waiting": 0, "connections_writing": 1,
                "total_requests": 2
            })
        );
    }
}
