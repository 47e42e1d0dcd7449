//! Consistent hashing on Kong's ring.

use std::sync::Arc;

use twox_hash::XxHash32;

use super::{Balancer, Pick, RoundRobin};

/// What a value is on the ring: xxHash32, seed 0 (compat P48).
///
/// ```
/// assert_eq!(gateway_core::balance::hash(b"abc"), 0x32D1_53FF);
/// ```
#[must_use]
pub fn hash(value: &[u8]) -> u32 {
    XxHash32::oneshot(0, value)
}

/// One endpoint, as the ring is laid out by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What its points are named after: `ip::port`, with both colons (compat P48).
    pub name: String,
    /// Its share of the points; 0: none.
    pub weight: u16,
}

/// Consistent hashing: a request with the same hash goes to the same endpoint, and where that one is ruled out, to
/// the next down the ring. The ring is Kong's (compat P48), so a fleet may hold both for a while.
///
/// A request without a hash is balanced in turn. Endpoints that are down keep their points: while they are
/// away only their own requests move.
///
/// ```
/// use gateway_core::balance::{Balancer, HashRing, Pick, Place, hash};
///
/// let place = |port| Place { name: format!("10.0.0.1::{port}"), weight: 100 };
/// let ring = HashRing::new(&[place(80), place(81)], 2, 10_000, 1);
/// let pick = Pick::any(0).hashed(Some(hash(b"alice")));
/// assert_eq!(ring.pick(&pick), ring.pick(&pick));
/// ```
#[derive(Debug)]
pub struct HashRing {
    layout: Arc<Layout>,
    /// Whether each endpoint takes requests.
    open: Box<[bool]>,
    turn: RoundRobin,
}

/// Where the points are.
#[derive(Debug)]
struct Layout {
    slots: u32,
    /// The owner of each point, by slot.
    owners: Box<[u32]>,
    /// For each slot the point there, or the next one below.
    below: Box<[u32]>,
}

/// Points of an endpoint where all weights are equal.
const POINTS: f64 = 160.0;
/// The smallest ring.
const FEWEST_SLOTS: u32 = 1_000;

impl HashRing {
    /// A ring of `slots` slots over these endpoints, which belong to `targets` targets, for `shards` workers.
    ///
    /// The points of all places must fit; Kong gives up where they do not. Here each place then gets its share
    /// of half the slots.
    #[must_use]
    pub fn new(places: &[Place], targets: usize, slots: u32, shards: usize) -> Self {
        let weights: Vec<_> = places.iter().map(|place| place.weight).collect();
        Self {
            layout: Arc::new(Layout::new(places, targets, slots.max(FEWEST_SLOTS))),
            open: weights.iter().map(|weight| *weight > 0).collect(),
            turn: RoundRobin::new(&weights, shards),
        }
    }

    /// The same ring, on which only endpoints with a weight take requests.
    #[must_use]
    pub fn with_weights(&self, weights: &[u16]) -> Self {
        Self {
            layout: Arc::clone(&self.layout),
            open: weights.iter().map(|weight| *weight > 0).collect(),
            turn: self.turn.with_weights(weights),
        }
    }
}

impl Balancer for HashRing {
    fn pick(&self, pick: &Pick<'_>) -> Option<usize> {
        let Some(hash) = pick.hash else { return self.turn.pick(pick) };
        let is_open = |owner: &usize| self.open.get(*owner) == Some(&true) && !pick.excludes(*owner);
        self.layout.downwards(hash).find(is_open)
    }
}

impl Layout {
    fn new(places: &[Place], targets: usize, slots: u32) -> Self {
        let wanted = Self::wanted(places, targets);
        let points = place(places, &wanted, slots);
        points.map_or_else(|| Self::crowded(places, &wanted, slots), |points| Self::of(points, slots))
    }

    /// How many points each place gets.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Kong's arithmetic is in doubles, and rounds down"
    )]
    fn wanted(places: &[Place], targets: usize) -> Vec<u32> {
        let total: f64 = places.iter().map(|place| f64::from(place.weight)).sum();
        let share = |place: &Place| match place.weight {
            0 => 0,
            weight => ((f64::from(weight) / total * targets as f64 * POINTS).floor() as u32).max(1),
        };
        places.iter().map(share).collect()
    }

    /// A ring that is too small for the points that its places want.
    fn crowded(places: &[Place], wanted: &[u32], slots: u32) -> Self {
        let needed = u32::try_from(places.len()).unwrap_or(u32::MAX / 4).saturating_mul(4);
        let slots = slots.max(needed);
        let total: u64 = wanted.iter().map(|count| u64::from(*count)).sum();
        let fitting = |count: &u32| match count {
            0 => 0,
            count => u64::from(*count) * u64::from(slots / 2) / total.max(1),
        };
        let fewer: Vec<_> = wanted
            .iter()
            .map(|count| u32::try_from(fitting(count)).unwrap_or(u32::MAX).max(u32::from(*count > 0)))
            .collect();
        // At most three quarters full, so there is a free slot for every name.
        Self::of(place(places, &fewer, slots).unwrap_or_default(), slots)
    }

    fn of(mut points: Vec<(u32, u32)>, slots: u32) -> Self {
        points.sort_unstable();
        let owners: Box<[u32]> = points.iter().map(|(_, owner)| *owner).collect();
        // Below the lowest point comes the highest.
        let mut at = u32::try_from(points.len().saturating_sub(1)).unwrap_or_default();
        let mut rest = (0u32..).zip(&points).peekable();
        let below = (0..slots)
            .map(|slot| {
                if let Some((point, _)) = rest.next_if(|(_, (place, _))| *place == slot) {
                    at = point;
                }
                at
            })
            .collect();
        Self { slots, owners, below }
    }

    /// The owners of all points from that of `hash` on, downwards and once around.
    fn downwards(&self, hash: u32) -> impl Iterator<Item = usize> {
        let start = self.below.get((hash % self.slots) as usize).map_or(0, |point| *point as usize + 1);
        let (below, above) = self.owners.split_at(start.min(self.owners.len()));
        below.iter().rev().chain(above.iter().rev()).map(|owner| *owner as usize)
    }
}

/// Slots and owners of all points: a point whose slot is taken is replaced by the place's next one. None where
/// a place would need more names than there are slots, as in Kong.
fn place(places: &[Place], wanted: &[u32], slots: u32) -> Option<Vec<(u32, u32)>> {
    let mut taken = vec![false; slots as usize];
    let mut points = Vec::new();
    for ((owner, place), wanted) in (0u32..).zip(places).zip(wanted) {
        let (mut left, mut number) = (*wanted, 0u32);
        while left > 0 {
            number += 1;
            let slot = hash(format!("{} {number}", place.name).as_bytes()) % slots;
            if !std::mem::replace(taken.get_mut(slot as usize)?, true) {
                points.push((slot, owner));
                left -= 1;
            }
            if number >= slots && left > 0 {
                return None;
            }
        }
    }
    Some(points)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{
        super::{Balancer, Pick},
        HashRing, Place, hash,
    };

    fn places(weights: &[u16]) -> Vec<Place> {
        let name = |number: usize| format!("10.0.{}.{}::8000", number / 250, number % 250 + 1);
        weights
            .iter()
            .enumerate()
            .map(|(number, weight)| Place { name: name(number), weight: *weight })
            .collect()
    }

    fn ring(weights: &[u16]) -> HashRing {
        HashRing::new(&places(weights), weights.len(), 10_000, 1)
    }

    fn owner(ring: &HashRing, key: u32) -> Option<usize> {
        ring.pick(&Pick::any(0).hashed(Some(hash(key.to_string().as_bytes()))))
    }

    /// The ring as compat P48 and S9 tell it, without any shortcut.
    fn by_the_book(places: &[Place], targets: usize, slots: u32, value: &[u8]) -> usize {
        let total: f64 = places.iter().map(|place| f64::from(place.weight)).sum();
        let mut ring = HashMap::new();
        for (owner, place) in places.iter().enumerate() {
            let mut entries = (f64::from(place.weight) / total * targets as f64 * 160.0).floor() as u32;
            let mut n = 1;
            while n <= entries {
                let slot = hash(format!("{} {n}", place.name).as_bytes()) % slots;
                if let std::collections::hash_map::Entry::Vacant(free) = ring.entry(slot) {
                    free.insert(owner);
                } else {
                    entries += 1;
                }
                n += 1;
            }
        }
        let mut slot = hash(value) % slots;
        loop {
            if let Some(owner) = ring.get(&slot) {
                return *owner;
            }
            slot = slot.checked_sub(1).unwrap_or(slots - 1);
        }
    }

    #[test]
    fn values_are_hashed_with_xxhash32_p48() {
        // The vectors of the algorithm's specification, seed 0.
        assert_eq!(hash(b""), 0x02CC_5D05);
        assert_eq!(hash(b"a"), 0x550D_7456);
        assert_eq!(hash(b"abc"), 0x32D1_53FF);
        assert_eq!(hash(b"Nobody inspects the spammish repetition"), 0xE229_3B2F);
    }

    #[test]
    fn the_ring_is_kongs_p48() {
        for (weights, slots) in [
            (&[100, 100][..], 10_000),
            (&[100, 100, 100, 100, 100], 10_000),
            (&[10, 200, 35, 0, 7], 10_000),
            (&[100, 50], 1_000),
            (&[100, 50], 10),
        ] {
            let places = places(weights);
            let ring = HashRing::new(&places, places.len(), slots, 1);
            for key in 0..2_000u32 {
                let value = key.to_string();
                let wanted = by_the_book(&places, places.len(), slots.max(1_000), value.as_bytes());
                assert_eq!(owner(&ring, key), Some(wanted), "{weights:?} {slots} {key}");
            }
        }
    }

    /// The addresses, sizes and bounds of the tests that Kong has for its ring.
    #[test]
    fn the_ring_keeps_what_kongs_own_tests_ask_of_it_p48() {
        let place = |name: &str, weight| Place { name: name.into(), weight };
        // By host name: getkong.org before mashape.com.
        let ring = HashRing::new(&[place("5.6.7.8::321", 5), place("1.2.3.4::123", 10)], 2, 1_000, 1);
        let mut shares = [0; 2];
        (1..=1_500).filter_map(|key| owner(&ring, key)).for_each(|owner| shares[owner] += 1);
        assert!((451..550).contains(&shares[0]) && (901..1_100).contains(&shares[1]), "{shares:?}");

        let of = |count: u32| {
            let places: Vec<_> = (1..=count).map(|n| place(&format!("10.0.0.{n}::{n}"), 100)).collect();
            let ring = HashRing::new(&places, places.len(), 5_000, 1);
            (1..=10_000).map(move |key| owner(&ring, key)).collect::<Vec<_>>()
        };
        let (five, six, eight) = (of(5), of(6), of(8));
        let moved = |before: &[_], after: &[_]| before.iter().zip(after).filter(|(a, b)| a != b).count();
        assert!(moved(&five, &six) < 2_000);
        assert!(moved(&five, &eight) < 4_000);
        assert!(moved(&six, &eight) < 2_500);
    }

    #[test]
    fn a_retry_walks_on_and_never_comes_back_to_the_same() {
        let ring = ring(&[100; 5]);
        for key in 0..500 {
            let hashed = Some(hash(&[key as u8, 1]));
            let mut tried: Vec<usize> = Vec::new();
            for _ in 0..5 {
                let excluded = |index| tried.contains(&index);
                let next = ring.pick(&Pick::but(0, &excluded).hashed(hashed)).unwrap();
                assert!(!tried.contains(&next));
                tried.push(next);
            }
            let excluded = |index| tried.contains(&index);
            assert_eq!(ring.pick(&Pick::but(0, &excluded).hashed(hashed)), None);
        }
    }

    #[test]
    fn without_a_hash_endpoints_take_turns() {
        let ring = ring(&[100, 100]);
        let picks: Vec<_> = (0..4).filter_map(|_| ring.pick(&Pick::any(0))).collect();
        assert_eq!(picks, [0, 1, 0, 1]);
    }

    #[test]
    fn a_ring_without_endpoints_has_none() {
        assert_eq!(owner(&ring(&[]), 1), None);
        assert_eq!(owner(&ring(&[0, 0]), 1), None);
    }

    #[test]
    fn more_endpoints_than_the_ring_has_room_for_all_get_a_share() {
        let ring = HashRing::new(&places(&[100; 1_000]), 1_000, 10_000, 1);
        let mut shares = vec![0; 1_000];
        (0..100_000).filter_map(|key| owner(&ring, key)).for_each(|owner| shares[owner] += 1);
        assert!(shares.iter().all(|share| *share > 0));
        // More than slots.
        let ring = HashRing::new(&places(&[1; 3_000]), 3_000, 10, 1);
        assert_eq!(ring.layout.owners.len(), 6_000);
    }

    #[test]
    fn about_one_nth_of_the_keys_moves_when_one_of_n_goes() {
        for n in [3u16, 10, 20] {
            let weights = vec![100; usize::from(n)];
            let before = ring(&weights);
            let mut fewer = places(&weights);
            fewer.remove(1);
            let after = HashRing::new(&fewer, fewer.len(), 10_000, 1);
            let moved = (0..10_000).filter(|key| {
                let (was, is) = (owner(&before, *key).unwrap(), owner(&after, *key).unwrap());
                was != if is >= 1 { is + 1 } else { is }
            });
            let share = moved.count() as f64 / 10_000.0;
            // Points that gave way to one of the target that went come back, so a few more move.
            assert!(share < 1.6 / f64::from(n), "{share} of {n}");
        }
    }

    proptest! {
        #[test]
        fn each_gets_its_share_of_the_keys(weights in proptest::collection::vec(20u16..100, 2..8)) {
            let ring = ring(&weights);
            let mut shares = vec![0u32; weights.len()];
            (0..20_000).filter_map(|key| owner(&ring, key)).for_each(|owner| shares[owner] += 1);
            let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
            for (share, weight) in shares.iter().zip(&weights) {
                let ratio = f64::from(*share) / 20_000.0 / (f64::from(*weight) / total);
                prop_assert!((0.5..1.6).contains(&ratio), "{ratio} of the share of {weight} in {weights:?}");
            }
        }

        #[test]
        fn only_the_keys_of_the_one_that_is_down_move(count in 2usize..12, down in 0usize..12) {
            let down = down % count;
            let all = ring(&vec![100; count]);
            let mut weights = vec![100; count];
            weights[down] = 0;
            let rest = all.with_weights(&weights);
            for key in 0..1_000 {
                let (was, is) = (owner(&all, key).unwrap(), owner(&rest, key).unwrap());
                prop_assert!(is != down);
                prop_assert!(was == down || was == is);
            }
        }
    }
}
