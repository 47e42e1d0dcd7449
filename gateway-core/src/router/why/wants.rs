//! What a rule asks for, in a form that two rules can be compared by.

use std::sync::Arc;

use http::{HeaderName, Method};

use super::{
    super::{
        host::{Host, Name},
        pattern::Pattern,
        predicate::Value,
        rank::PathKind,
        rule::{Paths, Rule},
        search_regex::SearchRegex,
    },
    simple::{example_of, start_of},
};

/// What a rule asks for.
pub(in crate::router) struct Wants {
    /// Any of these; none: any host.
    pub(in crate::router) hosts: Vec<Host>,
    /// Any of these.
    pub(in crate::router) paths: Vec<Want>,
    /// Any of these; none: any method.
    pub(in crate::router) methods: Vec<Method>,
    /// All of these names, each with any of its values.
    pub(in crate::router) headers: Vec<(HeaderName, Vec<HeaderWant>)>,
    /// How many parameters of the query; more is not known of them.
    pub(in crate::router) queries: usize,
    /// Any of these; none: any server name.
    pub(in crate::router) snis: Vec<Name>,
}

/// One value that is asked for.
#[derive(Clone, Debug)]
pub(in crate::router) enum HeaderWant {
    /// In lower case, compared without regard to it.
    Text(String),
    Exact(String),
    Pattern(Arc<SearchRegex>),
}

impl PartialEq for HeaderWant {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(own), Self::Text(other)) | (Self::Exact(own), Self::Exact(other)) => own == other,
            (Self::Pattern(own), Self::Pattern(other)) => own.as_str() == other.as_str(),
            _ => false,
        }
    }
}

/// One path that is asked for.
#[derive(Clone, Debug)]
pub(in crate::router) enum Want {
    Any,
    /// On the wire.
    Prefix(String),
    /// Whole elements, on the wire.
    Elements(String),
    /// All of the path, on the wire.
    Exact(String),
    /// A template, of which only is known how its paths start.
    Template {
        text: String,
        literal: String,
    },
    /// An expression, of which only is known how its paths start.
    Expression {
        literal: String,
    },
    Pattern {
        /// Compiled once, and not for each comparison.
        pattern: Arc<Pattern>,
        /// The prefix that takes the same paths, if there is one.
        same_as: Option<String>,
        /// A path that it takes, if one is easily made.
        example: Option<String>,
    },
}

impl Wants {
    pub(in crate::router) fn of(rule: Rule) -> Self {
        let Rule { hosts, path, predicates } = rule;
        let paths = match path {
            Paths::Any => vec![Want::Any],
            Paths::Prefixes(prefixes) => {
                prefixes.into_iter().map(|prefix| Want::Prefix(prefix.wire)).collect()
            }
            Paths::Patterns(patterns) => patterns.into_iter().map(Want::pattern).collect(),
            Paths::Elements(prefixes) => {
                prefixes.into_iter().map(|prefix| Want::Elements(prefix.wire)).collect()
            }
            Paths::Exact(paths) => paths.into_iter().map(|path| Want::Exact(path.wire)).collect(),
            Paths::Templates(templates) => {
                let want = |text: String, literal: &str| Want::Template { text, literal: literal.to_owned() };
                templates.iter().map(|template| want(template.to_string(), template.literal())).collect()
            }
            Paths::Expression { prefixes, .. } if prefixes.is_empty() => {
                vec![Want::Expression { literal: String::new() }]
            }
            Paths::Expression { prefixes, .. } => {
                prefixes.into_iter().map(|literal| Want::Expression { literal }).collect()
            }
        };
        let value = |value: &Value| match value {
            Value::Text(text) => HeaderWant::Text(text.to_ascii_lowercase()),
            Value::Exact(text) => HeaderWant::Exact(text.clone()),
            Value::Pattern(pattern) => HeaderWant::Pattern(Arc::clone(pattern)),
        };
        let headers = predicates.headers.iter();
        let headers = headers.map(|header| (header.name.clone(), header.values.iter().map(value).collect()));
        Self {
            hosts,
            paths,
            headers: headers.collect(),
            queries: predicates.queries.len(),
            methods: predicates.methods,
            snis: predicates.snis,
        }
    }

    /// Whether nothing but host and path counts, and how much does: what asks for little covers much.
    pub(in crate::router) fn weight(&self) -> usize {
        self.methods.len() + self.snis.len() + self.headers.len() + self.queries
    }
}

impl Paths {
    /// What they add to a rank.
    pub(in crate::router) fn kind(&self) -> PathKind {
        match self {
            Self::Any | Self::Expression { .. } => PathKind::None,
            Self::Prefixes(paths) | Self::Elements(paths) => {
                PathKind::Prefix(paths.first().map_or(0, |path| path.length))
            }
            Self::Exact(_) => PathKind::Exact,
            Self::Patterns(_) => PathKind::Regex,
            Self::Templates(paths) => PathKind::Template(paths.first().map_or(0, |path| path.length())),
        }
    }
}

impl Want {
    fn pattern(pattern: Arc<Pattern>) -> Self {
        let example = example_of(&pattern.text).filter(|path| pattern.takes(path));
        Self::Pattern { same_as: start_of(&pattern.text), example, pattern }
    }

    /// What every path that is taken starts with.
    pub(in crate::router) fn start(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Prefix(start) | Self::Elements(start) | Self::Exact(start) => start,
            Self::Template { literal, .. } | Self::Expression { literal } => literal,
            Self::Pattern { pattern, .. } => &pattern.literal,
        }
    }

    /// As a route writes it.
    pub(in crate::router) fn shown(&self) -> Option<String> {
        match self {
            Self::Any | Self::Expression { .. } => None,
            Self::Prefix(path) | Self::Elements(path) | Self::Exact(path) => Some(path.clone()),
            Self::Template { text, .. } => Some(text.clone()),
            Self::Pattern { pattern, .. } => Some(pattern.to_string()),
        }
    }
}
