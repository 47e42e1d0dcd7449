//! What is left to check of a rule once host and prefix fit.

use regex::Regex;

use super::{
    expression::Program,
    predicate::Predicates,
    request::{Request, Taken},
};

/// What an index cannot decide.
#[derive(Debug)]
pub(super) enum Guard {
    /// All of the predicates, and one of the patterns, if there are any.
    Fields { patterns: Box<[Regex]>, predicates: Predicates },
    /// What host and prefix leave to ask of an expression, which says itself what it takes.
    Expression(Program),
}

impl Guard {
    /// Whether the rule takes the request, of whose path the first `prefix` bytes are the rule's prefix.
    pub(super) fn check(&self, prefix: usize, request: &Request<'_>) -> Option<Taken<'_>> {
        match self {
            Self::Fields { predicates, .. } if !predicates.admit(request.head) => None,
            Self::Fields { patterns, .. } if patterns.is_empty() => {
                Some(Taken { matched: prefix, pattern: None })
            }
            Self::Fields { patterns, .. } => patterns
                .iter()
                .find_map(|regex| Some(Taken { matched: request.end(regex)?, pattern: Some(regex) })),
            Self::Expression(program) => program.take(prefix, request),
        }
    }
}
