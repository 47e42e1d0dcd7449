//! Second tries beside first ones at one service, and how many of them there may be.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Method;

use crate::{
    clock,
    retry::{Budget, Hedge, Pace, Share},
};

/// When requests to one service are asked a second time.
#[derive(Debug)]
pub struct Hedging {
    hedge: Hedge,
    methods: Arc<[Method]>,
    share: Share,
    learned: Arc<Learned>,
}

/// What is known of one service: how long its answers take, and the budget. It outlives the settings.
#[derive(Debug, Default)]
pub struct Learned {
    /// Behind a lock, held for a few instructions and never over a wait.
    state: Mutex<(Pace, Budget)>,
    begun: AtomicU64,
    won: AtomicU64,
    refused: AtomicU64,
}

impl Hedging {
    /// Second tries as `hedge` says for requests of these methods, within `share` of what `learned` has left.
    #[must_use]
    pub const fn new(hedge: Hedge, methods: Arc<[Method]>, share: Share, learned: Arc<Learned>) -> Self {
        Self { hedge, methods, share, learned }
    }

    /// A request begins: when a second try follows, if none has answered by then.
    pub(crate) fn delay(&self, method: &Method) -> Option<Duration> {
        if !self.methods.contains(method) {
            return None;
        }
        self.learned.with(|(pace, budget)| {
            budget.deposit(&self.share, clock::now());
            pace.delay(&self.hedge)
        })
    }

    /// An answer has come after so long.
    pub(crate) fn observe(&self, took: Duration) {
        self.learned.with(|(pace, _)| pace.add(took, clock::now()));
    }

    /// Whether a second try is within the budget.
    pub(crate) fn take_one(&self) -> bool {
        let taken = self.learned.with(|(_, budget)| budget.withdraw(&self.share, clock::now()));
        let counter = if taken { &self.learned.begun } else { &self.learned.refused };
        counter.fetch_add(1, Relaxed);
        taken
    }

    /// A second try has answered first.
    pub(crate) fn won(&self) {
        self.learned.won.fetch_add(1, Relaxed);
    }
}

impl Learned {
    /// Second tries, so far.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Those of them that answered first, so far.
    #[must_use]
    pub fn won(&self) -> u64 {
        self.won.load(Relaxed)
    }

    /// Second tries that the budget did not allow, so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn with<T>(&self, change: impl FnOnce(&mut (Pace, Budget)) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
