//! What a rule asks for, in a form that two rules can be compared by.

use http::{HeaderName, Method};

use super::{
    host::{Host, Name},
    rule::{Paths, Rule},
    simple::start_of,
};

/// What a rule asks for.
pub(super) struct Wants {
    /// Any of these; none: any host.
    pub(super) hosts: Vec<Host>,
    /// Any of these.
    pub(super) paths: Vec<Want>,
    /// Any of these; none: any method.
    pub(super) methods: Vec<Method>,
    /// All of these names, each with any of its values: texts in lower case, `~*` and expressions.
    pub(super) headers: Vec<(HeaderName, Vec<String>)>,
    /// Any of these; none: any server name.
    pub(super) snis: Vec<Name>,
}

/// One path that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Want {
    Any,
    /// On the wire.
    Prefix(String),
    Pattern {
        /// As the route writes it, without `~`.
        text: String,
        /// What every path that matches starts with.
        literal: String,
        /// The prefix that takes the same paths, if there is one.
        same_as: Option<String>,
    },
}

impl Wants {
    pub(super) fn of(rule: Rule) -> Self {
        let Rule { hosts, path, predicates } = rule;
        let paths = match path {
            Paths::Any => vec![Want::Any],
            Paths::Prefixes(prefixes) => {
                prefixes.into_iter().map(|prefix| Want::Prefix(prefix.wire)).collect()
            }
            Paths::Patterns(patterns) => {
                patterns.iter().map(|pattern| Want::pattern(&pattern.to_string(), &pattern.literal)).collect()
            }
        };
        let value = |value: String| if value.starts_with("~*") { value } else { value.to_ascii_lowercase() };
        let headers = predicates.headers.iter().map(|header| {
            (header.name.clone(), header.values.iter().map(|own| value(own.to_string())).collect())
        });
        Self {
            hosts,
            paths,
            methods: predicates.methods.clone(),
            headers: headers.collect(),
            snis: predicates.snis,
        }
    }

    /// Whether nothing but host and path counts, and how much does: what asks for little covers much.
    pub(super) fn weight(&self) -> usize {
        self.methods.len() + self.snis.len() + self.headers.len()
    }
}

impl Want {
    fn pattern(shown: &str, literal: &str) -> Self {
        let text = shown.strip_prefix('~').unwrap_or(shown).to_owned();
        Self::Pattern { same_as: start_of(&text), text, literal: literal.to_owned() }
    }

    /// What every path that is taken starts with.
    pub(super) fn start(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Prefix(start) | Self::Pattern { literal: start, .. } => start,
        }
    }

    /// As a route writes it.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Prefix(prefix) => Some(prefix.clone()),
            Self::Pattern { text, .. } => Some(format!("~{text}")),
        }
    }
}
