//! A limit that finds itself.

/// Finds how many calls at a time a service takes before they only wait for each other: Envoy's gradient controller
/// (its `adaptive_concurrency` filter), with windows of at least 100 ms and 10 calls. Times are microseconds for
/// calls and milliseconds for moments, of any clock that never goes back.
///
/// The time that a call takes alone is the least mean of a window. It is measured at first, and every minute anew: for
/// one window the limit is the least there is. Otherwise the limit follows the ratio of that time, and a quarter more, to what
/// calls take now; and a little room is added, so that it grows as long as nobody has to wait:
///
/// `limit = limit × clamp(1.25 × alone / now, 0.5, 2) + √limit`
///
/// A measurement that does not come about, as calls under way take longer than it can wait, is put off: the limit
/// is not held down for long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    limit: f64,
    /// What a call takes alone, in microseconds; 0 until it has been measured.
    alone: f64,
    /// When that was measured last.
    measured: u64,
    phase: Phase,
    /// When that began; 0: before the first call.
    since: u64,
    window: Window,
}

/// What a window is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To follow the gradient.
    Follow,
    /// Those that began under the old limit are still on their way.
    Settle,
    /// To see what a call takes alone.
    Measure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Window {
    begun: u64,
    /// Those that were answered, and how long they took together.
    calls: u32,
    sum: f64,
    dropped: u32,
    /// The most calls at a time.
    peak: u32,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How long it took, in microseconds.
    pub took: u64,
    /// How many there were at a time, itself included.
    pub in_flight: u32,
    /// Whether it failed for want of capacity: it timed out, or was refused. How long that took says nothing.
    pub dropped: bool,
}

/// The shortest window.
const WINDOW: u64 = 100;
/// The fewest calls in a window.
const CALLS: u32 = 10;
/// How long what a call takes alone is believed.
const BELIEVED: u64 = 60_000;
/// How long a measurement may hold the limit down at least, and for how many times what a call takes alone.
const PATIENCE: u64 = 1_000;
const TIMES: f64 = 20.0;
/// Where it begins.
const FIRST: f64 = 20.0;

impl Default for Gradient {
    fn default() -> Self {
        Self {
            limit: FIRST,
            alone: 0.0,
            measured: 0,
            phase: Phase::Settle,
            since: 0,
            window: Window::default(),
        }
    }
}

impl Gradient {
    /// The limit at `now`, between `least` and `most`.
    #[must_use]
    pub fn limit(&self, least: u32, most: u32, now: u64) -> u32 {
        if self.phase == Phase::Follow || self.is_put_off(now) {
            return whole(self.limit).clamp(least.max(1), most.max(least).max(1));
        }
        least.max(1).min(most.max(1))
    }

    /// Takes a call that has ended at `now` into account.
    pub fn sample(&mut self, sample: Sample, least: u32, most: u32, now: u64) {
        if self.since == 0 {
            self.since = now.max(1);
        }
        if self.is_put_off(now) {
            self.measured = now;
            self.go(Phase::Follow, now);
        }
        if self.phase == Phase::Settle {
            if sample.in_flight > least.max(1) {
                return;
            }
            self.go(Phase::Measure, now);
        }
        // It waited for those that were there before the window.
        if self.phase == Phase::Measure && now.saturating_sub(sample.took / 1_000) < self.window.begun {
            return;
        }
        self.window.take(sample);
        if self.window.calls.saturating_add(self.window.dropped) >= CALLS
            && now.saturating_sub(self.window.begun) >= WINDOW
        {
            let window = std::mem::replace(&mut self.window, Window { begun: now, ..Window::default() });
            self.turn(&window, least, most, now);
        }
    }

    /// Whether a measurement holds the limit down for too long.
    fn is_put_off(&self, now: u64) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "milliseconds of few calls"
        )]
        let patience = PATIENCE.max((self.alone * TIMES / 1_000.0) as u64);
        self.phase != Phase::Follow && self.since > 0 && now.saturating_sub(self.since) > patience
    }

    fn go(&mut self, phase: Phase, now: u64) {
        (self.phase, self.since) = (phase, now.max(1));
        self.window = Window { begun: now, ..Window::default() };
    }

    /// A window is full.
    fn turn(&mut self, window: &Window, least: u32, most: u32, now: u64) {
        if let Some(mean) = window.mean() {
            // Where nothing could be measured, what comes first has to do.
            if self.phase == Phase::Measure || mean < self.alone || self.alone == 0.0 {
                (self.alone, self.measured) = (mean, now);
            }
        }
        if self.phase == Phase::Measure {
            return self.go(Phase::Follow, now);
        }
        self.follow(window, least, most);
        if now.saturating_sub(self.measured) >= BELIEVED {
            self.go(Phase::Settle, now);
        }
    }

    fn follow(&mut self, window: &Window, least: u32, most: u32) {
        let ratio = (1.25 * self.alone / window.mean().unwrap_or(self.alone).max(1.0)).clamp(0.5, 2.0);
        // A tenth that is dropped is as good as a queue.
        let refused = u64::from(window.dropped) * 10 > u64::from(window.calls) + u64::from(window.dropped);
        let next = if refused { self.limit * ratio.min(0.9) } else { self.limit * ratio + self.limit.sqrt() };
        // What nobody used says nothing about more of it.
        let used = f64::from(window.peak) * 2.0 >= self.limit;
        if next < self.limit || used {
            let (least, most) = (f64::from(least.max(1)), f64::from(most.max(least).max(1)));
            self.limit = next.clamp(least, most);
        }
    }
}

impl Window {
    fn take(&mut self, sample: Sample) {
        self.peak = self.peak.max(sample.in_flight);
        if sample.dropped {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a time to fifteen digits is enough")]
        let took = sample.took as f64;
        self.calls = self.calls.saturating_add(1);
        self.sum += took;
    }

    fn mean(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.sum / f64::from(self.calls))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are clamped to numbers of 32 bits"
)]
const fn whole(limit: f64) -> u32 {
    limit as u32
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BinaryHeap};

    use proptest::prelude::*;

    use super::{Gradient, Sample};

    /// A service with so many workers; a call takes one of them for `work` microseconds, and waits for it.
    struct Server {
        workers: BinaryHeap<Reverse<u64>>,
        work: u64,
    }

    impl Server {
        fn new(workers: usize, work: u64) -> Self {
            Self { workers: (0..workers).map(|_| Reverse(0)).collect(), work }
        }

        /// When a call that comes at `now` is done.
        fn take(&mut self, now: u64) -> u64 {
            let Reverse(free) = self.workers.pop().unwrap();
            let done = free.max(now) + self.work;
            self.workers.push(Reverse(done));
            done
        }
    }

    /// What became of a run under more load than the server takes: calls served, the share of them that took more
    /// than twice as long as one alone, and the limit at the end.
    struct Run {
        served: u64,
        late: f64,
        limit: u32,
    }

    /// Clients that are always there to take what the limit gives: `seconds` of them, in virtual time.
    fn overload(gradient: &mut Gradient, server: &mut Server, from: u64, seconds: u64) -> Run {
        let (mut now, end) = (from, from + seconds * 1_000_000);
        let mut under_way: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
        let (mut served, mut late) = (0, 0);
        while now < end {
            let count = |under_way: &BinaryHeap<_>| u32::try_from(under_way.len()).unwrap();
            while count(&under_way) < gradient.limit(4, 1_000, now / 1_000) {
                under_way.push(Reverse((server.take(now), now)));
            }
            let in_flight = count(&under_way);
            let Reverse((done, begun)) = under_way.pop().unwrap();
            now = done;
            served += 1;
            late += u64::from(done - begun > 2 * server.work);
            gradient.sample(Sample { took: done - begun, in_flight, dropped: false }, 4, 1_000, now / 1_000);
        }
        #[expect(clippy::cast_precision_loss)]
        let late = late as f64 / served as f64;
        Run { served, late, limit: gradient.limit(4, 1_000, end / 1_000) }
    }

    #[test]
    fn it_finds_what_a_service_takes_g18() {
        for workers in [10, 40, 100] {
            let (mut gradient, mut server) = (Gradient::default(), Server::new(workers, 10_000));
            overload(&mut gradient, &mut server, 1_000_000, 10);
            // Five minutes, with its measurements.
            let run = overload(&mut gradient, &mut server, 11_000_000, 300);
            let most = workers as u64 * 100 * 300;
            assert!(run.served * 100 >= most * 90, "{workers}: {} of {most}", run.served);
            assert!(run.late <= 0.01, "{workers}: {} late", run.late);
            assert!(run.limit as usize >= workers, "{workers}: {}", run.limit);
        }
    }

    #[test]
    fn a_service_that_becomes_slower_gets_less_and_one_that_becomes_faster_more() {
        let (mut gradient, mut server) = (Gradient::default(), Server::new(40, 10_000));
        let well = overload(&mut gradient, &mut server, 1_000_000, 20).limit;
        let mut half = Server::new(10, 10_000);
        let ill = overload(&mut gradient, &mut half, 21_000_000, 20).limit;
        assert!(ill * 2 < well, "{ill} of {well}");
        let mut again = Server::new(40, 10_000);
        let back = overload(&mut gradient, &mut again, 41_000_000, 20).limit;
        assert!(back * 10 >= well * 8, "{back} of {well}");
    }

    #[test]
    fn what_nobody_uses_does_not_grow() {
        let mut gradient = Gradient::default();
        for call in 0..10_000 {
            gradient.sample(
                Sample { took: 1_000, in_flight: 3, dropped: false },
                4,
                1_000,
                1_000 + call * 10,
            );
        }
        assert_eq!(gradient.limit(4, 1_000, 101_000), 20);
    }

    #[test]
    fn calls_that_are_dropped_lower_it() {
        let mut gradient = Gradient::default();
        let call = |dropped, in_flight| Sample { took: 1_000, in_flight, dropped };
        (0..30).for_each(|moment| gradient.sample(call(false, 1), 4, 1_000, 1_000 + moment * 10));
        assert_eq!(gradient.limit(4, 1_000, 1_300), 20);
        (30..2_000).for_each(|moment| gradient.sample(call(true, 100), 4, 1_000, 1_000 + moment * 10));
        assert_eq!(gradient.limit(4, 1_000, 21_000), 4);
    }

    #[test]
    fn a_service_that_was_dead_is_no_faster_for_that() {
        let (mut gradient, mut server) = (Gradient::default(), Server::new(40, 10_000));
        let well = overload(&mut gradient, &mut server, 1_000_000, 20).limit;
        for moment in 0..1_000 {
            let refused = Sample { took: 50, in_flight: 4, dropped: true };
            gradient.sample(refused, 4, 1_000, 21_000 + moment * 10);
        }
        assert_eq!(gradient.limit(4, 1_000, 31_000), 4);
        let back = overload(&mut gradient, &mut Server::new(40, 10_000), 31_000_000, 5).limit;
        assert!(back * 10 >= well * 8, "{back} of {well}");
    }

    #[test]
    fn calls_that_never_end_hold_it_down_for_a_second_at_most() {
        let mut gradient = Gradient::default();
        let call = |in_flight| Sample { took: 1_000, in_flight, dropped: false };
        // Eleven are there for good; others come and go.
        gradient.sample(call(12), 4, 1_000, 1_000);
        assert_eq!((gradient.limit(4, 1_000, 2_000), gradient.limit(4, 1_000, 2_001)), (4, 20));
        let held = (0..2_000).filter(|moment| {
            let now = 2_001 + moment * 100;
            gradient.sample(call(12), 4, 1_000, now);
            gradient.limit(4, 1_000, now) < 12
        });
        // Once a minute.
        assert!(held.count() <= 3 * 11);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            samples in proptest::collection::vec((0u64..10_000_000, 0u32..5_000, any::<bool>(), 0u64..5_000), 0..500),
            least in 0u32..50,
            most in 0u32..500,
        ) {
            let (mut gradient, mut now) = (Gradient::default(), 1);
            for (took, in_flight, dropped, wait) in samples {
                now += wait;
                gradient.sample(Sample { took, in_flight, dropped }, least, most, now);
                let limit = gradient.limit(least, most, now);
                prop_assert!(limit >= 1 && limit <= most.max(least).max(1), "{limit}");
            }
        }
    }
}
