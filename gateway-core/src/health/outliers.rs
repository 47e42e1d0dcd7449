//! Who does worse than the others.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// When an endpoint that answers is out all the same, as it fails more often than its peers: Envoy's outlier detection by
/// success rate and by failure percentage, with Envoy's names and defaults.
///
/// ```
/// use gateway_core::health::{Outliers, Tally};
///
/// let outliers = Outliers { deviations: Some(1.9), ..Outliers::default() };
/// let mut tallies = [Tally { requests: 200, failures: 1 }; 6];
/// assert!(outliers.find(&tallies).is_empty());
/// // One of six fails every fifth time.
/// tallies[4].failures = 40;
/// assert_eq!(outliers.find(&tallies), [4]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outliers {
    /// How often endpoints are compared, by what they did since the last time. Default 10 s.
    pub interval: Duration,
    /// So many endpoints must have had enough requests. Default 5.
    pub minimum_hosts: u32,
    /// So many requests in an interval are enough. Default 100.
    pub minimum_requests: u32,
    /// Out is whose share of successes is more than so many standard deviations below the mean of all. Of n endpoints
    /// none can be more than √(n-1) of them away, so that 1.9 says nothing of fewer than five. Default none: nobody.
    pub deviations: Option<f64>,
    /// Out is who failed so many percent of its requests or more. Default none: nobody.
    pub failure_percent: Option<u8>,
}

impl Default for Outliers {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            minimum_hosts: 5,
            minimum_requests: 100,
            deviations: None,
            failure_percent: None,
        }
    }
}

/// What an endpoint did in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were its to answer.
    pub requests: u32,
    /// How many of them failed.
    pub failures: u32,
}

impl Tally {
    /// The share of its requests that went well, 0 to 1.
    fn success_rate(self) -> f64 {
        1.0 - f64::from(self.failures.min(self.requests)) / f64::from(self.requests.max(1))
    }
}

impl Outliers {
    /// The indices of those that are out by what all did, the worst first. Whose place takes no requests stands there with
    /// an empty tally.
    #[must_use]
    pub fn find(&self, tallies: &[Tally]) -> Vec<usize> {
        let enough = |tally: &Tally| tally.requests >= self.minimum_requests.max(1);
        let indexed = tallies.iter().enumerate().filter(|(_, tally)| enough(tally));
        let mut rates: Vec<_> = indexed.map(|(index, tally)| (index, tally.success_rate())).collect();
        let hosts = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        if hosts < self.minimum_hosts.max(1) {
            return Vec::new();
        }
        let least = self.least(&rates);
        // At or above the percentage, as Envoy has it.
        let most_failures = self.failure_percent.map(|percent| f64::from(percent) / 100.0);
        rates.retain(|(_, rate)| *rate < least || most_failures.is_some_and(|most| 1.0 - rate >= most));
        rates.sort_by(|one, other| one.1.total_cmp(&other.1));
        rates.into_iter().map(|(index, _)| index).collect()
    }

    /// Whose rate is below is an outlier among these.
    #[expect(clippy::cast_precision_loss, reason = "endpoints are far fewer than 2^52")]
    fn least(&self, rates: &[(usize, f64)]) -> f64 {
        let Some(deviations) = self.deviations else { return f64::NEG_INFINITY };
        let count = rates.len() as f64;
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
        let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
        mean - deviations * variance.sqrt()
    }
}

/// Counts what one endpoint does, from any thread: one atomic addition a request, no lock.
#[derive(Debug, Default)]
pub struct Counter(
    /// Failures in the upper half, requests in the lower one.
    AtomicU64,
);

const FAILURE: u64 = 1 << 32;

impl Counter {
    /// One request more.
    #[inline]
    pub fn add(&self, failed: bool) {
        self.0.fetch_add(if failed { FAILURE + 1 } else { 1 }, Relaxed);
    }

    /// What was counted since the last time.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken apart from the other")]
    pub fn take(&self) -> Tally {
        let counted = self.0.swap(0, Relaxed);
        Tally { requests: counted as u32, failures: (counted >> 32) as u32 }
    }
}

/// When endpoints are compared next: one of all who ask is told that it is time.
#[derive(Debug, Default)]
pub struct Rounds(
    /// Milliseconds; 0: nobody has asked yet.
    AtomicU64,
);

impl Rounds {
    /// Whether an interval is over, said to one who asks. The first one begins with the first question.
    #[inline]
    pub fn is_over(&self, interval: u64, now: u64) -> bool {
        let due = self.0.load(Relaxed);
        now >= due && self.turn(due, interval, now)
    }

    #[cold]
    fn turn(&self, due: u64, interval: u64, now: u64) -> bool {
        let next = now.saturating_add(interval).max(1);
        self.0.compare_exchange(due, next, Relaxed, Relaxed).is_ok() && due > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Counter, Outliers, Rounds, Tally};

    fn tally(requests: u32, failures: u32) -> Tally {
        Tally { requests, failures }
    }

    const BY_RATE: Outliers = Outliers {
        interval: std::time::Duration::from_secs(10),
        minimum_hosts: 5,
        minimum_requests: 100,
        deviations: Some(1.9),
        failure_percent: None,
    };

    #[test]
    fn of_five_the_one_that_always_fails_is_out_and_of_four_nobody() {
        let mut five = [tally(100, 0); 5];
        five[2].failures = 100;
        assert_eq!(BY_RATE.find(&five), [2]);
        let hosts = Outliers { minimum_hosts: 1, ..BY_RATE };
        assert!(hosts.find(&five[..4]).is_empty(), "√3 is less than 1.9");
        let closer = Outliers { deviations: Some(1.5), ..hosts };
        assert_eq!(closer.find(&five[..4]), [2]);
    }

    #[test]
    fn who_has_few_requests_is_neither_compared_nor_out() {
        let mut six = [tally(100, 0); 6];
        six[0] = tally(99, 99);
        assert!(BY_RATE.find(&six).is_empty());
        // Nor does it make up the number of hosts.
        assert!(BY_RATE.find(&[six[0], six[0], tally(100, 100), six[1], six[2], six[3]]).is_empty());
        six[0] = tally(100, 100);
        assert_eq!(BY_RATE.find(&six), [0]);
    }

    #[test]
    fn where_all_fail_alike_nobody_is_out_by_rate_and_all_are_by_percentage() {
        let all = [tally(100, 90); 6];
        assert!(BY_RATE.find(&all).is_empty());
        let by_percent = Outliers { failure_percent: Some(90), ..Outliers::default() };
        assert_eq!(by_percent.find(&all).len(), 6);
        assert!(Outliers { failure_percent: Some(91), ..by_percent }.find(&all).is_empty());
        assert!(Outliers::default().find(&all).is_empty(), "off");
    }

    #[test]
    fn a_counter_begins_anew_once_it_is_taken() {
        let counter = Counter::default();
        for number in 0..10 {
            counter.add(number % 5 == 0);
        }
        assert_eq!(counter.take(), tally(10, 2));
        assert_eq!(counter.take(), Tally::default());
    }

    #[test]
    fn one_of_all_is_told_that_an_interval_is_over() {
        let rounds = Rounds::default();
        let told = (0..4_000).filter(|now| rounds.is_over(1_000, 500 + now)).count();
        assert_eq!(told, 3);
        assert!(!Rounds::default().is_over(1_000, 0), "the first question begins it");
    }

    proptest! {
        #[test]
        fn who_is_out_does_worse_than_all_others(
            tallies in proptest::collection::vec((0u32..400, 0u32..400), 0..40),
            deviations in proptest::option::of(0.1f64..4.0),
            failure_percent in proptest::option::of(1u8..=100),
            minimum_hosts in 0u32..8,
            minimum_requests in 0u32..200,
        ) {
            let tallies: Vec<_> =
                tallies.iter().map(|(one, other)| tally(*one.max(other), *one.min(other))).collect();
            let interval = BY_RATE.interval;
            let outliers = Outliers { interval, minimum_hosts, minimum_requests, deviations, failure_percent };
            let out = outliers.find(&tallies);
            let compared = |index: &usize| tallies[*index].requests >= minimum_requests.max(1);
            let all: Vec<_> = (0..tallies.len()).filter(compared).collect();
            prop_assert!(out.iter().all(compared));
            prop_assert!(out.is_empty() || all.len() >= minimum_hosts as usize);
            // The worst first, and nobody who stays does worse than anybody who goes.
            let rate = |index: &usize| tallies[*index].success_rate();
            prop_assert!(out.is_sorted_by(|one, other| rate(one) <= rate(other)));
            let worst_that_stays =
                all.iter().filter(|index| !out.contains(index)).map(rate).fold(f64::INFINITY, f64::min);
            prop_assert!(out.iter().all(|index| rate(index) < worst_that_stays));
            // By rate alone never all, and never more than Chebyshev's inequality allows below the mean.
            if let (Some(deviations), None) = (deviations, failure_percent) {
                let most = all.len() as f64 / (1.0 + deviations * deviations);
                prop_assert!(out.len() as f64 <= most + 1e-6, "{} of {}", out.len(), all.len());
            }
        }
    }
}
