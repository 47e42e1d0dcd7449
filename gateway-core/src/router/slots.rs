//! Values under small numbers that stay.

use imbl::Vector;

/// Values, each in a slot. A look-up costs one cache miss where one by a route's id costs four. A clone shares nearly
/// all.
#[derive(Clone)]
pub(super) struct Slots<T> {
    values: Vector<Option<T>>,
    /// The slots without a value.
    free: Vector<Slot>,
}

/// The number of a slot. Four bytes are enough: a route takes more than one byte.
pub(super) type Slot = u32;

impl<T> Slots<T> {
    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        self.values.get(slot as usize)?.as_ref()
    }

    /// All values.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter().flatten()
    }
}

impl<T: Clone> Slots<T> {
    /// A slot for `value`.
    pub(super) fn add(&mut self, value: T) -> Slot {
        if let Some(slot) = self.free.pop_back() {
            return self.set(slot, Some(value));
        }
        let slot = self.values.len() as Slot;
        self.values.push_back(Some(value));
        slot
    }

    /// Replaces the value of a slot in use; none gives the slot back.
    pub(super) fn set(&mut self, slot: Slot, value: Option<T>) -> Slot {
        if value.is_none() {
            self.free.push_back(slot);
        }
        if let Some(own) = self.values.get_mut(slot as usize) {
            *own = value;
        }
        slot
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { values: Vector::new(), free: Vector::new() }
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
