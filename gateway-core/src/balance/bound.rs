//! A bound on what one endpoint takes where hashes say who is asked.

use std::sync::Arc;

use super::{Balancer, Crowd, Load, Pick};

/// A bound on the requests under way to each endpoint: where one has more than so many percent of its share, requests
/// go on to the next one that the hash leads to (Mirrokni et al., "Consistent Hashing with Bounded Loads").
///
/// A value that everybody asks for then does not take its endpoint down, and the others stay where they are. At 125 no
/// endpoint has more than a quarter above the mean under way, rounded up.
#[derive(Debug)]
pub struct Bound<M> {
    members: Box<[(Arc<M>, u16)]>,
    total_weight: u64,
    percent: u16,
    crowd: Crowd,
}

impl<M: AsRef<Load>> Bound<M> {
    /// So many percent of the share of each endpoint, whose loads count in `crowd`.
    #[must_use]
    pub fn new(members: &[Arc<M>], weights: &[u16], percent: u16, crowd: &Crowd) -> Self {
        let member = |(member, weight): (&Arc<M>, &u16)| (Arc::clone(member), *weight);
        Self {
            members: members.iter().zip(weights).map(member).collect(),
            total_weight: weights.iter().map(|weight| u64::from(*weight)).sum(),
            percent,
            crowd: crowd.clone(),
        }
    }

    /// The same for other endpoints or weights.
    #[must_use]
    pub fn with_weights(&self, members: &[Arc<M>], weights: &[u16]) -> Self {
        Self::new(members, weights, self.percent, &self.crowd)
    }

    /// What `balancer` picks of those that have room; where nobody has, what it picks.
    pub fn pick(&self, balancer: &impl Balancer, pick: &Pick<'_>) -> Option<usize> {
        let all = self.crowd.in_flight() as u64 + 1;
        let first = balancer.pick(pick)?;
        if pick.hash.is_none() || self.has_room(first, all) {
            return Some(first);
        }
        let excluded = |index: usize| pick.excludes(index) || !self.has_room(index, all);
        balancer.pick(&Pick { excluded: Some(&excluded), ..*pick }).or(Some(first))
    }

    fn has_room(&self, index: usize, all: u64) -> bool {
        self.members.get(index).is_some_and(|(member, weight)| {
            let share = all.saturating_mul(u64::from(*weight)).saturating_mul(u64::from(self.percent));
            let room = share.div_ceil((self.total_weight * 100).max(1));
            (member.as_ref().as_ref().in_flight() as u64) < room
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{
        super::{HashRing, Load, Maglev, Pick, Place, hash},
        Bound, Crowd,
    };

    fn places(count: usize) -> Vec<Place> {
        (0..count).map(|number| Place { name: format!("10.0.0.{number}::80"), weight: 100 }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn nobody_has_more_than_a_quarter_above_the_mean_rounded_up(
            count in 2usize..12, keys in proptest::collection::vec((0u8..6, any::<bool>()), 1..200),
        ) {
            let crowd = Crowd::default();
            let members: Vec<_> = (0..count).map(|_| Arc::new(Load::in_crowd(&crowd))).collect();
            let weights = vec![100; count];
            let bound = Bound::new(&members, &weights, 125, &crowd);
            let (ring, maglev) = (HashRing::new(&places(count), count, 10_000, 1), Maglev::new(&places(count), 1));
            let mut under_way = Vec::new();
            for (key, by_ring) in keys {
                let pick = Pick::any(0).hashed(Some(hash(&[key])));
                let index = if by_ring { bound.pick(&ring, &pick) } else { bound.pick(&maglev, &pick) }.unwrap();
                members[index].enter();
                under_way.push(index);
                let total = under_way.len();
                prop_assert_eq!(crowd.in_flight(), total);
                prop_assert!(members[index].in_flight() <= (total * 125).div_ceil(count * 100));
                if total > 40 {
                    members[under_way.swap_remove(total / 2)].leave();
                }
            }
        }
    }

    #[test]
    fn a_value_stays_where_it_is_as_long_as_there_is_room() {
        let crowd = Crowd::default();
        let members: Vec<_> = (0..4).map(|_| Arc::new(Load::in_crowd(&crowd))).collect();
        let bound = Bound::new(&members, &[100; 4], 125, &crowd);
        let ring = HashRing::new(&places(4), 4, 10_000, 1);
        let pick = Pick::any(0).hashed(Some(hash(b"alice")));
        let home = bound.pick(&ring, &pick).unwrap();
        for _ in 0..20 {
            // Others are as busy: it stays.
            members.iter().for_each(|member| member.enter());
            assert_eq!(bound.pick(&ring, &pick), Some(home));
        }
        for _ in 0..8 {
            members[home].enter();
        }
        assert_ne!(bound.pick(&ring, &pick), Some(home), "28 of 88 are more than a quarter above 22");
        // Who is ruled out stays so, full or not.
        let only = |index| index != home;
        assert_eq!(bound.pick(&ring, &Pick { excluded: Some(&only), ..pick }), Some(home));
    }
}
