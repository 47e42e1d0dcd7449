//! Which share of what is kept per worker.

/// Which share of pools and counters a clone uses.
#[derive(Clone, Copy)]
pub(super) enum Shard {
    /// That of a worker with a runtime of its own.
    Worker(usize),
    /// That of the thread it happens to run on.
    Thread,
}

impl Shard {
    pub(super) fn index(self) -> usize {
        match self {
            Self::Worker(index) => index,
            Self::Thread => thread_index(),
        }
    }
}

/// A number for the current thread, counted up from 0.
fn thread_index() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static INDEX: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    INDEX.with(|index| *index)
}
