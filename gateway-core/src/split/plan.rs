//! How the share of a canary grows.

use super::Share;

/// How the share of a canary grows. Times are seconds of whatever clock, the same at each call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Not at all.
    Fixed(Share),
    /// From nothing at `start` to everything `duration` later, in so many equal steps.
    Steps {
        /// When it begins.
        start: u64,
        /// From the beginning to the last step. 0: everything at once.
        duration: u64,
        /// How many there are, at least 1.
        steps: u32,
    },
}

impl Plan {
    /// The share at this moment.
    #[must_use]
    pub fn at(&self, now: u64) -> Share {
        match *self {
            Self::Fixed(share) => share,
            Self::Steps { start, .. } if now < start => Share::NONE,
            Self::Steps { start, duration, steps } => {
                let gone = u128::from(now - start).min(u128::from(duration));
                let steps = u128::from(steps.max(1));
                let step = if duration == 0 { steps } else { gone * steps / u128::from(duration) };
                Share::of(u64::try_from(step).unwrap_or(u64::MAX), u64::try_from(steps).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Plan, Share};

    #[test]
    fn it_goes_in_steps_from_nothing_to_everything() {
        let plan = Plan::Steps { start: 100, duration: 40, steps: 4 };
        let percents =
            [0, 99, 100, 109, 110, 119, 120, 130, 139, 140, 9_999].map(|now| plan.at(now).percent());
        assert_eq!(percents, [0.0, 0.0, 0.0, 0.0, 25.0, 25.0, 50.0, 75.0, 75.0, 100.0, 100.0]);
        let at_once = Plan::Steps { start: 100, duration: 0, steps: 1_000 };
        assert_eq!((at_once.at(99), at_once.at(100)), (Share::NONE, Share::ALL));
        let fixed = Share::percents(7.0);
        assert_eq!(Plan::Fixed(fixed).at(u64::MAX), fixed);
    }

    proptest! {
        #[test]
        fn it_never_goes_back(start in 0u64..1_000, duration in 0u64..1_000, steps in 0u32..50, now in 0u64..3_000) {
            let plan = Plan::Steps { start, duration, steps };
            prop_assert!(plan.at(now) <= plan.at(now + 1));
            prop_assert_eq!(plan.at(start + duration), Share::ALL);
        }
    }
}
