//! By lot.

use super::{Balancer, Pick, RoundRobin};

/// Endpoints by lot, each as likely as its weight says. It keeps nothing between two picks.
///
/// ```
/// use gateway_core::balance::{Balancer, Pick, Random};
///
/// let balancer = Random::new(&[1, 1]);
/// assert_eq!(balancer.pick(&Pick::any(0).drawing(0)), Some(0));
/// assert_eq!(balancer.pick(&Pick::any(0).drawing(u64::MAX)), Some(1));
/// ```
#[derive(Debug)]
pub struct Random {
    lots: RoundRobin,
}

impl Random {
    /// Over endpoints with these weights. Weight 0 is never picked.
    #[must_use]
    pub fn new(weights: &[u16]) -> Self {
        Self { lots: RoundRobin::new(weights, 1) }
    }
}

impl Balancer for Random {
    fn pick(&self, pick: &Pick<'_>) -> Option<usize> {
        self.lots.draw(pick)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Balancer, Pick},
        Random,
    };

    #[test]
    fn none_is_left_where_all_are_excluded() {
        assert_eq!(Random::new(&[1, 1]).pick(&Pick::but(0, &|_| true)), None);
        assert_eq!(Random::new(&[]).pick(&Pick::any(0)), None);
        assert_eq!(Random::new(&[0]).pick(&Pick::any(0)), None);
    }

    proptest! {
        #[test]
        fn lots_spread_evenly_give_each_its_share(weights in proptest::collection::vec(0u16..20, 1..6)) {
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            prop_assume!(total > 0);
            let balancer = Random::new(&weights);
            let rounds = 4 * total;
            let lots = (0..rounds).map(|lot| lot * (u64::MAX / rounds) + 1);
            let picks: Vec<_> =
                lots.filter_map(|lot| balancer.pick(&Pick::any(0).drawing(lot))).collect();
            for (index, weight) in weights.iter().enumerate() {
                let count = picks.iter().filter(|pick| **pick == index).count();
                let wanted = 4 * usize::from(*weight);
                // Rounding puts a lot at most across the border of each of its places.
                prop_assert!(count.abs_diff(wanted) <= 2 * usize::from(*weight), "{index}: {count} of {wanted}");
            }
        }
    }
}
