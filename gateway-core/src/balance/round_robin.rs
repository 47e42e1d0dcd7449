//! Weighted round robin, smooth as nginx's: 3:1 comes out as a-a-b-a, never a-a-a-b in a row
//! longer than the weights force.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Balancer, Pick};

/// Endpoints in turn, each as often as its weight says.
///
/// The whole turn is laid out once, so a pick is one addition and one look-up. Each shard
/// has its own place in the turn: workers do not share a cache line.
///
/// ```
/// use gateway_core::balance::{Balancer, Pick, RoundRobin};
///
/// let balancer = RoundRobin::new(&[2, 1], 1);
/// let turn: Vec<_> = (0..3).filter_map(|_| balancer.pick(&Pick::any(0))).collect();
/// assert_eq!(turn, [0, 1, 0]);
/// // The first one has been tried already.
/// assert_eq!(balancer.pick(&Pick::but(0, &|index| index == 0)), Some(1));
/// ```
#[derive(Debug)]
pub struct RoundRobin {
    turn: Box<[u32]>,
    cursors: Box<[Cursor]>,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Cursor(AtomicUsize);

/// The longest turn; weights that need a longer one are scaled down.
const LONGEST_TURN: u64 = 1 << 16;

impl RoundRobin {
    /// Over endpoints with these weights, for `shards` workers. Weight 0 is never picked.
    #[must_use]
    pub fn new(weights: &[u16], shards: usize) -> Self {
        let turn = lay_out(&scale(weights));
        let stride = turn.len().max(1) / shards.max(1);
        // Workers start apart, so that few requests over many workers still spread.
        let cursors =
            (0..shards.max(1)).map(|shard| Cursor(AtomicUsize::new(shard * stride.max(1)))).collect();
        Self { turn, cursors }
    }

    /// The same with other weights. Each worker goes on from where it is, so that a change which comes often
    /// does not always favour the first ones.
    #[must_use]
    pub fn with_weights(&self, weights: &[u16]) -> Self {
        let place = |cursor: &Cursor| Cursor(AtomicUsize::new(cursor.0.load(Ordering::Relaxed)));
        Self { turn: lay_out(&scale(weights)), cursors: self.cursors.iter().map(place).collect() }
    }

    /// One by lot, each as likely as its weight says.
    pub(super) fn draw(&self, pick: &Pick<'_>) -> Option<usize> {
        let length = self.turn.len() as u64;
        // The high half of the product is evenly spread, without a division.
        let start = (u128::from(pick.random) * u128::from(length)) >> 64;
        self.at(usize::try_from(start).ok()?, pick)
    }

    /// The one at a place of the turn, or the next that is not ruled out.
    fn at(&self, start: usize, pick: &Pick<'_>) -> Option<usize> {
        let Some(excluded) = pick.excluded else { return self.turn.get(start).map(|index| *index as usize) };
        let (before, after) = self.turn.split_at_checked(start)?;
        after.iter().chain(before).map(|index| *index as usize).find(|index| !excluded(*index))
    }
}

impl Balancer for RoundRobin {
    fn pick(&self, pick: &Pick<'_>) -> Option<usize> {
        let length = self.turn.len();
        let cursor = self.cursors.get(pick.shard % self.cursors.len())?;
        if length == 0 {
            return None;
        }
        self.at(cursor.0.fetch_add(1, Ordering::Relaxed) % length, pick)
    }
}

/// Weights divided by their greatest common divisor, and further where the turn would be too long.
fn scale(weights: &[u16]) -> Vec<u64> {
    let divisor = weights.iter().fold(0, |a, b| gcd(a, u64::from(*b))).max(1);
    let total: u64 = weights.iter().map(|weight| u64::from(*weight) / divisor).sum();
    let shrink = total.div_ceil(LONGEST_TURN).max(1);
    weights.iter().map(|weight| (u64::from(*weight) / divisor).div_ceil(shrink)).collect()
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Earliest deadline first: the k-th pick of an endpoint is due at (k + 1/2) / weight.
fn lay_out(weights: &[u64]) -> Box<[u32]> {
    let total: u64 = weights.iter().sum();
    // Due times are exact fractions of a turn, compared as integers.
    let due = |count: u64, weight: u64| (2 * count + 1) * (1 << 40) / weight;
    let mut queue: BinaryHeap<_> = (0u32..)
        .zip(weights)
        .filter(|(_, weight)| **weight > 0)
        .map(|(index, weight)| Reverse((due(0, *weight), index, 0, *weight)))
        .collect();
    let mut turn = Vec::with_capacity(usize::try_from(total).unwrap_or_default());
    while let Some(Reverse((_, index, count, weight))) = queue.pop() {
        turn.push(index);
        if count + 1 < weight {
            queue.push(Reverse((due(count + 1, weight), index, count + 1, weight)));
        }
    }
    turn.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Balancer, Pick},
        RoundRobin,
    };

    fn picks(balancer: &RoundRobin, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| balancer.pick(&Pick::any(0))).collect()
    }

    #[test]
    fn weights_interleave() {
        assert_eq!(picks(&RoundRobin::new(&[3, 1], 1), 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(picks(&RoundRobin::new(&[100, 100], 1), 4), [0, 1, 0, 1]);
    }

    #[test]
    fn weight_zero_gets_nothing() {
        assert_eq!(picks(&RoundRobin::new(&[0, 5], 1), 3), [1, 1, 1]);
        assert!(picks(&RoundRobin::new(&[0, 0], 1), 3).is_empty());
        assert!(picks(&RoundRobin::new(&[], 1), 3).is_empty());
    }

    #[test]
    fn the_excluded_are_passed_over() {
        let balancer = RoundRobin::new(&[1, 1, 1], 1);
        for _ in 0..6 {
            assert_ne!(balancer.pick(&Pick::but(0, &|index| index == 1)), Some(1));
        }
        assert_eq!(balancer.pick(&Pick::but(0, &|_| true)), None);
    }

    proptest! {
        #[test]
        fn a_turn_counts_exactly_what_the_weights_say(weights in proptest::collection::vec(0u16..50, 1..6)) {
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let balancer = RoundRobin::new(&weights, 1);
            let turn = picks(&balancer, usize::try_from(total).unwrap());
            for (index, weight) in weights.iter().enumerate() {
                prop_assert_eq!(turn.iter().filter(|pick| **pick == index).count(), usize::from(*weight));
            }
        }
    }

    #[test]
    fn extreme_weights_keep_the_turn_short() {
        let balancer = RoundRobin::new(&[65_535, 1, 32_767, 65_521], 1);
        assert!(balancer.turn.len() <= super::LONGEST_TURN as usize + 4);
        assert!(balancer.turn.contains(&1));
    }
}
