//! The policies that apply to one request, and what they give who is let in.

use smallvec::SmallVec;

use crate::plugin::{Bound, Guard, Hedging, Outcome, Permit, Retrying};

/// The policies that apply to one request.
#[derive(Default)]
pub(crate) struct Rules<'a> {
    pub(super) guards: SmallVec<[&'a dyn Guard; 2]>,
    pub(super) retry: Option<&'a Retrying>,
    pub(super) hedge: Option<&'a Hedging>,
}

impl<'a> Rules<'a> {
    /// Adds one; those of higher priority first.
    pub(crate) fn push(&mut self, bound: &'a Bound) {
        match bound {
            Bound::Guard(guard) => self.guards.push(guard.as_ref()),
            Bound::Retry(retry) => self.retry = self.retry.or(Some(retry)),
            Bound::Hedge(hedge) => self.hedge = self.hedge.or(Some(hedge)),
        }
    }

    /// Whether the budget has one more try; it is taken.
    pub(super) fn afford_one(&self) -> bool {
        self.retry.is_none_or(Retrying::take_one)
    }

    /// A body up to so many bytes is kept to be sent again.
    pub(crate) fn replay(&self) -> usize {
        self.retry.map_or(0, |retry| retry.replay)
    }
}

/// Permits of one request or try.
pub(crate) type Permits = SmallVec<[Permit; 2]>;

/// Tells all, and keeps those that want to be kept.
pub(super) fn settle(permits: &mut Permits, outcome: &Outcome) {
    permits.retain(|permit| permit.settle(outcome));
}
