//! The flavour `gateway_api`: a route becomes rules ranked as Kubernetes' Gateway API ranks those of an `HTTPRoute`.
//!
//! Kong's [`Route`] has no exact path. One is written as Kong's ingress controller writes it: `~/x$`, an expression
//! that is a literal with an end anchor.

use std::{cmp::Reverse, sync::Arc};

use uuid::Uuid;

use super::{
    super::{
        Dialect,
        host::{Host, Name},
        path::{Prefix, decoded},
        pattern::whole_literal,
        predicate::HeaderValues,
        rank::{Rank, Term},
        rule::Rule,
        rule_error::RuleError,
    },
    fields::{Fields, Reading},
    paths::Path,
    priority::PathKind,
};
use crate::config::Route;

/// The rules of a route: one for each kind of host and of path, as both rank it. A route for streams only has none;
/// one without any field takes every request.
pub(in crate::router) fn compile(
    route: &Route,
    dialect: Dialect,
) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    let reading = Reading { host, header_values: HeaderValues::Exact, path };
    let Some(fields) = Fields::read(route, dialect, &reading)? else { return Ok(Vec::new()) };
    let mut rules = Vec::new();
    for (host, hosts) in group_hosts(&fields.hosts) {
        let rank = |kind| Rank::GatewayApi(GatewayApiRank::new(route, host, kind));
        rules.extend(fields.rules(&hosts, rank));
    }
    Ok(rules)
}

/// A host name; a wildcard stands for one label or more, at the start.
fn host(text: &str) -> Result<Host, &'static str> {
    let host = Host::parse(text)?;
    match &host.name {
        Name::Exact(_) => Ok(host),
        Name::EndsWith(end) if end.starts_with('.') && end.len() > 1 => Ok(host),
        _ => Err("a wildcard is the first label of a name: *.example.com"),
    }
}

/// `/x`: the element `x` and what is below it. `~/x$`: this path. `~/x.*`: an expression.
fn path(text: &str, dialect: Dialect) -> Result<Path, String> {
    Ok(match Path::parse(text, dialect)? {
        Path::Prefix(prefix) => Path::Elements(without_slash(prefix)),
        Path::Pattern(pattern) => match exact(text) {
            Some(path) => Path::Exact(path),
            None => Path::Pattern(pattern),
        },
        other => other,
    })
}

/// A final slash of a prefix does not count, but of `/` it is all.
fn without_slash(mut prefix: Prefix) -> Prefix {
    if prefix.wire.len() > 1 && prefix.wire.ends_with('/') {
        prefix.wire.pop();
        prefix.length -= 1;
    }
    prefix
}

/// The path that is all that an expression takes. One that no request has, with `//` or dots, stays an expression.
fn exact(text: &str) -> Option<Prefix> {
    let literal = whole_literal(text.strip_prefix('~')?)?;
    let path = Prefix::new(&literal);
    (decoded(&path.wire) == literal).then_some(path)
}

/// Of exact names no more than one fits a request, so they stand together; wildcards do by their length.
fn group_hosts(hosts: &[Host]) -> Vec<(HostRank, Vec<Host>)> {
    if hosts.is_empty() {
        return vec![(HostRank::Any, Vec::new())];
    }
    let mut groups: Vec<(HostRank, Vec<Host>)> = Vec::new();
    for host in hosts {
        let rank = match &host.name {
            Name::Exact(_) => HostRank::Exact,
            Name::EndsWith(rest) | Name::StartsWith(rest) => HostRank::Wildcard(rest.len() + 1),
        };
        match groups.iter_mut().find(|(own, _)| *own == rank) {
            Some((_, group)) => group.push(host.clone()),
            None => groups.push((rank, vec![host.clone()])),
        }
    }
    groups
}

/// A rule's rank: the greater one takes the request. Fields compare in the order they are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::router) struct GatewayApiRank {
    host: HostRank,
    path: PathRank,
    /// Among expressions and templates; the specification leaves their order open.
    regex_priority: i64,
    /// Of a prefix, or of the text of a template; 0 for the others.
    length: usize,
    method: bool,
    headers: usize,
    queries: usize,
    /// The older one wins.
    created_at: Reverse<u64>,
    /// The first in alphabetical order wins, any before none.
    name: Reverse<(bool, Arc<str>)>,
    /// Only routes without a name are equal so far.
    id: Reverse<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostRank {
    Any,
    /// Of this length.
    Wildcard(usize),
    Exact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank {
    Prefix,
    Regex,
    Exact,
}

impl GatewayApiRank {
    fn new(route: &Route, host: HostRank, kind: PathKind) -> Self {
        let (path, length) = match kind {
            // No path means `/`.
            PathKind::None => (PathRank::Prefix, 1),
            PathKind::Prefix(length) => (PathRank::Prefix, length),
            PathKind::Regex => (PathRank::Regex, 0),
            PathKind::Template(length) => (PathRank::Regex, length),
            PathKind::Exact => (PathRank::Exact, 0),
        };
        let names = |map: &Option<indexmap::IndexMap<_, _>>| map.as_ref().map_or(0, indexmap::IndexMap::len);
        Self {
            host,
            path,
            regex_priority: if path == PathRank::Regex { route.regex_priority } else { 0 },
            length,
            method: route.methods.as_ref().is_some_and(|methods| !methods.is_empty()),
            headers: names(&route.headers),
            queries: names(&route.queries),
            created_at: Reverse(route.created_at),
            name: Reverse((route.name.is_none(), route.name.as_deref().unwrap_or_default().into())),
            id: Reverse(route.id),
        }
    }

    /// Whether nothing but the id tells them apart.
    pub(in crate::router) fn ties(&self, other: &Self) -> bool {
        Self { id: other.id, ..self.clone() } == *other
    }

    /// What is compared, one after the other.
    pub(in crate::router) fn terms(&self) -> Vec<Term> {
        let host = match self.host {
            HostRank::Any => "any".to_owned(),
            HostRank::Wildcard(length) => format!("wildcard of {length}"),
            HostRank::Exact => "exact".to_owned(),
        };
        let path = match self.path {
            PathRank::Prefix => "prefix",
            PathRank::Regex => "regex",
            PathRank::Exact => "exact",
        };
        let Reverse((_, name)) = &self.name;
        vec![
            ("host", host),
            ("path", path.to_owned()),
            ("regex_priority", self.regex_priority.to_string()),
            ("length", self.length.to_string()),
            ("method", self.method.to_string()),
            ("headers", self.headers.to_string()),
            ("queries", self.queries.to_string()),
            ("created_at", self.created_at.0.to_string()),
            ("name", name.to_string()),
            ("id", self.id.0.to_string()),
        ]
    }
}
