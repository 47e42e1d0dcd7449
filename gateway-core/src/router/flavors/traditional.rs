//! The flavour `traditional`: a route becomes rules ranked as Kong's manual says.

use super::{
    super::{
        Dialect,
        predicate::HeaderValues,
        rank::{Rank, TraditionalRank},
        rule::Rule,
        rule_error::RuleError,
    },
    fields::{Fields, Reading},
};
use crate::config::Route;

/// The rules of a route. A route for streams only has none; one without any field takes every request.
///
/// Kong makes one rule of each path. Paths of one rank stay together here, which comes to the same: nothing that is
/// ranked stands between them.
pub(in crate::router) fn compile(
    route: &Route,
    dialect: Dialect,
) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    let Some(fields) = Fields::read(route, dialect, &Reading::kong(HeaderValues::Single))? else {
        return Ok(Vec::new());
    };
    let rank = |kind| Rank::Traditional(TraditionalRank::new(route, kind));
    Ok(fields.rules(&fields.hosts, rank).collect())
}
