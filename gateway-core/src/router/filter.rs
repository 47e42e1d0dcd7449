//! Which texts may be in a map, told without a look at it.

use super::{list::List, map::Map, sign::Text};

/// Bits by texts. Those of a text that is gone stay for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    words: Box<[u64]>,
    /// How many texts came since it was empty.
    count: usize,
}

/// 4 KiB: with 2,500 texts one in fifty of all others is taken for one of them.
const WORDS: usize = 512;

impl Filter {
    /// Adds `texts`, which come to `lists`. Where half of what came is gone, it begins anew with those of `lists`.
    pub(super) fn insert(&mut self, texts: &[Text], lists: &Map<Text, List>) {
        if self.count >= 2 * lists.len() {
            *self = Self { words: vec![0; WORDS].into(), count: 0 };
            lists.keys().for_each(|text| self.set(*text));
        }
        texts.iter().for_each(|text| self.set(*text));
    }

    pub(super) fn may_have(&self, text: Text) -> bool {
        let (word, bits) = place(text);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }

    fn set(&mut self, text: Text) {
        let (word, bits) = place(text);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
            self.count += 1;
        }
    }
}

/// Two bits of one word, so that a look touches memory once.
fn place(text: Text) -> (usize, u64) {
    // Fibonacci hashing: the high bits of the product depend on all bytes.
    let hash = u64::from(u32::from_le_bytes(text)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bit = |shift: u32| 1 << ((hash >> shift) % 64);
    ((hash >> 55) as usize, bit(49) | bit(43))
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
        assert!((1_000..2_000).filter(|number| filter.may_have(text(*number))).count() < 50);
        (0..900).for_each(|number| drop(lists.remove(&text(number))));
        for number in 2_000..3_200 {
            filter.insert(&[text(number)], &lists);
        }
        assert!((900..1_000).chain(3_199..3_200).all(|number| filter.may_have(text(number))));
        assert!((0..900).filter(|number| filter.may_have(text(*number))).count() < 300);
    }
}
