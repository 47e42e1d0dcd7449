//! Consistent hashing by a table, as Google's Maglev lays it out.

use std::sync::Arc;

use twox_hash::XxHash32;

use super::{Balancer, Pick, Place, RoundRobin};

/// Consistent hashing without a search: a table of 65,537 slots that the endpoints fill in turn, each in an order of its
/// own (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4).
///
/// It spreads values more evenly than a ring, and follows weights as they are now. When one of n endpoints goes, its
/// own values move, and a few of the others. A request without a hash is balanced in turn.
///
/// ```
/// use gateway_core::balance::{Balancer, Maglev, Pick, Place, hash};
///
/// let place = |port| Place { name: format!("10.0.0.1::{port}"), weight: 100 };
/// let table = Maglev::new(&[place(80), place(81)], 1);
/// let pick = Pick::any(0).hashed(Some(hash(b"alice")));
/// assert_eq!(table.pick(&pick), table.pick(&pick));
/// ```
#[derive(Debug)]
pub struct Maglev {
    orders: Arc<[Order]>,
    /// The owner of each slot; empty where there is none.
    slots: Box<[u32]>,
    turn: RoundRobin,
}

/// A prime, well above a hundred times as many endpoints as most upstreams have.
const SLOTS: u32 = 65_537;

/// The order in which an endpoint wants slots: from one on, always so many further.
#[derive(Clone, Copy, Debug)]
struct Order {
    from: u32,
    step: u32,
}

impl Order {
    fn of(name: &str) -> Self {
        let hash = |seed| XxHash32::oneshot(seed, name.as_bytes());
        Self { from: hash(0) % SLOTS, step: hash(1) % (SLOTS - 1) + 1 }
    }

    /// The slot wanted after so many others.
    fn at(self, number: u32) -> u32 {
        let wanted = u64::from(self.from) + u64::from(number) * u64::from(self.step);
        u32::try_from(wanted % u64::from(SLOTS)).unwrap_or_default()
    }
}

impl Maglev {
    /// A table over these endpoints, for `shards` workers.
    #[must_use]
    pub fn new(places: &[Place], shards: usize) -> Self {
        let weights: Vec<_> = places.iter().map(|place| place.weight).collect();
        let orders: Arc<[_]> = places.iter().map(|place| Order::of(&place.name)).collect();
        Self { slots: fill(&orders, &weights), orders, turn: RoundRobin::new(&weights, shards) }
    }

    /// The same endpoints with other weights.
    #[must_use]
    pub fn with_weights(&self, weights: &[u16]) -> Self {
        Self {
            slots: fill(&self.orders, weights),
            orders: Arc::clone(&self.orders),
            turn: self.turn.with_weights(weights),
        }
    }
}

impl Balancer for Maglev {
    fn pick(&self, pick: &Pick<'_>) -> Option<usize> {
        let Some(hash) = pick.hash else { return self.turn.pick(pick) };
        if self.slots.is_empty() {
            return None;
        }
        let (before, from) = self.slots.split_at_checked((hash % SLOTS) as usize)?;
        let mut owners = from.iter().chain(before).map(|owner| *owner as usize);
        owners.find(|owner| !pick.excludes(*owner))
    }
}

/// Each endpoint takes the next free slot of its order in turn, as often as its weight says.
fn fill(orders: &[Order], weights: &[u16]) -> Box<[u32]> {
    const FREE: u32 = u32::MAX;
    let most = weights.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return Box::default();
    }
    let mut slots = vec![FREE; SLOTS as usize];
    // Where each is in its order, and how much of its weight it has not used.
    let mut standing = vec![(0u32, 0u32); orders.len()];
    let mut left = SLOTS;
    while left > 0 {
        for ((owner, (order, weight)), (next, credit)) in
            (0u32..).zip(orders.iter().zip(weights)).zip(&mut standing)
        {
            *credit += u32::from(*weight);
            if *credit < u32::from(most) || left == 0 {
                continue;
            }
            *credit -= u32::from(most);
            // A prime number of slots: each order comes to every one of them.
            while let Some(slot) = slots.get_mut(order.at(*next) as usize) {
                *next += 1;
                if *slot == FREE {
                    *slot = owner;
                    left -= 1;
                    break;
                }
            }
        }
    }
    slots.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Balancer, Pick, Place, hash},
        Maglev, SLOTS,
    };

    fn places(weights: &[u16]) -> Vec<Place> {
        let place = |(number, weight): (usize, &u16)| Place {
            name: format!("10.0.{}.{}::8000", number / 250, number % 250 + 1),
            weight: *weight,
        };
        weights.iter().enumerate().map(place).collect()
    }

    fn owners(table: &Maglev, keys: u32) -> Vec<usize> {
        let key = |number: u32| Pick::any(0).hashed(Some(hash(&number.to_le_bytes())));
        (0..keys).filter_map(|number| table.pick(&key(number))).collect()
    }

    #[test]
    fn values_spread_as_weights_say() {
        let table = Maglev::new(&places(&[100, 300, 0, 200]), 1);
        let owners = owners(&table, 60_000);
        for (place, expected) in [(0, 10_000), (1, 30_000), (2, 0), (3, 20_000)] {
            let count = owners.iter().filter(|owner| **owner == place).count();
            assert!(count.abs_diff(expected) <= 600, "{place}: {count}");
        }
    }

    #[test]
    fn slots_differ_by_a_hundredth_at_most() {
        let table = Maglev::new(&places(&[100; 50]), 1);
        let mut counts = [0u32; 50];
        table.slots.iter().for_each(|owner| counts[*owner as usize] += 1);
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= SLOTS / 50 / 100, "{least} to {most}");
    }

    #[test]
    fn where_one_of_n_goes_about_one_value_of_n_moves() {
        let whole = Maglev::new(&places(&[100; 10]), 1);
        let mut weights = [100; 10];
        weights[3] = 0;
        let (before, after) = (owners(&whole, 20_000), owners(&whole.with_weights(&weights), 20_000));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        let own = before.iter().filter(|owner| **owner == 3).count();
        assert!(after.iter().all(|owner| *owner != 3));
        // Its own, and a few of the others: the paper measures the like.
        assert!(own <= moved && moved <= own + 20_000 / 25, "{moved} moved, {own} were its own");
    }

    #[test]
    fn who_was_tried_is_passed_over() {
        let table = Maglev::new(&places(&[1, 1, 1]), 1);
        for number in 0..200u32 {
            let hash = Some(hash(&number.to_le_bytes()));
            let first = table.pick(&Pick::any(0).hashed(hash)).unwrap();
            let second = table.pick(&Pick::but(0, &|index| index == first).hashed(hash)).unwrap();
            assert_ne!(first, second);
        }
        assert_eq!(table.pick(&Pick::but(0, &|_| true).hashed(Some(7))), None);
        assert_eq!(Maglev::new(&[], 1).pick(&Pick::any(0).hashed(Some(7))), None);
        assert_eq!(Maglev::new(&places(&[0]), 1).pick(&Pick::any(0)), None);
        assert!(table.pick(&Pick::any(0)).is_some(), "without a hash in turn");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_slot_has_an_owner_with_a_weight(weights in proptest::collection::vec(0u16..300, 1..30)) {
            let table = Maglev::new(&places(&weights), 1);
            let all = if weights.iter().any(|weight| *weight > 0) { SLOTS as usize } else { 0 };
            prop_assert_eq!(table.slots.len(), all);
            prop_assert!(table.slots.iter().all(|owner| weights[*owner as usize] > 0));
        }
    }
}
