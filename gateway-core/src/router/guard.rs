//! What is left to check of a rule once host and prefix fit.

use std::{borrow::Cow, cell::OnceCell};

use regex::Regex;

use super::{Head, path::decoded, pattern::match_end, predicate::Predicates};

/// What an index cannot decide.
#[derive(Debug)]
pub(super) struct Guard {
    patterns: Box<[Regex]>,
    predicates: Predicates,
}

/// What a rule took of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'g> {
    /// How many bytes of the path.
    pub(super) matched: usize,
    /// The expression that did.
    pub(super) pattern: Option<&'g Regex>,
}

impl Guard {
    /// Asks for all of `predicates` and for one of `patterns`, if there are any.
    pub(super) const fn new(patterns: Box<[Regex]>, predicates: Predicates) -> Self {
        Self { patterns, predicates }
    }

    /// Whether the rule takes the request, of whose path the first `prefix` bytes are the rule's prefix.
    pub(super) fn check(&self, prefix: usize, request: &Request<'_>) -> Option<Taken<'_>> {
        if !self.predicates.admit(request.head) {
            return None;
        }
        if self.patterns.is_empty() {
            return Some(Taken { matched: prefix, pattern: None });
        }
        let taken = |regex| Some(Taken { matched: request.end(regex)?, pattern: Some(regex) });
        self.patterns.iter().find_map(taken)
    }
}

/// A request with its decoded path, made when the first expression asks for it.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head<'a>,
    decoded: OnceCell<Cow<'a, str>>,
}

impl<'a> Request<'a> {
    pub(super) const fn new(head: &'a Head<'a>) -> Self {
        Self { head, decoded: OnceCell::new() }
    }

    /// Where `regex` ends in the path.
    fn end(&self, regex: &Regex) -> Option<usize> {
        let path = self.head.path;
        match_end(regex, path, self.decoded.get_or_init(|| decoded(path)))
    }
}
