//! What is left to check of a rule once host and prefix fit.

use std::{borrow::Cow, cell::OnceCell};

use super::{Head, captures::PathPattern, path::decoded, predicate::Predicates, tail::Tail};

/// What an index cannot decide.
#[derive(Debug)]
pub(super) struct Guard {
    tail: Tail,
    predicates: Predicates,
}

/// What a rule took of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'g> {
    /// How many bytes of the path.
    pub(super) matched: usize,
    /// The expression or template that did.
    pub(super) pattern: Option<PathPattern<'g>>,
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

/// A request with its decoded path, made when the first expression or template asks for it.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head<'a>,
    decoded: OnceCell<Cow<'a, str>>,
}

impl<'a> Request<'a> {
    pub(super) const fn new(head: &'a Head<'a>) -> Self {
        Self { head, decoded: OnceCell::new() }
    }

    /// The decoded form of its path.
    pub(super) fn decoded(&self) -> &str {
        self.decoded.get_or_init(|| decoded(self.head.path))
    }
}
