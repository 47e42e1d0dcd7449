//! How long answers took.

use std::time::Duration;

/// How many answers took how long, to a tenth: each bucket reaches a tenth further than the one before.
#[derive(Clone, Debug)]
pub struct Times([u32; BUCKETS]);

/// From a tenth of a millisecond to an hour.
const BUCKETS: usize = 184;
const FIRST: f64 = 0.000_1;
const STEP: f64 = 1.1;

impl Default for Times {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Times {
    /// One more answer.
    pub fn add(&mut self, took: Duration) {
        if let Some(count) = self.0.get_mut(bucket(took)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time that so many percent of all answers stay below; none where there are none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts are far below 2^52"
    )]
    pub fn quantile(all: [&Self; 2], percent: f64) -> Option<Duration> {
        let total: u64 = all.iter().map(|times| times.count()).sum();
        let mut left = (total as f64 * percent / 100.0).ceil() as u64;
        for at in 0..BUCKETS {
            let count: u64 =
                all.iter().filter_map(|times| times.0.get(at)).map(|count| u64::from(*count)).sum();
            if count > 0 && left <= count {
                return Some(end_of(at));
            }
            left = left.saturating_sub(count);
        }
        None
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn bucket(took: Duration) -> usize {
    let steps = (took.as_secs_f64() / FIRST).ln() / STEP.ln();
    (steps.max(0.0) as usize).min(BUCKETS - 1)
}

/// Where a bucket ends.
fn end_of(bucket: usize) -> Duration {
    let steps = i32::try_from(bucket + 1).unwrap_or(i32::MAX);
    Duration::from_secs_f64(FIRST * STEP.powi(steps))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Times;

    #[test]
    fn a_quantile_is_right_to_a_tenth() {
        let (mut times, none) = (Times::default(), Times::default());
        assert_eq!(Times::quantile([&times, &none], 90.0), None);
        (1..=100).for_each(|millis| times.add(Duration::from_millis(millis)));
        for percent in [10.0, 50.0, 90.0, 99.0] {
            let found = Times::quantile([&none, &times], percent).unwrap().as_secs_f64() * 1_000.0;
            assert!((percent..=percent * 1.1 + 0.1).contains(&found), "{percent}: {found}");
        }
    }

    proptest! {
        #[test]
        fn so_many_stay_below_it(millis in proptest::collection::vec(1u64..100_000, 1..200), percent in 1.0f64..100.0) {
            let (mut times, none) = (Times::default(), Times::default());
            millis.iter().for_each(|millis| times.add(Duration::from_millis(*millis)));
            let limit = Times::quantile([&times, &none], percent).unwrap();
            let below = millis.iter().filter(|millis| Duration::from_millis(**millis) <= limit).count();
            prop_assert!(below as f64 >= millis.len() as f64 * percent / 100.0 - 1e-6);
        }
    }
}
