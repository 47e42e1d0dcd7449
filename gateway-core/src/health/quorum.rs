//! Whether what is left of an upstream is enough.

/// What an upstream needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quorum {
    /// More than this percentage of the weight must be available, 0 to 100 (Kong's `threshold`).
    pub threshold: f64,
    /// Below this percentage health is not looked at; 0: never.
    pub panic_threshold: u8,
}

/// How an upstream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Those that are available take the requests.
    Enough,
    /// Too few are available: all take requests, well or not.
    Panic,
    /// Not enough weight is available.
    BelowThreshold,
    /// Nothing is available.
    AllUnhealthy,
}

impl Quorum {
    /// How an upstream stands of whose weight `total`, which is not 0, so much is available. The share must be
    /// strictly greater than the threshold (compat S10).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "weights are at most 65,535 each")]
    pub fn standing(&self, available: u64, total: u64) -> Standing {
        let percent = available as f64 * 100.0 / total.max(1) as f64;
        if percent < f64::from(self.panic_threshold) {
            Standing::Panic
        } else if available == 0 {
            Standing::AllUnhealthy
        } else if percent > self.threshold {
            Standing::Enough
        } else {
            Standing::BelowThreshold
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Quorum, Standing};

    #[test]
    fn the_share_must_be_greater_than_the_threshold_s10() {
        let half = Quorum { threshold: 50.0, panic_threshold: 0 };
        assert_eq!(half.standing(51, 100), Standing::Enough);
        assert_eq!(half.standing(50, 100), Standing::BelowThreshold);
        assert_eq!(half.standing(0, 100), Standing::AllUnhealthy);
        let none = Quorum { threshold: 0.0, panic_threshold: 0 };
        assert_eq!(none.standing(1, 65_535), Standing::Enough);
        assert_eq!(none.standing(0, 1), Standing::AllUnhealthy);
        assert_eq!(Quorum { threshold: 100.0, ..none }.standing(1, 1), Standing::BelowThreshold);
    }

    #[test]
    fn in_panic_all_are_taken() {
        let quorum = Quorum { threshold: 10.0, panic_threshold: 50 };
        assert_eq!(quorum.standing(0, 4), Standing::Panic);
        assert_eq!(quorum.standing(1, 4), Standing::Panic);
        assert_eq!(quorum.standing(2, 4), Standing::Enough);
    }
}
