//! How much memory the regular expressions of all routes take, equal ones counted once.

use super::{
    map::Map,
    rank::Rank,
    rule::Rule,
    weight::{Key, Weight},
};
use crate::config::regex_limits::REGEXES;

/// The expressions of a router. A clone shares nearly all.
#[derive(Clone)]
pub(super) struct Ledger {
    /// How often each is used, and its size.
    uses: Map<Key, (usize, usize)>,
    total: usize,
    limit: usize,
}

impl Ledger {
    /// Adds the expressions of these rules.
    pub(super) fn add(&mut self, rules: &[(Rank, Rule)]) {
        for Weight { key, memory } in weights(rules) {
            let (uses, _) = self.uses.entry(key).or_insert((0, memory));
            *uses += 1;
            self.total += if *uses == 1 { memory } else { 0 };
        }
    }

    /// Takes out those of these rules, which were added before.
    pub(super) fn remove(&mut self, rules: &[(Rank, Rule)]) {
        for Weight { key, .. } in weights(rules) {
            let Some((uses, memory)) = self.uses.get_mut(&key) else { continue };
            *uses -= 1;
            if *uses == 0 {
                self.total -= *memory;
                self.uses.remove(&key);
            }
        }
    }

    /// Whether there is more than there may be.
    pub(super) const fn is_over(&self) -> bool {
        self.total > self.limit
    }

    /// Whether there is so much that no route that goes makes room for it.
    pub(super) const fn is_far_over(&self) -> bool {
        self.total > 2 * self.limit
    }

    pub(super) fn refusal(&self) -> String {
        format!(
            "the regular expressions of all routes take more than {} MiB, compiled: `[0-9A-Za-z_]` takes less than a tenth of `\\w`",
            self.limit >> 20
        )
    }

    #[cfg(test)]
    pub(super) fn limited(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) const fn total(&self) -> usize {
        self.total
    }
}

fn weights(rules: &[(Rank, Rule)]) -> impl Iterator<Item = Weight> {
    rules.iter().flat_map(|(_, rule)| rule.expressions())
}

impl Default for Ledger {
    fn default() -> Self {
        Self { uses: Map::default(), total: 0, limit: REGEXES }
    }
}
