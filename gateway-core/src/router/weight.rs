//! What one compiled regular expression takes of memory.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

/// What stands for an expression: the hash of its text.
pub(super) type Key = u64;

/// One compiled expression.
pub(super) struct Weight {
    pub(super) key: Key,
    /// Bytes.
    pub(super) memory: usize,
}

impl Weight {
    /// Of the one that is written so. `kind` tells apart what is compiled in another way.
    pub(super) fn new(kind: u8, text: &str, memory: usize) -> Self {
        Self { key: FixedState::default().hash_one((kind, text)), memory }
    }
}
