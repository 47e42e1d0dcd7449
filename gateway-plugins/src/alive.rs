//! How many modules and instances there are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What of an engine's plugins is alive: whatever is replaced goes with its last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alive {
    /// Modules that are compiled.
    pub modules: usize,
    /// Virtual machines, those that only try a configuration out included.
    pub instances: usize,
}

/// One of those that are alive.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }

    /// One more, as long as there are not `most` of them.
    pub(crate) fn within(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |alive: usize| (alive < most).then_some(alive + 1);
        count.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Self(Arc::clone(count)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
