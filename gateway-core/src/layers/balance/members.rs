//! Several services, as far as who spreads calls over them looks at them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crate::{
    balance::{Balancer, LeastConnections, Load, Pick},
    health::{Counted, Counter, Health, Outliers, Recovery, Rounds},
    layers::time::Clock,
};

/// What all clones of a service know of the ones that it spreads calls over.
#[derive(Debug)]
pub(super) struct Members {
    balancer: LeastConnections<Member>,
    all: Vec<Arc<Member>>,
    ejecting: Option<(Outliers, Recovery)>,
    rounds: Rounds,
    /// When the first of those that are out may be tried.
    next_trial: AtomicU64,
    clock: Clock,
}

const NEVER: u64 = u64::MAX;

/// One of the services, as far as it is looked at.
#[derive(Debug, Default)]
struct Member {
    load: Load,
    counter: Counter,
    out: AtomicBool,
    /// Behind a lock, held for a few instructions, by those that change something.
    health: Mutex<Health>,
}

impl AsRef<Load> for Member {
    fn as_ref(&self) -> &Load {
        &self.load
    }
}

impl Member {
    fn change<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut health);
        self.out.store(!health.state().is_available(), Relaxed);
        changed
    }
}

impl Members {
    pub(super) fn new(count: usize, ejecting: Option<(Outliers, Recovery)>) -> Self {
        let all: Vec<_> = (0..count).map(|_| Arc::new(Member::default())).collect();
        Self {
            balancer: LeastConnections::new(&all, &vec![1; count], 1),
            all,
            ejecting,
            rounds: Rounds::default(),
            next_trial: AtomicU64::new(NEVER),
            clock: Clock::start(),
        }
    }

    pub(super) fn pick(&self) -> Option<usize> {
        let any = Pick::any(0).drawing(fastrand::u64(..));
        if self.next_trial.load(Relaxed) == NEVER {
            return self.balancer.pick(&any);
        }
        let is_out = |index: usize| self.all.get(index).is_some_and(|member| member.out.load(Relaxed));
        let but = Pick::but(0, &is_out).drawing(any.random);
        self.begin_trial().or_else(|| self.balancer.pick(&but)).or_else(|| self.balancer.pick(&any))
    }

    /// One that is out, whose time is over.
    #[cold]
    fn begin_trial(&self) -> Option<usize> {
        let (now, (_, recovery)) = (self.clock.now(), self.ejecting?);
        if now < self.next_trial.load(Relaxed) {
            return None;
        }
        let mut all = self.all.iter();
        let begun = all.position(|member| member.change(|health| health.begin_trial(&recovery, now)));
        self.note_trials();
        begun
    }

    fn note_trials(&self) {
        let at = |member: &Arc<Member>| member.change(|health| health.trial_at());
        self.next_trial.store(self.all.iter().filter_map(at).min().unwrap_or(NEVER), Relaxed);
    }

    pub(super) fn out(&self) -> usize {
        self.all.iter().filter(|member| member.out.load(Relaxed)).count()
    }

    #[cfg(test)]
    pub(super) fn in_flight(&self, index: usize) -> usize {
        self.all[index].load.in_flight()
    }

    /// Takes what became of a call.
    fn report(&self, index: usize, failed: bool) {
        let (Some((outliers, recovery)), Some(member)) = (&self.ejecting, self.all.get(index)) else {
            return;
        };
        let now = self.clock.now();
        if member.out.load(Relaxed) {
            // Its trial, or a call from before it was out.
            let counted = if failed { Counted::HttpFailure(1) } else { Counted::Nothing };
            member.change(|health| health.report(counted, Some(recovery), now));
            self.note_trials();
            return;
        }
        member.counter.add(failed);
        if self.rounds.is_over(crate::clock::millis(outliers.interval), now) {
            self.eject(outliers, recovery, now);
        }
    }

    #[cold]
    fn eject(&self, outliers: &Outliers, recovery: &Recovery, now: u64) {
        let tallies: Vec<_> = self.all.iter().map(|member| member.counter.take()).collect();
        for member in outliers.find(&tallies).into_iter().filter_map(|index| self.all.get(index)) {
            if !recovery.allows(self.out(), self.all.len()) {
                break;
            }
            member.change(|health| health.eject_outlier(Some(recovery), now));
        }
        self.note_trials();
    }
}

/// A call under way, also where it is given up.
#[derive(Debug)]
pub(super) struct UnderWay {
    members: Arc<Members>,
    index: usize,
}

impl UnderWay {
    pub(super) fn new(members: &Arc<Members>, index: usize) -> Self {
        if let Some(member) = members.all.get(index) {
            member.load.enter();
        }
        Self { members: Arc::clone(members), index }
    }

    /// Takes what became of it.
    pub(super) fn ended(&self, failed: bool) {
        self.members.report(self.index, failed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(member) = self.members.all.get(self.index) {
            member.load.leave();
        }
    }
}
