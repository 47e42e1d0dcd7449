//! The power of two choices: what least connections and lowest latency have in common.

use std::sync::Arc;

use super::{Balancer, Pick, RoundRobin};

/// Endpoints with their weights, of which two stand for election: the one whose turn it is, and one by lot.
#[derive(Debug)]
pub(super) struct TwoChoices<M> {
    members: Box<[Member<M>]>,
    turn: RoundRobin,
}

/// An endpoint with its weight.
pub(super) type Member<M> = (Arc<M>, u16);

impl<M> TwoChoices<M> {
    /// Over endpoints with these weights, for `shards` workers.
    pub(super) fn new(members: &[Arc<M>], weights: &[u16], shards: usize) -> Self {
        Self::over(members, weights, RoundRobin::new(weights, shards))
    }

    /// The same for other endpoints or weights.
    pub(super) fn with_weights(&self, members: &[Arc<M>], weights: &[u16]) -> Self {
        Self::over(members, weights, self.turn.with_weights(weights))
    }

    fn over(members: &[Arc<M>], weights: &[u16], turn: RoundRobin) -> Self {
        let member = |(member, weight): (&Arc<M>, &u16)| (Arc::clone(member), *weight);
        Self { members: members.iter().zip(weights).map(member).collect(), turn }
    }

    /// The one whose turn it is, unless the one by lot `is_better`.
    pub(super) fn pick(
        &self,
        pick: &Pick<'_>,
        is_better: impl FnOnce(&Member<M>, &Member<M>) -> bool,
    ) -> Option<usize> {
        let next = self.turn.pick(pick)?;
        let drawn = self.turn.draw(pick)?;
        if next == drawn {
            return Some(next);
        }
        Some(if is_better(self.members.get(drawn)?, self.members.get(next)?) { drawn } else { next })
    }
}
