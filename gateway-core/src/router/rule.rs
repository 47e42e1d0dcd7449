//! A rule: what one way into a route asks of a request.

use std::sync::Arc;

use super::{host::Host, path::Prefix, pattern::Pattern, predicate::Predicates};

/// What a request must have to take a route. A route is one rule or, with several paths, more (compat P44).
#[derive(Debug)]
pub(super) struct Rule {
    /// Any of these hosts; none: any host.
    pub(super) hosts: Vec<Host>,
    /// Where the path starts.
    pub(super) path: Paths,
    /// All that neither host nor path decides.
    pub(super) predicates: Predicates,
}

/// The paths of one rule: all of one kind.
#[derive(Debug)]
pub(super) enum Paths {
    /// Any path.
    Any,
    /// One of these prefixes.
    Prefixes(Vec<Prefix>),
    /// One of these expressions; the first in the route's order counts.
    Patterns(Vec<Arc<Pattern>>),
}

impl Paths {
    /// The texts under which the rule stands in an index, and its expressions.
    pub(super) fn into_keys(self) -> (Vec<String>, Box<[Arc<Pattern>]>) {
        let (mut keys, patterns): (Vec<String>, _) = match self {
            Self::Any => (vec![String::new()], Vec::new()),
            Self::Prefixes(prefixes) => {
                (prefixes.into_iter().map(|prefix| prefix.wire).collect(), Vec::new())
            }
            Self::Patterns(patterns) => {
                (patterns.iter().map(|pattern| pattern.literal.clone()).collect(), patterns)
            }
        };
        keys.sort_unstable();
        keys.dedup();
        (keys, patterns.into())
    }
}
