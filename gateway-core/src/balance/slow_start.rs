//! How much of its share an endpoint takes that has just come or come back.

use std::time::Duration;

/// How an endpoint that is new, or well again, comes to its full share: Envoy's slow start. Its readiness is
/// `(age / window) ^ (1 / aggression)`, and never less than the least.
///
/// ```
/// use std::time::Duration;
/// use gateway_core::balance::SlowStart;
///
/// let slow = SlowStart { window: Duration::from_secs(10), ..SlowStart::default() };
/// assert_eq!(slow.readiness(5_000), 0.5);
/// assert_eq!((slow.readiness(0), slow.readiness(10_000)), (0.1, 1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// For how long. Default 30 s.
    pub window: Duration,
    /// 1: in proportion to its age; above: faster at first; below: slower. Default 1.
    pub aggression: f64,
    /// What it takes at least, from 0 to 1. Default 0.1.
    pub least: f64,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), aggression: 1.0, least: 0.1 }
    }
}

impl SlowStart {
    /// The readiness of an endpoint that has been well for so many milliseconds: above 0, and 1 from the end of the
    /// window on.
    #[must_use]
    pub fn readiness(&self, age: u64) -> f64 {
        let gone = Duration::from_millis(age).as_secs_f64() / self.window.as_secs_f64();
        if !(0.0..1.0).contains(&gone) {
            return 1.0;
        }
        gone.powf(1.0 / self.aggression.max(0.01)).max(self.least).clamp(0.001, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::SlowStart;

    #[test]
    fn aggression_bends_the_way_up() {
        let of = |aggression| SlowStart { window: Duration::from_secs(100), aggression, least: 0.0 };
        assert!((of(2.0).readiness(25_000) - 0.5).abs() < 1e-9);
        assert!((of(0.5).readiness(50_000) - 0.25).abs() < 1e-9);
        assert!(of(1.0).readiness(0) > 0.0, "it gets something from the beginning");
        let none = SlowStart { window: Duration::ZERO, ..SlowStart::default() };
        assert!((none.readiness(0) - 1.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn it_never_goes_down(
            window in 0u64..100_000, aggression in 0.1f64..10.0, least in 0.0f64..1.0, age in 0u64..200_000,
        ) {
            let slow = SlowStart { window: Duration::from_millis(window), aggression, least };
            let (now, later) = (slow.readiness(age), slow.readiness(age + 100));
            prop_assert!(now > 0.0 && now <= later && later <= 1.0);
            prop_assert!(age < window || later >= 1.0);
        }
    }
}
