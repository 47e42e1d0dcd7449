//! What is tried again at one service, and how much of that is left.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    clock,
    retry::{Budget, Settings, Share},
};

/// What is tried again at one service.
#[derive(Debug)]
pub struct Retrying {
    /// What, and when.
    pub settings: Settings,
    /// A request body up to so many bytes is kept to be sent again, where its route buffers requests.
    pub replay: usize,
    share: Share,
    spending: std::sync::Arc<Spending>,
}

/// The budget of one service, and what has become of it. It outlives the settings.
#[derive(Debug, Default)]
pub struct Spending {
    /// Behind a lock, held for a few instructions and never over a wait: paying in goes from one second to the next.
    budget: Mutex<Budget>,
    repeated: AtomicU64,
    refused: AtomicU64,
}

impl Retrying {
    /// Tries again as `settings` say, within `share` of what `spending` has left.
    #[must_use]
    pub const fn new(
        settings: Settings,
        replay: usize,
        share: Share,
        spending: std::sync::Arc<Spending>,
    ) -> Self {
        Self { settings, replay, share, spending }
    }

    /// A request begins.
    pub(crate) fn expect_one(&self) {
        self.spending.with(|budget| budget.deposit(&self.share, clock::now()));
    }

    /// Whether one more try is within the budget.
    pub(crate) fn take_one(&self) -> bool {
        let taken = self.spending.with(|budget| budget.withdraw(&self.share, clock::now()));
        let counter = if taken { &self.spending.repeated } else { &self.spending.refused };
        counter.fetch_add(1, Relaxed);
        taken
    }
}

impl Spending {
    /// Tries that were repetitions, so far.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Relaxed)
    }

    /// Repetitions that the budget did not allow, so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        change(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
