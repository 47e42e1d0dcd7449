//! Values under small numbers that stay.

use std::{array, iter, sync::Arc};

use imbl::Vector;

/// Values, each in a slot. A look-up takes two steps, and one cache miss where one by a route's id takes four. A clone
/// shares all; a change copies a leaf and the list of leaves, which are few: 391 for 50,000 values.
#[derive(Clone)]
pub(super) struct Slots<T> {
    leaves: Arc<[Leaf<T>]>,
    /// How many slots there are.
    count: usize,
    /// The slots without a value.
    free: Vector<Slot>,
}

/// The number of a slot. Four bytes are enough: a route takes more than one byte.
pub(super) type Slot = u32;

/// The values of neighbours.
type Leaf<T> = Arc<[Option<T>; LEAF]>;

const LEAF: usize = 128;

impl<T> Slots<T> {
    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        let (leaf, at) = place(slot);
        self.leaves.get(leaf)?.get(at)?.as_ref()
    }

    /// All values.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.leaves.iter().flat_map(|leaf| leaf.iter().flatten())
    }
}

const fn place(slot: Slot) -> (usize, usize) {
    (slot as usize / LEAF, slot as usize % LEAF)
}

impl<T: Clone> Slots<T> {
    /// A slot for `value`.
    pub(super) fn add(&mut self, value: T) -> Slot {
        if let Some(slot) = self.free.pop_back() {
            return self.set(slot, Some(value));
        }
        if self.count == self.leaves.len() * LEAF {
            let leaf = Arc::new(array::from_fn(|_| None));
            self.leaves = self.leaves.iter().cloned().chain(iter::once(leaf)).collect();
        }
        self.count += 1;
        self.set((self.count - 1) as Slot, Some(value))
    }

    /// Replaces the value of a slot; none gives the slot back.
    pub(super) fn set(&mut self, slot: Slot, value: Option<T>) -> Slot {
        if value.is_none() {
            self.free.push_back(slot);
        }
        let (leaf, at) = place(slot);
        let leaf = Arc::make_mut(&mut self.leaves).get_mut(leaf).map(Arc::make_mut);
        if let Some(own) = leaf.and_then(|leaf| leaf.get_mut(at)) {
            *own = value;
        }
        slot
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { leaves: Arc::new([]), count: 0, free: Vector::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_stays_until_it_is_given_back() {
        let mut slots = Slots::default();
        let places = [slots.add("a"), slots.add("b"), slots.add("c")];
        let before = slots.clone();
        slots.set(places[1], None);
        slots.set(places[2], Some("d"));
        assert_eq!(places.map(|slot| slots.get(slot).copied()), [Some("a"), None, Some("d")]);
        assert_eq!(slots.add("e"), places[1]);
        assert_eq!(slots.add("f"), 3);
        assert_eq!(places.map(|slot| before.get(slot).copied()), [Some("a"), Some("b"), Some("c")]);
    }
}
