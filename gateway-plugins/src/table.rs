//! A bounded table of counters, exact over all threads.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use siphasher::sip128::SipHasher13;

/// Slots of one set.
const WAYS: usize = 16;

/// Stands for a text among secrets: 128 bits of a keyed hash. Nobody outside can aim at another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    low: u64,
    high: u64,
}

impl Name {
    /// The name of `text` where this one is the secret.
    pub(crate) fn of(self, text: &[u8]) -> Self {
        let hash = SipHasher13::new_with_keys(self.low, self.high).hash(text);
        Self { low: hash.h1, high: hash.h2 }
    }

    /// A secret of this process.
    fn secret() -> Self {
        let random = RandomState::new();
        Self { low: random.hash_one(0), high: random.hash_one(1) }
    }
}

/// Counters by name: at most as many as there are slots, whatever comes in.
///
/// A name belongs to one of many sets of 16 slots, and each set has a lock: two threads meet only where they count the
/// same name at the same moment, so what they count is exact. It is held for one decision. A set takes memory
/// as it fills. In a full one a new name takes the slot that has expired first, or else the one that was not used for
/// longest, those that hold somebody back at last: churning through names frees nobody.
#[derive(Debug)]
pub(crate) struct Table<V> {
    secret: Name,
    sets: Box<[Mutex<Set<V>>]>,
}

/// The slots that a name may be in.
#[derive(Debug)]
pub(crate) struct Set<V> {
    slots: Vec<Slot<V>>,
    /// Counts what was used, to tell what was used before.
    tick: u32,
}

#[derive(Debug)]
struct Slot<V> {
    tag: u64,
    used: u32,
    held: bool,
    value: V,
}

/// What lies in a table.
pub(crate) trait Expires: Copy + Default {
    /// When it may be forgotten, in the table's time.
    fn until(&self) -> u64;
}

impl<V: Expires> Table<V> {
    /// A table of so many slots, rounded up to the next power of two.
    pub(crate) fn new(slots: usize) -> Self {
        let sets = slots.div_ceil(WAYS).next_power_of_two();
        let sets = (0..sets).map(|_| Mutex::new(Set { slots: Vec::new(), tick: 0 })).collect();
        Self { secret: Name::secret(), sets }
    }

    /// The name of what is told apart by all of `parts`.
    pub(crate) fn name(&self, parts: &[&[u8]]) -> Name {
        // Each part's hash keys the next one's, so that no two lists of parts read the same.
        parts.iter().fold(self.secret, |name, part| name.of(part))
    }

    /// The set of `name`.
    pub(crate) fn set(&self, name: Name) -> MutexGuard<'_, Set<V>> {
        let at = usize::try_from(name.low).unwrap_or(name.low as usize) & (self.sets.len() - 1);
        // There is at least one set, and the mask is within.
        #[allow(clippy::indexing_slicing, reason = "the mask is one less than a power of two")]
        self.sets[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.sets.iter().map(|set| set.lock().unwrap().slots.len()).sum()
    }
}

impl<V: Expires> Set<V> {
    /// What is kept for `name`; `part` tells several values of a name apart.
    pub(crate) fn get(&self, name: Name, part: u64) -> Option<V> {
        let tag = tag(name, part);
        self.slots.iter().find(|slot| slot.tag == tag).map(|slot| slot.value)
    }

    /// Keeps `value` where something is kept for `name`, and notes that it holds somebody back.
    pub(crate) fn hold(&mut self, name: Name, part: u64, value: V) {
        let (tag, used) = (tag(name, part), self.next());
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.tag == tag) {
            *slot = Slot { tag, used, held: true, value };
        }
    }

    /// Keeps `value`, in place of another where the set is full. Time is passed in.
    pub(crate) fn put(&mut self, name: Name, part: u64, value: V, now: u64) {
        let slot = Slot { tag: tag(name, part), used: self.next(), held: false, value };
        let known = self.slots.iter().position(|other| other.tag == slot.tag);
        let place = known.or_else(|| self.slots.iter().position(|other| other.value.until() <= now));
        let place = place.or_else(|| (self.slots.len() >= WAYS).then(|| self.oldest()).flatten());
        match place.and_then(|at| self.slots.get_mut(at)) {
            Some(place) => *place = slot,
            None => {
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact(self.slots.len().clamp(2, WAYS));
                }
                self.slots.push(slot);
            }
        }
    }

    fn oldest(&self) -> Option<usize> {
        let age = |slot: &Slot<V>| self.tick.wrapping_sub(slot.used);
        let order = |(_, slot): &(usize, &Slot<V>)| (slot.held, u32::MAX - age(slot));
        self.slots.iter().enumerate().min_by_key(order).map(|(at, _)| at)
    }

    fn next(&mut self) -> u32 {
        self.tick = self.tick.wrapping_add(1);
        self.tick
    }
}

/// What tells the slots of a set apart.
fn tag(name: Name, part: u64) -> u64 {
    name.high.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[cfg(test)]
mod tests {
    use super::{Expires, Table, WAYS};

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Until(u64);

    impl Expires for Until {
        fn until(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn names_and_parts_are_told_apart() {
        let table = Table::<Until>::new(1);
        let (one, other) = (table.name(&[b"ab", b"c"]), table.name(&[b"a", b"bc"]));
        assert_ne!(one, other);
        table.set(one).put(one, 0, Until(1), 0);
        table.set(one).put(one, 1, Until(2), 0);
        assert_eq!(table.set(one).get(one, 0), Some(Until(1)));
        assert_eq!(table.set(one).get(one, 1), Some(Until(2)));
        assert_eq!(table.set(other).get(other, 0), None);
    }

    #[test]
    fn what_has_expired_goes_first_then_the_oldest_and_what_holds_back_at_last() {
        let table = Table::<Until>::new(WAYS);
        let name = |index: usize| table.name(&[&index.to_le_bytes()]);
        for index in 0..WAYS {
            // The fifth lasts least.
            let until = if index == 5 { 10 } else { 100 };
            table.set(name(index)).put(name(index), 0, Until(until), 0);
        }
        let kept = |index: usize| table.set(name(index)).get(name(index), 0).is_some();
        table.set(name(0)).hold(name(0), 0, Until(100));
        table.set(name(1)).put(name(1), 0, Until(100), 0);
        table.set(name(100)).put(name(100), 0, Until(100), 20);
        assert!(!kept(5), "it has expired");
        table.set(name(101)).put(name(101), 0, Until(100), 20);
        assert!(kept(0) && kept(1) && !kept(2), "neither what holds back nor what was used of late");
        for index in 200..400 {
            table.set(name(index)).put(name(index), 0, Until(100), 20);
        }
        assert!(kept(0));
        assert_eq!(table.len(), WAYS);
    }

    #[test]
    fn a_million_names_take_no_more_than_the_slots_there_are() {
        let table = Table::<Until>::new(1_000);
        for index in 0..1_000_000_u32 {
            let name = table.name(&[&index.to_le_bytes()]);
            table.set(name).put(name, 0, Until(u64::MAX), 0);
        }
        assert_eq!(table.len(), 1_024);
        let room: usize = table.sets.iter().map(|set| set.lock().unwrap().slots.capacity()).sum();
        assert_eq!(room, 1_024, "and no more memory either");
    }
}
