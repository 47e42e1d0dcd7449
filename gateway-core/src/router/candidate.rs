//! A rule as the index holds it.

use std::cmp::Reverse;

use uuid::Uuid;

use super::{captures::PathPattern, guard::Guard, rank::Rank, slots::Slot};

/// A rule of a route, with its rank and what an index cannot decide.
#[derive(Debug)]
pub(super) struct Candidate {
    rank: Rank,
    /// The id of its route.
    owner: Uuid,
    /// Its number among those of its route.
    part: usize,
    /// Where the value of its route stands.
    pub(super) slot: Slot,
    pub(super) guard: Guard,
}

impl Candidate {
    pub(super) const fn new(rank: Rank, owner: Uuid, part: usize, slot: Slot, guard: Guard) -> Self {
        Self { rank, owner, part, slot, guard }
    }

    /// Whether `other` is the same rule of the same route, compiled at another time.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.owner, self.part) == (other.owner, other.part)
    }

    /// Whether it takes a request that both take. Ranks are compared as they are, and never become places in a list:
    /// a place would have to change whenever a route comes or goes in front of it. The pointer that leads to the rank
    /// is followed anyway, to check the rule. No two rules are equal, so the order in which routes came never shows.
    pub(super) fn beats(&self, other: &Self) -> bool {
        let order = |rule: &Self| (rule.owner, Reverse(rule.part));
        self.rank.cmp(&other.rank).then_with(|| order(self).cmp(&order(other))).is_gt()
    }
}

/// The best rule that takes a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'i> {
    pub(super) rule: &'i Candidate,
    /// How many bytes of the path it matched.
    pub(super) matched: usize,
    /// The expression or template that did.
    pub(super) pattern: Option<PathPattern<'i>>,
}
