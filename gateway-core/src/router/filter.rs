//! Which texts may be in a map, told without a look at it.

use super::{list::List, map::Map, sign::Text};

/// A set of bits by texts. That of a text which is gone stays for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    bits: Box<[u64]>,
    /// How many texts came since it was empty.
    count: usize,
}

/// 2 KiB: with 4,000 texts three in four of all others are still told apart.
const WORDS: usize = 256;

impl Filter {
    /// Adds `texts`, which come to `lists`. Where half of what came is gone, it begins anew with those of `lists`.
    pub(super) fn insert(&mut self, texts: &[Text], lists: &Map<Text, List>) {
        if self.count >= 2 * lists.len() {
            *self = Self { bits: vec![0; WORDS].into(), count: 0 };
            lists.keys().for_each(|text| self.set(*text));
        }
        texts.iter().for_each(|text| self.set(*text));
    }

    pub(super) fn may_have(&self, text: Text) -> bool {
        let (word, bit) = place(text);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, text: Text) {
        let (word, bit) = place(text);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
            self.count += 1;
        }
    }
}

fn place(text: Text) -> (usize, u64) {
    // Fibonacci hashing: the high bits of the product depend on all bytes.
    let hash = u32::from_le_bytes(text).wrapping_mul(0x9e37_79b9) >> 18;
    (hash as usize / 64, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_may_be_there_and_little_else() {
        let (mut filter, mut lists) = (Filter::default(), Map::default());
        assert!(!filter.may_have(*b"none"));
        let text = |number: u32| (number * 7_919).to_be_bytes();
        for number in 0..1_000 {
            filter.insert(&[text(number)], &lists);
            lists.insert(text(number), List::default());
        }
        assert!((0..1_000).all(|number| filter.may_have(text(number))));
        assert!((1_000..2_000).filter(|number| filter.may_have(text(*number))).count() < 200);
        (0..900).for_each(|number| drop(lists.remove(&text(number))));
        for number in 2_000..3_200 {
            filter.insert(&[text(number)], &lists);
        }
        assert!((900..1_000).chain(3_199..3_200).all(|number| filter.may_have(text(number))));
        assert!((0..900).filter(|number| filter.may_have(text(*number))).count() < 300);
    }
}
