//! A rule: what one way into a route asks of a request.

use std::sync::Arc;

use super::{
    expression::Program, host::Host, path::Prefix, pattern::Pattern, predicate::Predicates,
    template::Template, weight::Weight,
};

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

impl Rule {
    /// The regular expressions that it brings.
    pub(super) fn expressions(&self) -> impl Iterator<Item = Weight> {
        let paths: &[Arc<Pattern>] = if let Paths::Patterns(patterns) = &self.path { patterns } else { &[] };
        let paths = paths.iter().map(|pattern| Weight::new(0, &pattern.text, pattern.regex.memory()));
        let program = if let Paths::Expression { program, .. } = &self.path { Some(program) } else { None };
        let searches = program.into_iter().flat_map(Program::searches).chain(self.predicates.searches());
        paths.chain(searches.map(|regex| Weight::new(1, regex.as_str(), regex.memory())))
    }
}

/// The paths of one rule: all of one kind.
#[derive(Clone, Debug)]
pub(super) enum Paths {
    /// Any path.
    Any,
    /// One of these prefixes.
    Prefixes(Vec<Prefix>),
    /// One of these, of which a path element ends.
    Elements(Vec<Prefix>),
    /// One of these as a whole.
    Exact(Vec<Prefix>),
    /// One of these expressions; the first in the route's order counts.
    Patterns(Vec<Arc<Pattern>>),
    /// One of these templates; the first in the route's order counts.
    Templates(Vec<Arc<Template>>),
    /// What an expression says, of this and of all else. Every path that it takes starts with one of these prefixes,
    /// if there are any.
    Expression { prefixes: Vec<String>, program: Program },
}
