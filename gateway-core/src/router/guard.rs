//! What is left to check of a rule once host and prefix fit.

use super::{
    predicate::Predicates,
    request::{Request, Taken},
    tail::Tail,
};

/// What an index cannot decide.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) tail: Tail,
    pub(super) predicates: Predicates,
}

impl Guard {
    /// Asks for all of `predicates`, and for `tail` behind the rule's key.
    pub(super) const fn new(tail: Tail, predicates: Predicates) -> Self {
        Self { tail, predicates }
    }

    /// Whether the rule takes the request, of whose path the first `prefix` bytes are the rule's key.
    pub(super) fn check(&self, prefix: usize, request: &Request<'_>) -> Option<Taken<'_>> {
        if !self.predicates.admit(request.head) {
            return None;
        }
        self.tail.check(prefix, request)
    }
}
