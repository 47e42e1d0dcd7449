//! When a breaker opens, and how it closes again.

use std::time::Duration;

/// When a breaker opens, and how it closes again. Names are resilience4j's and Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How far back calls count, to a tenth of it. Default 10 s.
    pub window: Duration,
    /// In place of that so many calls count, to a tenth of them, however long ago they were; 0: by time. At least 10 count.
    /// Default 0.
    pub window_calls: u32,
    /// So many calls must be in the window before shares count. Default 20.
    pub minimum: u32,
    /// Opens once this share of them has failed, in percent; 0: never. Default 50.
    pub failure_percent: u8,
    /// Opens once this share of them was slow, in percent; 0: never. Default 0.
    pub slow_percent: u8,
    /// A call that takes longer is slow. Default 60 s.
    pub slow_after: Duration,
    /// Opens after so many failures in a row, few calls or many; 0: never. Default 5.
    pub consecutive: u32,
    /// How long it is open at first; each time in a row twice as long. Default 5 s.
    pub open_for: Duration,
    /// The longest it is open. Default 60 s.
    pub max_open: Duration,
    /// So many calls may try at a time while it is half-open, and so many must succeed in a row for it to close.
    /// At least 1 counts. Default 3.
    pub probes: u32,
    /// Over so long it comes back to letting all calls in once it closes, from a tenth on in a straight line. Default 0: at
    /// once.
    pub ramp: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            window_calls: 0,
            minimum: 20,
            failure_percent: 50,
            slow_percent: 0,
            slow_after: Duration::from_secs(60),
            consecutive: 5,
            open_for: Duration::from_secs(5),
            max_open: Duration::from_secs(60),
            probes: 3,
            ramp: Duration::ZERO,
        }
    }
}

/// All, in thousandths.
pub(super) const WHOLE: u64 = 1_000;
/// What a ramp begins with.
const LEAST: u64 = 100;
/// Beyond that a ramp is told from none by nobody, and no product overflows.
const MOST_AGE: u64 = 1 << 50;

impl Settings {
    /// How long the `count`-th opening in a row lasts, in milliseconds.
    #[must_use]
    pub fn opening(&self, count: u32) -> u64 {
        let doubled = 1u32.checked_shl(count.saturating_sub(1)).unwrap_or(u32::MAX);
        millis(self.open_for.saturating_mul(doubled).min(self.max_open))
    }

    /// Which part of the calls is let in `age` milliseconds after it closed, in thousandths; none: all.
    #[must_use]
    pub(super) fn ramp_at(&self, age: u64) -> Option<u64> {
        let ramp = millis(self.ramp);
        (age < ramp).then(|| LEAST + (WHOLE - LEAST) * age.min(MOST_AGE) / ramp.clamp(1, MOST_AGE))
    }

    /// Whether a call of this length is slow.
    #[must_use]
    pub fn is_slow(&self, took: Duration) -> bool {
        self.slow_percent > 0 && took > self.slow_after
    }
}

/// A duration in milliseconds; what does not fit is for ever.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn openings_double_up_to_the_cap() {
        let settings = Settings::default();
        let times: Vec<_> = [0, 1, 2, 3, 4, 5, 31, 32, 33, u32::MAX].map(|n| settings.opening(n)).into();
        assert_eq!(times, [5_000, 5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
    }
}
