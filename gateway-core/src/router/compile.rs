//! From a route to ranked rules, by flavour.

use super::{Flavor, compatible, rank::Rank, rule::Rule, rule_error::RuleError};
use crate::config::Route;

/// What a flavour makes of one route.
pub(super) type Compile = fn(&Route) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>>;

/// How `flavor` compiles routes.
pub(super) const fn compiler(flavor: Flavor) -> Compile {
    match flavor {
        Flavor::TraditionalCompatible => compatible::compile,
    }
}
