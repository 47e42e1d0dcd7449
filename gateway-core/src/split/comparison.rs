//! Whether the new side is worse than the old one.

use std::time::Duration;

use super::Times;

/// Which side answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is known to work.
    Stable,
    /// The one that is tried out.
    Canary,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it failed, by the fault of the side that answered.
    pub failed: bool,
    /// How long the answer took.
    pub took: Duration,
}

/// When the canary counts as worse. Default: nothing makes it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many points of percent more failures than the stable side has; none: failures do not count.
    pub errors: Option<u8>,
    /// So many percent more time for nine answers of ten; none: time does not count. It is measured to a tenth.
    pub latency: Option<u16>,
    /// So many outcomes of the canary must be known, and for latency of the stable side as well. Default 50.
    pub minimum: u32,
    /// How far back outcomes count, in milliseconds: between one and two halves of it. Default 60000.
    pub window: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { errors: None, latency: None, minimum: 50, window: 60_000 }
    }
}

/// In what the canary is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regression {
    /// It fails more often.
    Errors,
    /// It takes longer.
    Latency,
}

/// The outcomes of both sides in the last while. Times are milliseconds of a clock that does not go back.
///
/// Outcomes are kept in two halves of the window; the older one is forgotten as a whole. Both sides are compared over
/// the same time, so that what befalls both, such as a database that is down, is held against neither.
///
/// ```
/// use std::time::Duration;
/// use gateway_core::split::{Comparison, Limits, Outcome, Regression, Side};
///
/// let limits = Limits { errors: Some(5), minimum: 10, ..Limits::default() };
/// let mut comparison = Comparison::default();
/// let took = Duration::from_millis(3);
/// for _ in 0..9 {
///     assert_eq!(comparison.add(&limits, Side::Canary, Outcome { failed: true, took }, 0), None);
/// }
/// let last = comparison.add(&limits, Side::Canary, Outcome { failed: true, took }, 0);
/// assert_eq!(last, Some(Regression::Errors));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    stable: [Tally; 2],
    canary: [Tally; 2],
    /// When the younger half began.
    begun: Option<u64>,
}

impl Comparison {
    /// Takes an outcome. Gives in what the canary is worse, once that is known; only its own outcomes tell.
    pub fn add(&mut self, limits: &Limits, side: Side, outcome: Outcome, now: u64) -> Option<Regression> {
        self.turn(limits.window / 2, now);
        let halves = match side {
            Side::Stable => &mut self.stable,
            Side::Canary => &mut self.canary,
        };
        halves[0].add(outcome);
        (side == Side::Canary).then(|| self.judge(limits)).flatten()
    }

    /// Outcomes and failures of a side that are not forgotten.
    #[must_use]
    pub fn seen(&self, side: Side) -> (u32, u32) {
        let halves = match side {
            Side::Stable => &self.stable,
            Side::Canary => &self.canary,
        };
        let sum = |of: fn(&Tally) -> u32| halves.iter().map(of).fold(0, u32::saturating_add);
        (sum(|half| half.outcomes), sum(|half| half.failures))
    }

    fn turn(&mut self, half: u64, now: u64) {
        let begun = *self.begun.get_or_insert(now);
        let gone = now.saturating_sub(begun);
        if gone <= half {
            return;
        }
        for side in [&mut self.stable, &mut self.canary] {
            let [young, old] = side;
            let before = std::mem::take(young);
            *old = if gone > half.saturating_mul(2) { Tally::default() } else { before };
        }
        self.begun = Some(now);
    }

    fn judge(&self, limits: &Limits) -> Option<Regression> {
        let ((stable, stable_failed), (canary, canary_failed)) =
            (self.seen(Side::Stable), self.seen(Side::Canary));
        if canary < limits.minimum.max(1) {
            return None;
        }
        let share = |part: u32, whole: u32| f64::from(part) * 100.0 / f64::from(whole.max(1));
        let more = share(canary_failed, canary) - share(stable_failed, stable);
        if limits.errors.is_some_and(|points| more > f64::from(points)) {
            return Some(Regression::Errors);
        }
        let percent = limits.latency.filter(|_| stable >= limits.minimum.max(1))?;
        let (before, now) = (slow_end(&self.stable), slow_end(&self.canary));
        (now > before.mul_f64(1.0 + f64::from(percent) / 100.0)).then_some(Regression::Latency)
    }
}

/// Outcomes of one side in one half of the window.
#[derive(Clone, Debug, Default)]
struct Tally {
    outcomes: u32,
    failures: u32,
    times: Times,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        self.outcomes = self.outcomes.saturating_add(1);
        self.failures = self.failures.saturating_add(outcome.failed.into());
        // A failure may be quick or slow: it says nothing of how long answers take.
        if !outcome.failed {
            self.times.add(outcome.took);
        }
    }
}

/// The time that nine answers of ten stay below.
fn slow_end(halves: &[Tally; 2]) -> Duration {
    Times::quantile(halves.each_ref().map(|half| &half.times), 90.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Comparison, Limits, Outcome, Regression, Side};

    const BOTH: Limits = Limits { errors: Some(5), latency: Some(50), minimum: 20, window: 10_000 };

    fn answer(millis: u64) -> Outcome {
        Outcome { failed: false, took: Duration::from_millis(millis) }
    }

    const FAILURE: Outcome = Outcome { failed: true, took: Duration::ZERO };

    #[test]
    fn more_failures_than_the_stable_side_break_it_off() {
        let mut comparison = Comparison::default();
        for _ in 0..19 {
            assert_eq!(comparison.add(&BOTH, Side::Canary, answer(1), 0), None);
        }
        assert_eq!(comparison.add(&BOTH, Side::Canary, FAILURE, 0), None, "one in twenty is 5 points");
        assert_eq!(comparison.add(&BOTH, Side::Canary, FAILURE, 0), Some(Regression::Errors));
    }

    #[test]
    fn what_befalls_both_is_held_against_neither() {
        let mut comparison = Comparison::default();
        for _ in 0..200 {
            assert_eq!(comparison.add(&BOTH, Side::Stable, FAILURE, 0), None);
            assert_eq!(comparison.add(&BOTH, Side::Canary, FAILURE, 0), None);
        }
    }

    #[test]
    fn slower_answers_break_it_off_failures_left_aside() {
        let mut comparison = Comparison::default();
        for _ in 0..100 {
            comparison.add(&BOTH, Side::Stable, answer(10), 0);
        }
        for _ in 0..40 {
            assert_eq!(comparison.add(&BOTH, Side::Canary, answer(13), 0), None, "less than half more");
        }
        let found = (0..100).find_map(|_| comparison.add(&BOTH, Side::Canary, answer(30), 0));
        assert_eq!(found, Some(Regression::Latency));
        // One slow answer in twenty is not nine in ten.
        let mut comparison = Comparison::default();
        for number in 0..400 {
            comparison.add(&BOTH, Side::Stable, answer(10), 0);
            let took = if number % 20 == 19 { 5_000 } else { 10 };
            assert_eq!(comparison.add(&BOTH, Side::Canary, answer(took), 0), None);
        }
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let mut comparison = Comparison::default();
        for _ in 0..19 {
            comparison.add(&BOTH, Side::Canary, FAILURE, 0);
        }
        assert_eq!(comparison.add(&BOTH, Side::Canary, answer(1), 10_001), None);
        assert_eq!(comparison.seen(Side::Canary), (1, 0));
        // Half a window later the older half still counts.
        for _ in 0..19 {
            comparison.add(&BOTH, Side::Canary, FAILURE, 10_001);
        }
        comparison.add(&BOTH, Side::Canary, answer(1), 15_002);
        assert_eq!(comparison.seen(Side::Canary), (21, 19));
    }

    #[test]
    fn without_limits_nothing_breaks_it_off() {
        let limits = Limits { minimum: 1, ..Limits::default() };
        let mut comparison = Comparison::default();
        assert!((0..1_000).all(|_| comparison.add(&limits, Side::Canary, FAILURE, 0).is_none()));
    }

    proptest! {
        #[test]
        fn a_canary_that_does_as_the_stable_side_does_goes_on(
            outcomes in proptest::collection::vec((any::<bool>(), 0u64..5_000, 0u64..500), 1..300),
        ) {
            let mut comparison = Comparison::default();
            let mut now = 0;
            for (failed, millis, wait) in outcomes {
                now += wait;
                let outcome = Outcome { failed, took: Duration::from_millis(millis) };
                comparison.add(&BOTH, Side::Stable, outcome, now);
                prop_assert_eq!(comparison.add(&BOTH, Side::Canary, outcome, now), None);
            }
        }
    }
}
