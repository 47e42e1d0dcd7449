//! What a connection and its driver both know.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use crate::clock;

/// What a connection and its driver both know.
pub(super) struct State {
    streams: AtomicUsize,
    /// Requests so far.
    requests: AtomicU32,
    /// Since when there are no streams, on the coarse clock.
    idle_since: AtomicU64,
    /// Its server has said how many streams it takes.
    settled: AtomicBool,
    /// It takes no more requests.
    retired: AtomicBool,
    pub(super) heard: Heard,
}

impl State {
    /// Of a connection that is open from now on.
    pub(super) fn new() -> Self {
        Self {
            streams: AtomicUsize::default(),
            requests: AtomicU32::default(),
            idle_since: clock::now().into(),
            settled: AtomicBool::default(),
            retired: AtomicBool::default(),
            heard: Heard::default(),
        }
    }

    /// One stream more, if there are fewer than `most`; gives how many requests there were before.
    pub(super) fn enter(&self, most: usize) -> Option<u32> {
        let entered = |streams| (streams < most).then_some(streams + 1);
        self.streams.fetch_update(Ordering::SeqCst, Ordering::SeqCst, entered).ok()?;
        Some(self.requests.fetch_add(1, Ordering::AcqRel))
    }

    /// One stream less.
    pub(super) fn leave(&self) {
        self.idle_since.store(clock::now(), Ordering::Release);
        self.streams.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::SeqCst)
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Whether that is news.
    pub(super) fn settle(&self) -> bool {
        !self.is_settled() && !self.settled.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Whether nothing has been asked for so long.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        let since = self.idle_since.load(Ordering::Acquire);
        self.streams() == 0 && clock::now().saturating_sub(since) >= clock::millis(time)
    }
}

/// When anything was last read, on the coarse clock; 0 before.
#[derive(Default)]
pub(super) struct Heard(AtomicU64);

impl Heard {
    /// Something comes.
    pub(super) fn note(&self) {
        self.0.store(clock::now(), Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn is_anything(&self) -> bool {
        self.last() > 0
    }

    /// Whether anything has come since this moment.
    pub(super) fn any_since(&self, since: u64) -> bool {
        self.last() > since
    }
}
