//! The paths of a rule as an index keeps them: keys that a path starts with, and what must follow.

use std::sync::Arc;

use super::{
    captures::PathPattern,
    expression::Program,
    pattern::Pattern,
    request::{Request, Taken},
    rule::Paths,
    template::Template,
};

/// What is left to check of a path that starts with one of a rule's keys.
#[derive(Debug)]
pub(super) enum Tail {
    /// Nothing.
    Any,
    /// That it ends there.
    End,
    /// That a path element ends there.
    Element,
    /// That one of these takes it; the first counts.
    Patterns(Box<[Arc<Pattern>]>),
    /// That one of these takes it; the first counts.
    Templates(Box<[Arc<Template>]>),
    /// What host and prefix leave to ask of an expression, which says itself what it takes.
    Expression(Program),
}

impl Paths {
    /// The texts under which a rule stands, and what is left to check.
    pub(super) fn into_keys(self) -> (Vec<String>, Tail) {
        let (mut keys, tail): (Vec<String>, _) = match self {
            Self::Any => (vec![String::new()], Tail::Any),
            Self::Prefixes(prefixes) => (prefixes.into_iter().map(|prefix| prefix.wire).collect(), Tail::Any),
            Self::Elements(prefixes) => {
                (prefixes.into_iter().map(|prefix| prefix.wire).collect(), Tail::Element)
            }
            Self::Exact(paths) => (paths.into_iter().map(|path| path.wire).collect(), Tail::End),
            Self::Patterns(patterns) => {
                let keys = patterns.iter().map(|pattern| pattern.literal.clone()).collect();
                (keys, Tail::Patterns(patterns.into()))
            }
            Self::Templates(templates) => {
                let keys = templates.iter().map(|template| template.literal().to_owned()).collect();
                (keys, Tail::Templates(templates.into()))
            }
            Self::Expression { prefixes, program } if prefixes.is_empty() => {
                (vec![String::new()], Tail::Expression(program))
            }
            Self::Expression { prefixes, program } => (prefixes, Tail::Expression(program)),
        };
        keys.sort_unstable();
        keys.dedup();
        (keys, tail)
    }
}

impl Tail {
    /// The expressions of which one must take the path.
    pub(super) fn patterns(&self) -> &[Arc<Pattern>] {
        if let Self::Patterns(patterns) = self { patterns } else { &[] }
    }

    /// What of the path is taken, if what follows the first `prefix` bytes fits.
    pub(super) fn check(&self, prefix: usize, request: &Request<'_>) -> Option<Taken<'_>> {
        let path = request.head.path;
        let plain = Taken { matched: prefix, pattern: None };
        match self {
            Self::Any => Some(plain),
            Self::End => (prefix == path.len()).then_some(plain),
            Self::Element => ends_element(path, prefix).then_some(plain),
            Self::Patterns(patterns) => patterns.iter().find_map(|pattern| {
                let matched = pattern.end(path, request.path())?;
                Some(Taken { matched, pattern: Some(PathPattern::Path(&pattern.regex)) })
            }),
            Self::Templates(templates) => {
                let template = templates.iter().find(|template| template.takes(request.path()))?;
                Some(Taken { matched: path.len(), pattern: Some(PathPattern::Template(template)) })
            }
            Self::Expression(program) => program.take(prefix, request),
        }
    }
}

/// Whether the first `prefix` bytes of `path` are whole elements: `/x` of `/x` and `/x/y`, and not of `/xy`.
pub(super) fn ends_element(path: &str, prefix: usize) -> bool {
    let byte = |at: usize| path.as_bytes().get(at);
    let ends_before = prefix.checked_sub(1).and_then(byte) == Some(&b'/');
    ends_before || byte(prefix).is_none_or(|next| *next == b'/')
}
