//! What is left to check of a rule once host and prefix fit.

use std::{cell::OnceCell, sync::Arc};

use super::{
    Head,
    path::{Octets, decoded_octets},
    path_regex::PathRegex,
    pattern::{Pattern, match_end},
    predicate::Predicates,
};

/// What an index cannot decide.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) patterns: Box<[Arc<Pattern>]>,
    pub(super) predicates: Predicates,
}

/// What a rule took of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'g> {
    /// How many bytes of the path.
    pub(super) matched: usize,
    /// The expression that did.
    pub(super) pattern: Option<&'g PathRegex>,
}

impl Guard {
    /// Asks for all of `predicates` and for one of `patterns`, if there are any.
    pub(super) const fn new(patterns: Box<[Arc<Pattern>]>, predicates: Predicates) -> Self {
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
        let taken = |regex| {
            let matched = match_end(regex, request.head.path, request.decoded())?;
            Some(Taken { matched, pattern: Some(regex) })
        };
        self.patterns.iter().find_map(|pattern| taken(&pattern.regex))
    }
}

/// A request with its decoded path, made when the first expression asks for it.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head<'a>,
    octets: OnceCell<Option<Octets>>,
}

impl<'a> Request<'a> {
    pub(super) const fn new(head: &'a Head<'a>) -> Self {
        Self { head, octets: OnceCell::new() }
    }

    /// The decoded form of its path; the path itself where the octets are not UTF-8.
    pub(super) fn decoded(&self) -> &str {
        let octets = self.octets.get_or_init(|| decoded_octets(self.head.path));
        octets.as_ref().and_then(|octets| std::str::from_utf8(octets).ok()).unwrap_or(self.head.path)
    }
}
