//! Lowest latency, by peak EWMA and the power of two choices.

use std::sync::Arc;

use super::{
    Balancer, Load, Pick,
    two_choices::{Member, TwoChoices},
};

/// Of two endpoints the one that answers sooner: the moving average of its latency, times the requests that
/// would then be under way, for its weight. The two are the one whose turn it is and one by lot. An endpoint
/// that was not measured yet counts as fast as the other, so that a new one gets no more than its share.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::balance::{Balancer, Latency, Load, Pick};
///
/// let loads = [Arc::new(Load::default()), Arc::new(Load::default())];
/// let balancer = Latency::new(&loads, &[1, 1], 1);
/// loads[0].observe(80_000, 1);
/// loads[1].observe(1_000, 1);
/// assert_eq!(balancer.pick(&Pick::any(0).drawing(u64::MAX).at(2)), Some(1));
/// ```
#[derive(Debug)]
pub struct Latency<M>(TwoChoices<M>);

impl<M: AsRef<Load>> Latency<M> {
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

/// Whether one endpoint is likely to answer sooner than another.
fn is_faster<M: AsRef<Load>>(one: &Member<M>, other: &Member<M>, now: u64) -> bool {
    let latency = |member: &Arc<M>| member.as_ref().as_ref().latency(now);
    let (own, others) = match (latency(&one.0), latency(&other.0)) {
        (Some(one), Some(other)) => (one, other),
        // As fast as each other.
        _ => (1.0, 1.0),
    };
    cost(own, one) < cost(others, other)
}

/// What one more request would wait for.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^23")]
fn cost<M: AsRef<Load>>(latency: f32, (member, weight): &Member<M>) -> f32 {
    let busy = member.as_ref().as_ref().in_flight() + 1;
    latency * busy as f32 / f32::from(*weight)
}

impl<M: AsRef<Load> + Send + Sync + 'static> Balancer for Latency<M> {
    fn pick(&self, pick: &Pick<'_>) -> Option<usize> {
        self.0.pick(pick, |drawn, next| is_faster(drawn, next, pick.now))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{Balancer, Load, Pick},
        Latency,
    };

    fn loads(count: usize) -> Vec<Arc<Load>> {
        (0..count).map(|_| Arc::new(Load::default())).collect()
    }

    /// How many of a thousand picks fall on each.
    fn shares(balancer: &Latency<Load>, count: usize) -> Vec<usize> {
        let mut random = fastrand::Rng::with_seed(7);
        let mut shares = vec![0; count];
        for _ in 0..1_000 {
            let pick = balancer.pick(&Pick::any(0).drawing(random.u64(..)).at(10)).unwrap();
            shares[pick] += 1;
        }
        shares
    }

    #[test]
    fn the_slow_one_is_taken_only_where_both_choices_are_it() {
        let loads = loads(4);
        for (load, micros) in loads.iter().zip([90_000, 1_000, 1_000, 1_000]) {
            load.observe(micros, 10);
        }
        let shares = shares(&Latency::new(&loads, &[1, 1, 1, 1], 1), 4);
        // A sixteenth in the mean, against a quarter in turn.
        assert!(shares[0] < 120, "{shares:?}");
    }

    #[test]
    fn a_new_one_gets_its_share_and_no_more() {
        let loads = loads(4);
        loads[1..].iter().for_each(|load| load.observe(1_000, 10));
        let shares = shares(&Latency::new(&loads, &[1, 1, 1, 1], 1), 4);
        assert!((200..300).contains(&shares[0]), "{shares:?}");
    }

    #[test]
    fn requests_under_way_count_as_waiting() {
        let loads = loads(2);
        loads.iter().for_each(|load| load.observe(1_000, 10));
        (0..5).for_each(|_| loads[0].enter());
        let balancer = Latency::new(&loads, &[1, 1], 1);
        assert_eq!(balancer.pick(&Pick::any(0).drawing(u64::MAX).at(10)), Some(1));
    }

    #[test]
    fn none_is_left_where_all_are_excluded() {
        let balancer = Latency::new(&loads(2), &[1, 1], 1);
        assert_eq!(balancer.pick(&Pick::but(0, &|_| true)), None);
        assert_eq!(Latency::<Load>::new(&[], &[], 1).pick(&Pick::any(0)), None);
    }
}
