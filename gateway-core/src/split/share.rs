//! Shares of all requests.

/// All lots there are.
const ALL: u64 = 1 << 32;

/// A share of all requests, in parts of 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u64);

impl Share {
    /// No request.
    pub const NONE: Self = Self(0);
    /// Every request.
    pub const ALL: Self = Self(ALL);

    /// `part` of `whole`; all where `whole` is 0 or less than `part`.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        if part >= whole {
            return Self::ALL;
        }
        let lots = u128::from(part) * u128::from(ALL) / u128::from(whole);
        Self(u64::try_from(lots).unwrap_or(ALL))
    }

    /// So many percent, from 0 to 100.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it is clamped, and 2^32 fits a double"
    )]
    pub fn percents(percent: f64) -> Self {
        Self((percent.clamp(0.0, 100.0) / 100.0 * ALL as f64).round() as u64)
    }

    /// The same in percent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^32 fits a double")]
    pub fn percent(self) -> f64 {
        self.0 as f64 * 100.0 / ALL as f64
    }

    /// Whether a lot belongs to it. What belongs to a share belongs to each greater one.
    #[must_use]
    pub fn has(self, lot: u32) -> bool {
        u64::from(lot) < self.0
    }
}

/// Shares of several destinations, which are all requests together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Where each share ends.
    ends: Box<[Share]>,
}

impl Shares {
    /// In proportion to these weights; none where they are all 0. Weight 0 gets nothing.
    #[must_use]
    pub fn new(weights: &[u16]) -> Option<Self> {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let end = |sum: &mut u64, weight: &u16| {
            *sum += u64::from(*weight);
            Some(Share::of(*sum, total))
        };
        (total > 0).then(|| Self { ends: weights.iter().scan(0, end).collect() })
    }

    /// The destination that a lot belongs to.
    #[must_use]
    pub fn of(&self, lot: u32) -> usize {
        // Few: a search by halves would cost more.
        self.ends.iter().take_while(|end| !end.has(lot)).count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Share, Shares};

    #[test]
    fn shares_of_nothing_are_none() {
        assert_eq!(Shares::new(&[]), None);
        assert_eq!(Shares::new(&[0, 0]), None);
    }

    #[test]
    fn the_edges_are_exact() {
        assert!(!Share::NONE.has(0) && Share::ALL.has(u32::MAX));
        assert_eq!((Share::percents(-1.0), Share::percents(101.0)), (Share::NONE, Share::ALL));
        assert_eq!((Share::of(1, 0), Share::of(3, 2)), (Share::ALL, Share::ALL));
        let half = Share::percents(50.0);
        assert!(half.has((1 << 31) - 1) && !half.has(1 << 31));
        assert_eq!(half, Share::of(1, 2));
    }

    proptest! {
        #[test]
        fn each_lot_has_one_owner_in_proportion_to_its_weight(
            weights in proptest::collection::vec(0u16..1_000, 1..6), lots in proptest::collection::vec(any::<u32>(), 64),
        ) {
            let Some(shares) = Shares::new(&weights) else { return Ok(()) };
            for lot in lots {
                let owner = shares.of(lot);
                prop_assert!(weights[owner] > 0);
                let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
                let before: u64 = weights[..owner].iter().map(|weight| u64::from(*weight)).sum();
                let place = (u128::from(lot) * u128::from(total)) >> 32;
                prop_assert!(u128::from(before) <= place + 1 && place <= u128::from(before + u64::from(weights[owner])));
            }
        }

        #[test]
        fn who_is_in_a_share_stays_as_it_grows(small in 0.0f64..100.0, more in 0.0f64..100.0, lot: u32) {
            let (small, large) = (Share::percents(small.min(more)), Share::percents(small.max(more)));
            prop_assert!(!small.has(lot) || large.has(lot));
        }
    }
}
