//! The flavour `traditional_compatible`: a route becomes ranked rules.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    host::Host,
    path::Prefix,
    pattern::Pattern,
    predicate::Predicates,
    priority::{PathKind, Priority},
    rank::Rank,
    rule::{Paths, Rule},
    rule_error::{RuleError, read},
};
use crate::config::{Protocol, Route};

/// The namespace of the ids by which the parts of one route break ties, as Kong makes them.
const PARTS: Uuid = Uuid::from_u128(0x7f14_5bf9_0dce_4f91_98eb_debb_ce4b_9f6b);

/// The rules of a route. A route for streams only has none; one without any field takes every request.
pub(super) fn compile(route: &Route) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    if !route.protocols.iter().any(|protocol| serves_http(*protocol)) {
        return Ok(Vec::new());
    }
    let mut errors = Vec::new();
    if route.expression.is_some() {
        let message = "belongs to the flavour expressions".to_owned();
        errors.push(RuleError { field: "expression".into(), message });
    }
    let hosts = read("hosts", route.hosts.as_deref(), Host::parse, &mut errors);
    let predicates = Predicates::new(route, &mut errors);
    let paths = read("paths", route.paths.as_deref(), Path::parse, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let rule = |path| Rule { hosts: hosts.clone(), path, predicates: predicates.clone() };
    let parts = split(route, paths).into_iter();
    Ok(parts.map(|(kind, id, path)| (Rank::Compatible(Priority::new(route, kind, id)), rule(path))).collect())
}

fn serves_http(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs)
}

/// One path of a route.
enum Path {
    Prefix(Prefix),
    Pattern(Arc<Pattern>),
}

impl Path {
    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix('~') {
            Some(pattern) => Pattern::new(pattern).map(Self::Pattern),
            None if text.starts_with('/') => Ok(Self::Prefix(Prefix::new(text))),
            None => Err("should start with: / (fixed path) or ~/ (regex path)".into()),
        }
    }

    fn kind(&self) -> PathKind {
        match self {
            Self::Prefix(prefix) => PathKind::Prefix(prefix.length),
            Self::Pattern(_) => PathKind::Regex,
        }
    }
}

/// Groups paths into all expressions and the prefixes of each length (compat P44).
fn split(route: &Route, paths: Vec<Path>) -> Vec<(PathKind, Uuid, Paths)> {
    if paths.is_empty() {
        return vec![(PathKind::None, route.id, Paths::Any)];
    }
    let is_split = paths.len() > 1;
    let mut groups: Vec<(PathKind, Vec<Path>)> = Vec::new();
    for path in paths {
        match groups.iter_mut().find(|(kind, _)| *kind == path.kind()) {
            Some((_, group)) => group.push(path),
            None => groups.push((path.kind(), vec![path])),
        }
    }
    let id = |kind| if is_split { part_id(route, kind) } else { route.id };
    groups.into_iter().map(|(kind, paths)| (kind, id(kind), gather(paths))).collect()
}

fn gather(paths: Vec<Path>) -> Paths {
    let (mut prefixes, mut patterns) = (Vec::new(), Vec::new());
    for path in paths {
        match path {
            Path::Prefix(prefix) => prefixes.push(prefix),
            Path::Pattern(pattern) => patterns.push(pattern),
        }
    }
    if patterns.is_empty() { Paths::Prefixes(prefixes) } else { Paths::Patterns(patterns) }
}

/// A route with several paths breaks ties by ids of its groups, even where all are in one.
fn part_id(route: &Route, kind: PathKind) -> Uuid {
    let name = match kind {
        PathKind::None => return route.id,
        PathKind::Prefix(length) => format!("{}#{length}", route.id),
        PathKind::Regex => format!("{}#true", route.id),
    };
    Uuid::new_v5(&PARTS, name.as_bytes())
}
