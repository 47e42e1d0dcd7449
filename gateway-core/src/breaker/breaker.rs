//! A breaker that many use at once.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{Machine, Open, Settings, State, Ticket, Verdict};

/// Milliseconds of any clock that never goes back.
pub type Moment = u64;

/// A [`Machine`] that many may use at once. While it is closed, to be let in is one load and no lock.
#[derive(Debug, Default)]
pub struct Breaker {
    /// The epoch in the lower half, the state in the upper one: what `machine` says.
    shown: AtomicU64,
    /// Behind a lock, held for a few instructions and never over a wait: counting a call changes five numbers
    /// that belong together.
    machine: Mutex<Machine>,
    openings: AtomicU64,
}

/// Stands beside the states: closed, and each call is looked at.
const RAMPING: u64 = 3;

impl Breaker {
    /// How it is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.shown.load(Relaxed) >> 32 {
            0 | RAMPING => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// How often it has opened so far.
    #[must_use]
    pub fn openings(&self) -> u64 {
        self.openings.load(Relaxed)
    }

    /// Lets a call in, or not.
    ///
    /// # Errors
    /// With the time to wait: it is open, half-open with enough calls that try, or closed so shortly that not all are let
    /// in yet.
    pub fn admit(&self, settings: &Settings, now: impl FnOnce() -> Moment) -> Result<Ticket, Open> {
        let shown = self.shown.load(Relaxed);
        if let Ok(epoch) = u32::try_from(shown) {
            return Ok(Ticket(epoch));
        }
        self.change(|machine| machine.admit(settings, now())).0
    }

    /// Takes what became of a call; the new state, where that changes it.
    pub fn report(
        &self,
        settings: &Settings,
        ticket: Ticket,
        verdict: Verdict,
        now: Moment,
    ) -> Option<State> {
        self.change(|machine| machine.report(settings, ticket, verdict, now)).1
    }

    /// Takes back a call of which nobody knows how the other side did.
    pub fn abandon(&self, ticket: Ticket) {
        // A call counts before it is back only where it tries.
        if self.state() == State::HalfOpen {
            self.change(|machine| machine.abandon(ticket));
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> (T, Option<State>) {
        let mut machine: MutexGuard<'_, Machine> =
            self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (machine.epoch(), machine.is_ramping());
        let changed = change(&mut machine);
        if (machine.epoch(), machine.is_ramping()) == before {
            return (changed, None);
        }
        let state = machine.state();
        let shown = if machine.is_ramping() { RAMPING } else { state as u64 };
        self.shown.store((shown << 32) | u64::from(machine.epoch()), Relaxed);
        if machine.epoch() == before.0 {
            return (changed, None);
        }
        self.openings.fetch_add((state == State::Open).into(), Relaxed);
        (changed, Some(state))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::{Breaker, Settings, State, Verdict};

    #[test]
    fn it_shows_what_its_machine_says() {
        let (breaker, settings) =
            (Breaker::default(), Settings { consecutive: 1, probes: 1, ..Settings::default() });
        let ticket = breaker.admit(&settings, || 0).unwrap();
        assert_eq!(breaker.report(&settings, ticket, Verdict::FAILURE, 0), Some(State::Open));
        assert_eq!((breaker.state(), breaker.openings()), (State::Open, 1));
        assert!(breaker.admit(&settings, || 4_999).is_err());
        let lost = breaker.admit(&settings, || 5_000).unwrap();
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.abandon(lost);
        let probe = breaker.admit(&settings, || 5_000).unwrap();
        breaker.report(&settings, probe, Verdict::SUCCESS, 5_001);
        assert_eq!(breaker.state(), State::Closed);
        assert!(breaker.admit(&settings, || unreachable!("closed: nobody looks at the clock")).is_ok());
    }

    #[test]
    fn while_it_ramps_each_call_is_looked_at_and_then_none() {
        let ramp = std::time::Duration::from_secs(10);
        let settings = Settings { consecutive: 1, probes: 1, ramp, ..Settings::default() };
        let breaker = Breaker::default();
        let ticket = breaker.admit(&settings, || unreachable!("closed, and never was open")).unwrap();
        breaker.report(&settings, ticket, Verdict::FAILURE, 0);
        let probe = breaker.admit(&settings, || 5_000).unwrap();
        assert_eq!(breaker.report(&settings, probe, Verdict::SUCCESS, 5_000), Some(State::Closed));
        let admitted = (0..100).filter(|_| breaker.admit(&settings, || 10_000).is_ok()).count();
        assert_eq!((admitted, breaker.state()), (55, State::Closed));
        assert!(breaker.admit(&settings, || 15_000).is_ok());
        assert!(breaker.admit(&settings, || unreachable!("all are let in")).is_ok());
        assert_eq!(breaker.openings(), 1);
    }

    #[test]
    fn many_threads_get_no_more_probes_than_there_are() {
        let (breaker, settings) = (Breaker::default(), Settings { consecutive: 1, ..Settings::default() });
        let ticket = breaker.admit(&settings, || 0).unwrap();
        breaker.report(&settings, ticket, Verdict::FAILURE, 0);
        let admitted = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        admitted.fetch_add(breaker.admit(&settings, || 5_000).is_ok().into(), Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), settings.probes);
    }
}
