//! The health of one endpoint: Kong's machine, and the way back from an ejection.

use super::{Counted, Machine, Recovery, State};

/// The health of one endpoint. Times are milliseconds of any clock that never goes back.
///
/// What traffic ejects it (`report` with a [`Recovery`]) is half-open after a back-off: one request at a time may
/// try it ([`begin_trial`](Self::begin_trial)), and its outcome decides. What probes or a person made
/// unhealthy stays so until they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    machine: Machine,
    ejection: Option<Ejection>,
    /// How often it was ejected in a row, how long the last time, and when it came back.
    count: u32,
    lasted: u64,
    returned: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ejection {
    /// From when on a trial may begin.
    until: u64,
    /// Whether the last trial is still under way.
    trying: bool,
}

impl Health {
    /// How it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.machine.state()
    }

    /// From when on a request may try it; none unless traffic ejected it.
    #[must_use]
    pub fn trial_at(&self) -> Option<u64> {
        self.ejection.map(|ejection| ejection.until)
    }

    /// Takes what a request's or a probe's outcome counts as. With a `recovery` an endpoint that turns unhealthy by it
    /// is ejected for a time, and one that is being tried is judged by it.
    pub fn report(&mut self, counted: Counted, recovery: Option<&Recovery>, now: u64) {
        let Some(recovery) = recovery else {
            self.machine.report(counted);
            // Who else finds it well ends an ejection; who finds it ill leaves it as it is.
            if self.state().is_available() {
                self.ejection = None;
            }
            return;
        };
        match self.ejection {
            Some(ejection) if ejection.trying && counted.is_failure() => self.eject(recovery, now),
            Some(ejection) if ejection.trying => self.come_back(now),
            _ => {
                let before = self.state().is_available();
                self.machine.report(counted);
                match (before, self.state().is_available()) {
                    (true, false) => self.eject(recovery, now),
                    (false, true) => self.come_back(now),
                    _ => {}
                }
            }
        }
    }

    /// Whether a request may try it now. A trial whose outcome never comes, as its client left, makes
    /// room for the next one after the first back-off.
    pub fn begin_trial(&mut self, recovery: &Recovery, now: u64) -> bool {
        match &mut self.ejection {
            Some(ejection) if ejection.until <= now => {
                *ejection = Ejection { until: now.saturating_add(recovery.ejection(1)), trying: true };
                true
            }
            _ => false,
        }
    }

    /// Takes an endpoint out that takes requests, as it does worse than its peers. With a `recovery` for a time, without
    /// one until a probe or a person says otherwise.
    pub fn eject_outlier(&mut self, recovery: Option<&Recovery>, now: u64) {
        if !self.state().is_available() {
            return;
        }
        self.machine = Machine::set(false);
        if let Some(recovery) = recovery {
            self.eject(recovery, now);
        }
    }

    /// Makes it so by hand: counters and ejections are forgotten (compat H19).
    pub fn set(&mut self, available: bool) {
        *self = Self { machine: Machine::set(available), ..Self::default() };
    }

    fn eject(&mut self, recovery: &Recovery, now: u64) {
        // One that stayed well for as long as it was out starts over.
        let was_well = self.machine.state() == State::Unhealthy
            && self.ejection.is_none()
            && now.saturating_sub(self.returned) >= self.lasted;
        self.count = if was_well { 1 } else { self.count.saturating_add(1) };
        self.lasted = recovery.ejection(self.count);
        self.machine = Machine::set(false);
        self.ejection = Some(Ejection { until: now.saturating_add(self.lasted), trying: false });
    }

    fn come_back(&mut self, now: u64) {
        self.machine = Machine::set(true);
        self.ejection = None;
        self.returned = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Counted, Recovery, State},
        Health,
    };

    const BASE: u64 = 30_000;
    const FAILURE: Counted = Counted::TcpFailure(1);

    fn ejected_at(now: u64) -> Health {
        let mut health = Health::default();
        health.report(FAILURE, Some(&Recovery::default()), now);
        assert_eq!(health.trial_at(), Some(now + BASE));
        health
    }

    #[test]
    fn one_trial_at_a_time_decides_d20() {
        let recovery = Recovery::default();
        let mut health = ejected_at(1_000);
        assert!(!health.begin_trial(&recovery, 1_000 + BASE - 1));
        assert!(health.begin_trial(&recovery, 1_000 + BASE));
        assert!(!health.begin_trial(&recovery, 1_000 + BASE));
        // A status that Kong would ignore: it has answered.
        health.report(Counted::Nothing, Some(&recovery), 1_010 + BASE);
        assert_eq!((health.state(), health.trial_at()), (State::Healthy, None));
    }

    #[test]
    fn each_failed_trial_takes_longer_up_to_the_cap() {
        let recovery = Recovery::default();
        let mut health = ejected_at(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let now = health.trial_at().unwrap();
            assert!(health.begin_trial(&recovery, now));
            health.report(FAILURE, Some(&recovery), now);
            waits.push((health.trial_at().unwrap() - now) / 1_000);
        }
        assert_eq!(waits, [60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300, 300]);
    }

    #[test]
    fn one_that_stayed_well_starts_over_and_one_that_did_not_goes_on() {
        let recovery = Recovery::default();
        for (well_for, wait) in [(BASE, BASE), (BASE - 1, 2 * BASE)] {
            let mut health = ejected_at(0);
            assert!(health.begin_trial(&recovery, BASE));
            health.report(Counted::Success(0), Some(&recovery), BASE);
            assert!(health.state().is_available());
            let now = BASE + well_for;
            health.report(FAILURE, Some(&recovery), now);
            assert_eq!(health.trial_at(), Some(now + wait));
        }
    }

    #[test]
    fn a_trial_without_an_outcome_makes_room_for_another() {
        let recovery = Recovery::default();
        let mut health = ejected_at(0);
        assert!(health.begin_trial(&recovery, BASE));
        assert!(!health.begin_trial(&recovery, 2 * BASE - 1));
        assert!(health.begin_trial(&recovery, 2 * BASE));
    }

    #[test]
    fn without_recovery_it_stays_out_as_in_kong_h22() {
        let mut health = Health::default();
        health.report(FAILURE, None, 0);
        assert_eq!((health.state(), health.trial_at()), (State::Unhealthy, None));
        assert!(!health.begin_trial(&Recovery::default(), u64::MAX));
    }

    #[test]
    fn a_probe_ends_an_ejection_and_a_hand_sets_what_it_wants() {
        let mut health = ejected_at(0);
        health.report(Counted::Success(1), None, 5);
        assert_eq!((health.state(), health.trial_at()), (State::Healthy, None));
        health.set(false);
        assert_eq!((health.state(), health.trial_at()), (State::Unhealthy, None));
        health.set(true);
        assert_eq!(health, Health::default());
    }

    #[test]
    fn an_outlier_comes_back_by_a_trial_or_by_who_else_says_so() {
        let recovery = Recovery::default();
        let mut health = Health::default();
        health.eject_outlier(Some(&recovery), 1_000);
        assert_eq!((health.state(), health.trial_at()), (State::Unhealthy, Some(1_000 + BASE)));
        // Nobody is ejected twice.
        health.eject_outlier(Some(&recovery), 2_000);
        assert_eq!(health.trial_at(), Some(1_000 + BASE));
        assert!(health.begin_trial(&recovery, 1_000 + BASE));
        health.report(Counted::Nothing, Some(&recovery), 1_000 + BASE);
        assert!(health.state().is_available());
        // Again, and soon: for longer.
        health.eject_outlier(Some(&recovery), 2_000 + BASE);
        assert_eq!(health.trial_at(), Some(2_000 + 3 * BASE));
        let mut probed = Health::default();
        probed.eject_outlier(None, 1_000);
        assert_eq!((probed.state(), probed.trial_at()), (State::Unhealthy, None));
        probed.report(Counted::Success(1), None, 2_000);
        assert!(probed.state().is_available());
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Passive(Counted),
        Active(Counted),
        Trial,
        Outlier,
        Set(bool),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let counted = |limit: u8, kind: u8| match kind {
            0 => Counted::Success(limit),
            1 => Counted::HttpFailure(limit),
            2 => Counted::TcpFailure(limit),
            3 => Counted::Timeout(limit),
            _ => Counted::Nothing,
        };
        let report = move || (0u8..4, 0u8..5).prop_map(move |(limit, kind)| counted(limit, kind));
        let step = prop_oneof![
            4 => report().prop_map(Step::Passive),
            2 => report().prop_map(Step::Active),
            2 => Just(Step::Trial),
            1 => Just(Step::Outlier),
            1 => any::<bool>().prop_map(Step::Set),
            2 => (0u64..700_000).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn whatever_happens_it_keeps_its_promises(steps in steps()) {
            let recovery = Recovery::default();
            let (mut health, mut now, mut last_trial) = (Health::default(), 0u64, None::<u64>);
            for step in steps {
                let before = health;
                match step {
                    Step::Passive(counted) => health.report(counted, Some(&recovery), now),
                    Step::Active(counted) => health.report(counted, None, now),
                    Step::Outlier => health.eject_outlier(Some(&recovery), now),
                    Step::Set(available) => health.set(available),
                    Step::Wait(time) => now += time,
                    Step::Trial => {
                        if health.begin_trial(&recovery, now) {
                            // Never sooner than the base, whatever came between, unless somebody brought it back.
                            prop_assert!(last_trial.is_none_or(|last| now - last >= BASE));
                            last_trial = Some(now);
                        }
                    }
                }
                // An ejection is a state of those that take no requests, and ends within the cap.
                if let Some(at) = health.trial_at() {
                    prop_assert!(!health.state().is_available());
                    prop_assert!(at <= now + 300_000);
                }
                // One that turned unhealthy by traffic always has a way back.
                if let Step::Passive(_) | Step::Outlier = step && before.state().is_available() {
                    prop_assert_eq!(health.state().is_available(), health.trial_at().is_none());
                }
                if health.state().is_available() {
                    last_trial = None;
                }
            }
        }
    }
}
