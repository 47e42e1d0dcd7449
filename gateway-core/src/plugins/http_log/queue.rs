//! Entries on their way to a log server: Kong's queue, without the sending.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

/// Bounds of a queue, and how it makes batches (compat A10).
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most entries in one batch.
    pub(super) batch: usize,
    /// How long the first entry of a batch waits for others.
    pub(super) coalescing: Duration,
    /// Most entries that wait.
    pub(super) entries: usize,
    /// Most bytes that wait.
    pub(super) bytes: usize,
}

/// What waits, oldest first. Any worker adds, one task takes.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    /// Told to the one that takes.
    changed: Notify,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Bytes>,
    bytes: usize,
    /// Entries dropped since the last batch was taken.
    dropped: u64,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), changed: Notify::new(), closed: CancellationToken::new() }
    }

    /// Adds an entry; the oldest ones make room for it. Says so once until it has been found out how many.
    pub(super) fn push(&self, entry: Bytes) {
        let mut state = self.state();
        let before = state.dropped;
        state.push(entry, &self.limits);
        let first = before == 0 && state.dropped > 0;
        drop(state);
        if first {
            tracing::error!(
                "the queue of http-log is full, entries are dropped until the log server takes more"
            );
        }
        self.changed.notify_one();
    }

    /// No more entries come: what is here is taken without waiting for others.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// Until it is closed.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// The next batch, once it is full or its first entry has waited long enough. None: closed and empty.
    pub(super) async fn batch(&self) -> Option<Vec<Bytes>> {
        self.until(|state| !state.entries.is_empty()).await;
        let full = self.until(|state| state.entries.len() >= self.limits.batch);
        timeout(self.limits.coalescing, full).await.ok();
        let mut state = self.state();
        let count = state.entries.len().min(self.limits.batch);
        let batch: Vec<_> = state.entries.drain(..count).collect();
        state.bytes -= batch.iter().map(Bytes::len).sum::<usize>();
        let dropped = std::mem::take(&mut state.dropped);
        drop(state);
        if dropped > 0 {
            tracing::error!(entries = dropped, "the queue of http-log was full, entries were lost");
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// How many entries wait.
    pub(super) fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Until `wanted` holds or it is closed.
    async fn until(&self, wanted: impl Fn(&State) -> bool) {
        while !self.closed.is_cancelled() && !wanted(&self.state()) {
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    /// Held for a few moves of pointers, never over a wait.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, entry: Bytes, limits: &Limits) {
        if entry.len() > limits.bytes {
            self.dropped += 1;
            return;
        }
        while self.entries.len() >= limits.entries || self.bytes + entry.len() > limits.bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.len();
            self.dropped += 1;
        }
        self.bytes += entry.len();
        self.entries.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{Limits, Queue, State};

    const NONE: Limits = Limits { batch: 1, coalescing: Duration::ZERO, entries: 100, bytes: usize::MAX };

    proptest! {
        #[test]
        fn what_waits_is_the_newest_that_fits(
            sizes in prop::collection::vec(0..20_usize, 0..50), entries in 1..10_usize, bytes in 1..60_usize,
        ) {
            let limits = Limits { entries, bytes, ..NONE };
            let mut state = State::default();
            for (number, size) in sizes.iter().enumerate() {
                state.push(Bytes::from(vec![u8::try_from(number).unwrap(); *size]), &limits);
            }
            let fits = |waiting: &[usize]| waiting.len() <= entries && waiting.iter().sum::<usize>() <= bytes;
            // Entries that never fit are left out; of the others as many of the last ones as fit.
            let mut newest: Vec<_> = sizes.iter().copied().filter(|size| *size <= bytes).collect();
            while !fits(&newest) {
                newest.remove(0);
            }
            let waiting: Vec<_> = state.entries.iter().map(Bytes::len).collect();
            prop_assert_eq!(&waiting, &newest);
            prop_assert_eq!(state.bytes, newest.iter().sum::<usize>());
            prop_assert_eq!(state.dropped as usize + newest.len(), sizes.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_full_or_its_first_entry_has_waited() {
        let limits = Limits { batch: 3, coalescing: Duration::from_secs(2), ..NONE };
        let queue = Queue::new(limits);
        for entry in ["a", "b", "c", "d"] {
            queue.push(Bytes::from(entry));
        }
        let began = tokio::time::Instant::now();
        assert_eq!(queue.batch().await.unwrap(), ["a", "b", "c"]);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(queue.batch().await.unwrap(), ["d"]);
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_queue_waits_for_nothing_and_ends_once_it_is_empty() {
        let queue = Queue::new(Limits { batch: 3, coalescing: Duration::from_secs(2), ..NONE });
        queue.push(Bytes::from("a"));
        queue.close();
        let began = tokio::time::Instant::now();
        assert_eq!(queue.batch().await.unwrap(), ["a"]);
        assert_eq!(queue.batch().await, None);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
