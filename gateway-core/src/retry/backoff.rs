//! How long to wait before the next try.

use std::time::Duration;

/// Exponential back-off with full jitter: a random time up to a bound that doubles with each try. Requests that
/// failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first wait; 0: nobody waits. Default 25 ms.
    pub base: Duration,
    /// The greatest bound. Default 250 ms.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(25), max: Duration::from_millis(250) }
    }
}

impl Backoff {
    /// How long to wait before the `retry`-th repetition, counted from 1, with this lot drawn.
    #[must_use]
    pub fn wait(&self, retry: u32, random: u64) -> Duration {
        let doubled = 1u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX);
        let bound = self.base.saturating_mul(doubled).min(self.max);
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random % micros.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Backoff;

    proptest! {
        #[test]
        fn no_wait_is_beyond_its_bound(retry in 0u32..100, random: u64, base in 0u64..1_000, max in 0u64..5_000) {
            let backoff = Backoff { base: Duration::from_millis(base), max: Duration::from_millis(max) };
            let wait = backoff.wait(retry, random);
            prop_assert!(wait <= backoff.max);
            prop_assert!(wait.as_millis() <= u128::from(base) << retry.saturating_sub(1).min(64));
        }
    }

    #[test]
    fn each_wait_may_be_twice_as_long_as_the_one_before() {
        for (retry, bound) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (40, 250), (u32::MAX, 250)] {
            let wait = |lot| Backoff::default().wait(retry, lot);
            assert_eq!(wait(bound * 1_000), Duration::from_millis(bound));
            assert_eq!(wait(bound * 1_000 + 1), Duration::ZERO);
        }
    }
}
