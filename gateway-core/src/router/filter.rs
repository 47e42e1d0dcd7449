//! Which texts may be in a map, told without a look at it.

use super::{list::List, map::Map, sign::Text};

/// Bits by texts. Those of a text that is gone stay for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    words: Option<Box<[u64; WORDS]>>,
    /// How many texts came since it was empty.
    count: usize,
}

/// 8 KiB, a bit for a text: with 2,500 texts one in 25 of all others is taken for one of them. Two bits of half as many
/// would let half as many through, but every four bytes of every path would pay for it.
const WORDS: usize = 1_024;

impl Filter {
    /// Adds `texts`, which come to `lists`. Where half of what came is gone, it begins anew with those of `lists`.
    pub(super) fn insert(&mut self, texts: &[Text], lists: &Map<Text, List>) {
        if self.count >= 2 * lists.len() {
            *self = Self { words: Some(Box::new([0; WORDS])), count: 0 };
            lists.keys().for_each(|text| self.set(*text));
        }
        texts.iter().for_each(|text| self.set(*text));
    }

    pub(super) fn may_have(&self, text: Text) -> bool {
        let (word, bit) = place(text);
        self.words.as_ref().and_then(|words| words.get(word)).is_some_and(|word| word >> bit & 1 == 1)
    }

    fn set(&mut self, text: Text) {
        let (word, bit) = place(text);
        if let Some(word) = self.words.as_mut().and_then(|words| words.get_mut(word)) {
            *word |= 1 << bit;
            self.count += 1;
        }
    }
}

/// The word of a text and its bit there.
fn place(text: Text) -> (usize, u32) {
    // Fibonacci hashing: the high bits of the product depend on all bytes.
    let hash = u64::from(u32::from_le_bytes(text)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> 54) as usize, (hash >> 48) as u32 % 64)
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
