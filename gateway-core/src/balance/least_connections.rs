//! Least connections, by the power of two choices.

use std::sync::Arc;

use super::{
    Balancer, Load, Pick,
    two_choices::{Member, TwoChoices},
};

/// Of two endpoints the one with fewer requests under way for its weight: the one whose turn it is, and one
/// by lot. Idle endpoints are taken in turn, as Kong does it (compat P37); under load two choices are
/// nearly as good as all (Mitzenmacher 2001), and cost the same for 2 endpoints as for 1,000.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::balance::{Balancer, LeastConnections, Load, Pick};
///
/// let loads = [Arc::new(Load::default()), Arc::new(Load::default())];
/// let balancer = LeastConnections::new(&loads, &[1, 1], 1);
/// loads[0].enter();
/// // The first one's turn, but the other one is idle.
/// assert_eq!(balancer.pick(&Pick::any(0).drawing(u64::MAX)), Some(1));
/// ```
#[derive(Debug)]
pub struct LeastConnections<M>(TwoChoices<M>);

impl<M: AsRef<Load>> LeastConnections<M> {
    /// Over endpoints with these weights, for `shards` workers. Weight 0 is never picked.
    #[must_use]
    pub fn new(members: &[Arc<M>], weights: &[u16], shards: usize) -> Self {
        Self(TwoChoices::new(members, weights, shards))
    }

    /// The same for other endpoints or weights.
    #[must_use]
    pub fn with_weights(&self, members: &[Arc<M>], weights: &[u16]) -> Self {
        Self(self.0.with_weights(members, weights))
    }
}

/// Whether one endpoint has fewer requests for its weight than another.
fn is_less_busy<M: AsRef<Load>>(one: &Member<M>, other: &Member<M>) -> bool {
    let busy = |member: &Arc<M>| member.as_ref().as_ref().in_flight() as u64;
    // one / its weight < other / its weight, without a division.
    busy(&one.0) * u64::from(other.1) < busy(&other.0) * u64::from(one.1)
}

impl<M: AsRef<Load> + Send + Sync + 'static> Balancer for LeastConnections<M> {
    fn pick(&self, pick: &Pick<'_>) -> Option<usize> {
        self.0.pick(pick, is_less_busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{
        super::{Balancer, Load, Pick},
        LeastConnections,
    };

    fn loads(count: usize) -> Vec<Arc<Load>> {
        (0..count).map(|_| Arc::new(Load::default())).collect()
    }

    fn random() -> fastrand::Rng {
        fastrand::Rng::with_seed(7)
    }

    #[test]
    fn idle_endpoints_alternate_p37() {
        let (loads, mut random) = (loads(2), random());
        let balancer = LeastConnections::new(&loads, &[100, 100], 1);
        let picks: Vec<_> =
            (0..6).filter_map(|_| balancer.pick(&Pick::any(0).drawing(random.u64(..)))).collect();
        assert_eq!(picks, [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn the_excluded_and_the_weightless_get_nothing() {
        let (loads, mut random) = (loads(3), random());
        let balancer = LeastConnections::new(&loads, &[1, 0, 1], 1);
        for _ in 0..50 {
            let pick = balancer.pick(&Pick::but(0, &|index| index == 0).drawing(random.u64(..)));
            assert_eq!(pick, Some(2));
        }
        assert_eq!(balancer.pick(&Pick::but(0, &|_| true)), None);
    }

    proptest! {
        /// Requests that never end: the counts come out as the weights, within what two choices allow.
        #[test]
        fn open_requests_spread_by_weight(
            weights in proptest::collection::vec(1u16..10, 2..8),
            seed: u64,
        ) {
            let (loads, mut random) = (loads(weights.len()), fastrand::Rng::with_seed(seed));
            let balancer = LeastConnections::new(&loads, &weights, 1);
            let total: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
            for _ in 0..50 * total {
                let pick = balancer.pick(&Pick::any(0).drawing(random.u64(..))).unwrap();
                loads[pick].enter();
            }
            for (load, weight) in loads.iter().zip(&weights) {
                let wanted = 50 * usize::from(*weight);
                let off = load.in_flight().abs_diff(wanted);
                prop_assert!(off <= 5 + wanted / 5, "{} of {wanted}", load.in_flight());
            }
        }
    }
}
