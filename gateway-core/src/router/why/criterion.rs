//! What a rule asks of a request, one thing after the other, and how to say that the request has it not.

use std::fmt::{self, Write};

use http::Method;

use super::super::{
    Head, Unmet,
    captures::PathPattern,
    host::{Host, Name},
    path::{Prefix, decoded},
    pattern::Pattern,
    predicate::{Header, Predicates, Value},
    query::{self, Parameter},
    request::{self, Request},
    rule::{Paths, Rule},
    tail::ends_element,
};

/// One thing that a rule asks for.
#[derive(Clone, Copy)]
pub(in crate::router) enum Criterion<'r> {
    Host(&'r [Host]),
    Path(&'r Paths),
    Method(&'r [Method]),
    Header(&'r Header),
    Parameter(&'r Parameter),
    ServerName(&'r Predicates),
}

/// What a path of a rule took of a request's.
pub(in crate::router) struct PathTaken<'r> {
    /// Bytes of the path on the wire.
    pub(in crate::router) matched: usize,
    /// The expression or the template that did, if it was one.
    pub(in crate::router) pattern: Option<PathPattern<'r>>,
    /// The path as the rule writes it.
    pub(in crate::router) text: Option<String>,
}

impl Rule {
    /// All that it asks for, in the order in which people look for a mistake.
    pub(in crate::router) fn criteria(&self) -> impl Iterator<Item = Criterion<'_>> {
        let Self { hosts, path, predicates } = self;
        let host = (!hosts.is_empty()).then_some(Criterion::Host(hosts));
        let path = (!matches!(path, Paths::Any)).then_some(Criterion::Path(path));
        let method = (!predicates.methods.is_empty()).then_some(Criterion::Method(&predicates.methods));
        let sni = (!predicates.snis.is_empty()).then_some(Criterion::ServerName(predicates));
        let headers = predicates.headers.iter().map(Criterion::Header);
        let queries = predicates.queries.iter().map(Criterion::Parameter);
        [host, path, method].into_iter().flatten().chain(headers).chain(queries).chain(sni)
    }
}

impl Criterion<'_> {
    /// Whether the request has it.
    pub(in crate::router) fn fits(&self, head: &Head<'_>) -> bool {
        match self {
            Self::Host(hosts) => hosts.iter().any(|host| host.takes(head)),
            Self::Path(paths) => paths.taken(head).is_some(),
            Self::Method(methods) => methods.contains(head.method),
            Self::Header(header) => header.admit(head.headers),
            Self::Parameter(parameter) => parameter.admit(head.query),
            Self::ServerName(predicates) => predicates.admit_sni(head),
        }
    }

    /// How near the request comes, in bytes that agree: to tell which of many routes was meant.
    pub(in crate::router) fn nearness(&self, head: &Head<'_>) -> usize {
        match self {
            Self::Host(hosts) => hosts.iter().map(|host| host.nearness(head.host)).max().unwrap_or_default(),
            Self::Path(paths) => paths.nearness(head.path),
            _ => 0,
        }
    }

    /// That the request has it not.
    pub(in crate::router) fn unmet(&self, head: &Head<'_>) -> Unmet {
        let asks = self.to_string();
        let got = self.got(head);
        let says = match self {
            Self::Path(Paths::Prefixes(paths)) if paths.len() == 1 => {
                format!("{asks} is not a prefix of {got}")
            }
            Self::Path(Paths::Prefixes(_)) => format!("none of {asks} is a prefix of {got}"),
            Self::Path(Paths::Elements(_)) => format!("{got} is neither {asks} nor below"),
            Self::Path(Paths::Exact(_)) => format!("{got} is not {asks}"),
            Self::Path(_) => format!("{asks} does not match {got}"),
            _ => format!("asks {asks}, got {got}"),
        };
        Unmet { criterion: self.name(), asks, got, says }
    }

    fn name(&self) -> String {
        match self {
            Self::Host(_) => "host".into(),
            Self::Path(Paths::Expression { .. }) => "expression".into(),
            Self::Path(_) => "path".into(),
            Self::Method(_) => "method".into(),
            Self::Header(header) => format!("header {}", header.name),
            Self::Parameter(parameter) => format!("query {}", parameter.name),
            Self::ServerName(_) => "sni".into(),
        }
    }

    fn got(&self, head: &Head<'_>) -> String {
        match self {
            Self::Host(hosts) if hosts.iter().any(|host| host.port.is_some()) => {
                format!("{}:{}", head.host, head.port)
            }
            Self::Host(_) if head.host.is_empty() => "none".into(),
            Self::Host(_) => head.host.to_owned(),
            // Expressions see the decoded form.
            Self::Path(Paths::Patterns(_) | Paths::Templates(_)) => decoded(head.path).into_owned(),
            Self::Path(_) => head.path.to_owned(),
            Self::Method(_) => head.method.to_string(),
            Self::Header(header) => {
                let values = head.headers.get_all(&header.name).iter();
                list(values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()), " and ")
            }
            Self::Parameter(parameter) => parameter.first(head.query).unwrap_or_else(|| "none".into()),
            Self::ServerName(_) => head.sni.unwrap_or("none").to_owned(),
        }
    }
}

/// What is asked for: `1 or 2`.
impl fmt::Display for Criterion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Host(hosts) => list(hosts.iter().map(ToString::to_string), " or "),
            Self::Path(Paths::Any | Paths::Expression { .. }) => String::new(),
            Self::Path(Paths::Prefixes(paths) | Paths::Elements(paths) | Paths::Exact(paths)) => {
                list(paths.iter().map(|path| path.wire.clone()), " or ")
            }
            Self::Path(Paths::Patterns(paths)) => list(paths.iter().map(ToString::to_string), " or "),
            Self::Path(Paths::Templates(paths)) => list(paths.iter().map(ToString::to_string), " or "),
            Self::Method(methods) => list(methods.iter().map(ToString::to_string), " or "),
            Self::Header(header) => list(header.values.iter().map(ToString::to_string), " or "),
            Self::Parameter(parameter) => list(parameter.values.iter().map(ToString::to_string), " or "),
            Self::ServerName(predicates) => list(predicates.snis.iter().map(ToString::to_string), " or "),
        })
    }
}

/// A list as people write one, cut where it is long; `none` where it is empty.
fn list(items: impl Iterator<Item = String>, joint: &str) -> String {
    const MOST: usize = 5;
    let items: Vec<_> = items.collect();
    let mut text = items.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(joint);
    match items.len().checked_sub(MOST) {
        Some(more) if more > 0 => drop(write!(text, "{joint}{more} more")),
        _ if items.is_empty() => "none".clone_into(&mut text),
        _ => {}
    }
    text
}

impl Paths {
    /// What it takes of `path`, if anything.
    pub(in crate::router) fn taken(&self, head: &Head<'_>) -> Option<PathTaken<'_>> {
        let path = head.path;
        match self {
            Self::Any => Some(PathTaken { matched: 0, pattern: None, text: None }),
            Self::Prefixes(prefixes) => plain(prefixes, |prefix| path.starts_with(&prefix.wire)),
            Self::Elements(prefixes) => plain(prefixes, |prefix| {
                path.starts_with(&prefix.wire) && ends_element(path, prefix.wire.len())
            }),
            Self::Exact(paths) => plain(paths, |own| own.wire == path),
            Self::Templates(templates) => {
                let decoded = decoded(path);
                let template = templates.iter().find(|template| template.takes(&decoded))?;
                let (pattern, text) = (PathPattern::Template(template), template.to_string());
                Some(PathTaken { matched: path.len(), pattern: Some(pattern), text: Some(text) })
            }
            Self::Patterns(patterns) => {
                let decoded = decoded(path);
                patterns.iter().find_map(|pattern| {
                    let matched = pattern.end(path, &decoded)?;
                    let text = Some(pattern.to_string());
                    Some(PathTaken { matched, pattern: Some(PathPattern::Path(&pattern.regex)), text })
                })
            }
            Self::Expression { prefixes, program } => {
                let prefix = prefixes.iter().find(|prefix| path.starts_with(prefix.as_str()));
                let prefix = if prefixes.is_empty() { 0 } else { prefix?.len() };
                let request::Taken { matched, pattern } = program.take(prefix, &Request::new(head))?;
                Some(PathTaken { matched, pattern, text: None })
            }
        }
    }

    fn nearness(&self, path: &str) -> usize {
        let near = |own: &str| own.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
        match self {
            Self::Any => 0,
            Self::Prefixes(prefixes) | Self::Elements(prefixes) | Self::Exact(prefixes) => {
                prefixes.iter().map(|prefix| near(&prefix.wire)).max().unwrap_or_default()
            }
            Self::Templates(templates) => {
                templates.iter().map(|template| near(template.literal())).max().unwrap_or_default()
            }
            Self::Patterns(patterns) => {
                patterns.iter().map(|pattern| near(&pattern.literal)).max().unwrap_or_default()
            }
            Self::Expression { prefixes, .. } => {
                prefixes.iter().map(|prefix| near(prefix)).max().unwrap_or_default()
            }
        }
    }
}

/// The first of `paths` that takes the path.
fn plain(paths: &[Prefix], takes: impl Fn(&Prefix) -> bool) -> Option<PathTaken<'_>> {
    let path = paths.iter().find(|path| takes(path))?;
    Some(PathTaken { matched: path.wire.len(), pattern: None, text: Some(path.wire.clone()) })
}

impl Host {
    fn takes(&self, head: &Head<'_>) -> bool {
        self.name.matches(head.host) && self.port.is_none_or(|port| port == head.port)
    }

    /// Domains have their likeness at the end.
    fn nearness(&self, host: &str) -> usize {
        let (Name::Exact(own) | Name::EndsWith(own) | Name::StartsWith(own)) = &self.name;
        own.bytes().rev().zip(host.bytes().rev()).take_while(|(a, b)| a == b).count()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => self.name.fmt(f),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::EndsWith(end) => write!(f, "*{end}"),
            Self::StartsWith(start) => write!(f, "{start}*"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Exact(text) => f.write_str(text),
            Self::Pattern(pattern) => {
                let text = pattern.as_str();
                write!(f, "~*{}", text.strip_prefix("(?i)").unwrap_or(text))
            }
        }
    }
}

/// As a route writes it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~{}", self.text)
    }
}

impl fmt::Display for query::Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Pattern(pattern) => write!(f, "~{}", pattern.as_str()),
        }
    }
}
