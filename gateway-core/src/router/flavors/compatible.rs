//! The flavour `traditional_compatible`: a route becomes ranked rules.

use uuid::Uuid;

use super::{
    super::{
        Dialect,
        host::Host,
        predicate::{HeaderValues, Predicates},
        rank::Rank,
        rule::Rule,
        rule_error::{RuleError, read},
    },
    fields::{refuse, serves_http},
    paths::{Path, group},
    priority::{PathKind, Priority},
};
use crate::config::Route;

/// The namespace of the ids by which the parts of one route break ties, as Kong makes them.
const PARTS: Uuid = Uuid::from_u128(0x7f14_5bf9_0dce_4f91_98eb_debb_ce4b_9f6b);

/// The rules of a route. A route for streams only has none; one without any field takes every request.
pub(in crate::router) fn compile(
    route: &Route,
    dialect: Dialect,
) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    if !serves_http(route) {
        return Ok(Vec::new());
    }
    let mut errors = Vec::new();
    refuse(route, dialect.flavor, &mut errors);
    let hosts = read("hosts", route.hosts.as_deref(), Host::parse, &mut errors);
    let predicates = Predicates::new(route, HeaderValues::Each, &mut errors);
    let path = |text: &str| Path::parse(text, dialect);
    let paths = read("paths", route.paths.as_deref(), path, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let is_split = paths.len() > 1;
    let rank = |kind| {
        let id = if is_split { part_id(route, kind) } else { route.id };
        Rank::Compatible(Priority::new(route, kind, id))
    };
    let rule = |path| Rule { hosts: hosts.clone(), path, predicates: predicates.clone() };
    Ok(group(paths).into_iter().map(|(kind, paths)| (rank(kind), rule(paths))).collect())
}

/// A route with several paths breaks ties by ids of its groups, even where all are in one (compat P44).
fn part_id(route: &Route, kind: PathKind) -> Uuid {
    let part = match kind {
        PathKind::None => return route.id,
        PathKind::Prefix(length) => length.to_string(),
        PathKind::Regex => "true".to_owned(),
        // Not Kong's: it has neither.
        PathKind::Template(length) => format!("template{length}"),
        PathKind::Exact => "exact".to_owned(),
    };
    Uuid::new_v5(&PARTS, format!("{}#{part}", route.id).as_bytes())
}
