//! Numbers that look random and are the same on every machine, for ever.

/// SplitMix64 (Steele, Lea, Flood, 2014). Written out, because a crate may change its sequence.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether something of this many percent happens.
    pub(crate) const fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A number below two to the power `bits`, skewed as popularity is: each power of two is as likely as the next,
    /// so the number n comes about n times as seldom as 1.
    pub(crate) const fn skewed(&mut self, bits: u64) -> u64 {
        let power = self.below(bits + 1);
        self.below(1 << power)
    }
}
