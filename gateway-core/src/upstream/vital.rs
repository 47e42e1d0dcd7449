//! The health of an endpoint, where picks, requests and probes meet.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

use crate::{
    clock,
    health::{Counted, Counter, Health, Recovery, Schedule, State, first_probe},
};

/// The health of an endpoint. It outlives the endpoint where only what that is called in `Host` changes.
#[derive(Debug)]
pub(crate) struct Vital {
    /// What `health` says, so that the many reports which change nothing take no lock.
    state: AtomicU8,
    trial_at: AtomicU64,
    /// Since when it is well; 0: as long as anybody knows.
    since: AtomicU64,
    /// Behind a lock, held for a few instructions: reports that change something are rare.
    health: Mutex<Health>,
    probes: Mutex<Probes>,
    probing: AtomicBool,
    /// What it did since endpoints were compared the last time; counted only where they are.
    tally: Counter,
    /// How many probes have ended, and when the last one did; 0: none has.
    probed: AtomicU64,
    probed_at: AtomicU64,
}

/// When an endpoint was probed, and the lot that says how far from its time the next probe is.
#[derive(Clone, Copy, Debug, Default)]
struct Probes {
    last: Option<u64>,
    seen: Option<u64>,
    lot: u64,
}

/// No trial is due, ever.
const NEVER: u64 = u64::MAX;

impl Default for Vital {
    fn default() -> Self {
        Self {
            state: AtomicU8::new(State::Healthy as u8),
            trial_at: AtomicU64::new(NEVER),
            since: AtomicU64::new(0),
            health: Mutex::default(),
            probes: Mutex::default(),
            probing: AtomicBool::new(false),
            tally: Counter::default(),
            probed: AtomicU64::new(0),
            probed_at: AtomicU64::new(0),
        }
    }
}

impl Vital {
    /// That of an endpoint which comes at this moment to others.
    pub(crate) fn since(now: u64) -> Self {
        Self { since: AtomicU64::new(now), ..Self::default() }
    }

    /// For how many milliseconds it has been well.
    pub(crate) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.since.load(Relaxed))
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Relaxed) {
            0 => State::Healthy,
            1 => State::MostlyHealthy,
            2 => State::Unhealthy,
            _ => State::MostlyUnhealthy,
        }
    }

    /// From when on a request may try it, where it is ejected.
    pub(crate) fn trial_at(&self) -> Option<u64> {
        Some(self.trial_at.load(Relaxed)).filter(|at| *at != NEVER)
    }

    /// Takes a report; whether that changes who takes requests.
    pub(crate) fn report(
        &self,
        counted: Counted,
        recovery: Option<&Recovery>,
        now: impl Fn() -> u64,
    ) -> bool {
        if self.trial_at().is_none() && counted.is_idle_in(self.state()) {
            return false;
        }
        self.change(|health| health.report(counted, recovery, now()))
    }

    /// What it did since endpoints were compared the last time.
    pub(crate) const fn tally(&self) -> &Counter {
        &self.tally
    }

    /// Takes it out, as it does worse than its peers; whether that changes who takes requests.
    pub(crate) fn eject_outlier(&self, recovery: Option<&Recovery>, now: u64) -> bool {
        self.change(|health| health.eject_outlier(recovery, now))
    }

    /// Whether a request may try it now.
    pub(crate) fn begin_trial(&self, recovery: &Recovery, now: u64) -> bool {
        let mut begun = false;
        if self.trial_at().is_some_and(|at| at <= now) {
            self.change(|health| begun = health.begin_trial(recovery, now));
        }
        begun
    }

    /// Makes it so by hand.
    pub(crate) fn set(&self, available: bool) -> bool {
        self.change(|health| health.set(available))
    }

    fn change(&self, change: impl FnOnce(&mut Health)) -> bool {
        let mut health = lock(&self.health);
        let before = *health;
        change(&mut health);
        self.state.store(health.state() as u8, Relaxed);
        self.trial_at.store(health.trial_at().unwrap_or(NEVER), Relaxed);
        let turned = before.state().is_available() != health.state().is_available();
        if turned && health.state().is_available() {
            self.since.store(clock::now(), Relaxed);
        }
        turned || before.trial_at() != health.trial_at()
    }

    /// Whether a probe is under way.
    pub(crate) fn is_probing(&self) -> bool {
        self.probing.load(Relaxed)
    }

    /// How many probes have ended, and how many milliseconds ago the last one did.
    pub(crate) fn probed(&self) -> Option<(u64, u64)> {
        let at = self.probed_at.load(Relaxed);
        (at > 0).then(|| (self.probed.load(Relaxed), clock::now().saturating_sub(at)))
    }

    /// When the next probe is due; none where none is wanted.
    pub(crate) fn probe_at(&self, schedule: Schedule, now: u64) -> Option<u64> {
        let state = self.state();
        let mut probes = lock(&self.probes);
        let wait = schedule.wait(state, probes.lot)?;
        let Some(last) = probes.last else {
            let lot = &mut probes.lot;
            *lot = if *lot == 0 { fastrand::u64(1..) } else { *lot };
            let first = first_probe(wait, *lot);
            return Some(probes.seen.get_or_insert(now).saturating_add(first));
        };
        Some(last.saturating_add(wait))
    }

    /// Notes that a probe begins.
    pub(crate) fn begin_probe(self: &Arc<Self>, now: u64) -> Probing {
        self.probing.store(true, Relaxed);
        let mut probes = lock(&self.probes);
        (probes.last, probes.lot) = (Some(now), fastrand::u64(1..));
        Probing(Arc::clone(self))
    }
}

/// A probe under way.
#[derive(Debug)]
pub(crate) struct Probing(Arc<Vital>);

impl Probing {
    /// Notes that the probe has ended, and not merely been given up.
    pub(crate) fn end(self) {
        self.0.probed.fetch_add(1, Relaxed);
        self.0.probed_at.store(clock::now(), Relaxed);
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.probing.store(false, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
