//! A rule: what one way into a route asks of a request.

use std::{error::Error as StdError, fmt};

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
    Patterns(Vec<Pattern>),
}

/// A rule that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The field, `paths[1]`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Reads each element of the list `field`; those that cannot be read are pushed to `errors`.
pub(super) fn read<T, E: ToString>(
    field: &str,
    list: Option<&[String]>,
    parse: impl Fn(&str) -> Result<T, E>,
    errors: &mut Vec<RuleError>,
) -> Vec<T> {
    let mut read = Vec::new();
    for (at, text) in list.unwrap_or_default().iter().enumerate() {
        match parse(text) {
            Ok(value) => read.push(value),
            Err(error) => {
                errors.push(RuleError { field: format!("{field}[{at}]"), message: error.to_string() });
            }
        }
    }
    read
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl StdError for RuleError {}
