//! A change that is ready to be served by.

use std::{
    fmt,
    sync::{Arc, MutexGuard},
};

use arc_swap::ArcSwap;

use super::Retired;
use crate::{
    config::{Change, Config},
    snapshot::Snapshot,
};

/// A change that is checked and compiled, and not served by yet. Dropped, it was none.
///
/// As long as it lives no other change is made; requests are served all the while.
#[must_use = "dropped, nothing changes"]
pub struct Prepared<'g> {
    serving: &'g ArcSwap<Snapshot>,
    retired: MutexGuard<'g, Retired>,
    previous: Arc<Snapshot>,
    /// Nothing where nothing differs.
    next: Option<Snapshot>,
    change: Change,
}

impl<'g> Prepared<'g> {
    pub(super) const fn new(
        serving: &'g ArcSwap<Snapshot>,
        retired: MutexGuard<'g, Retired>,
        previous: Arc<Snapshot>,
        next: Option<Snapshot>,
        change: Change,
    ) -> Self {
        Self { serving, retired, previous, next, change }
    }

    /// What differs, secrets looked up.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// The whole configuration as it would be, secrets looked up.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.next.as_ref().map_or_else(|| self.previous.config(), Snapshot::config)
    }

    /// Requests are served by it from now on. Gives what differed.
    pub fn commit(self) -> Change {
        let Self { serving, mut retired, previous, next, change } = self;
        if let Some(next) = next {
            serving.store(Arc::new(next));
            retired.push(previous);
        }
        retired.free();
        change
    }
}

impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("differs", &self.next.is_some()).finish_non_exhaustive()
    }
}
