//! The flavour `traditional_compatible`: a route becomes ranked rules.

use uuid::Uuid;

use super::{
    super::{
        Dialect,
        predicate::HeaderValues,
        rank::{PathKind, Priority, Rank},
        rule::Rule,
        rule_error::RuleError,
    },
    fields::{Fields, Reading},
};
use crate::config::Route;

/// The namespace of the ids by which the parts of one route break ties, as Kong makes them.
const PARTS: Uuid = Uuid::from_u128(0x7f14_5bf9_0dce_4f91_98eb_debb_ce4b_9f6b);

/// The rules of a route. A route for streams only has none; one without any field takes every request.
pub(in crate::router) fn compile(
    route: &Route,
    dialect: Dialect,
) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    let Some(fields) = Fields::read(route, dialect, &Reading::kong(HeaderValues::Each))? else {
        return Ok(Vec::new());
    };
    let is_split = route.paths.as_ref().is_some_and(|paths| paths.len() > 1);
    let rank = |kind| {
        let id = if is_split { part_id(route, kind) } else { route.id };
        Rank::Compatible(Priority::new(route, kind, id))
    };
    Ok(fields.rules(&fields.hosts, rank).collect())
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
