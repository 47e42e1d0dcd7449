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
    /// Apart, as most rules have none.
    predicates: Option<Box<Predicates>>,
}

impl Guard {
    /// Asks for all of `predicates`, and for `tail` behind the rule's key.
    pub(super) fn new(tail: Tail, predicates: Predicates) -> Self {
        let predicates = (!predicates.is_empty()).then(|| Box::new(predicates));
        Self { tail, predicates }
    }

    /// What it asks for beside the path, if anything.
    pub(super) fn predicates(&self) -> Option<&Predicates> {
        self.predicates.as_deref()
    }

    /// Whether the rule takes the request, of whose path the first `prefix` bytes are the rule's key.
    pub(super) fn check(&self, prefix: usize, request: &Request<'_>) -> Option<Taken<'_>> {
        if self.predicates().is_some_and(|predicates| !predicates.admit(request.head)) {
            return None;
        }
        self.tail.check(prefix, request)
    }
}
