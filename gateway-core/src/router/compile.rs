//! From a route to ranked rules, by flavour.

use super::{
    Dialect, Flavor, compatible, expression, gateway_api, rank::Rank, rule::Rule, rule_error::RuleError,
    traditional,
};
use crate::config::Route;

/// What a flavour makes of one route.
pub(super) type Compile = fn(&Route, Dialect) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>>;

/// How `flavor` compiles routes.
pub(super) const fn compiler(flavor: Flavor) -> Compile {
    match flavor {
        Flavor::TraditionalCompatible => compatible::compile,
        Flavor::Traditional => traditional::compile,
        Flavor::Expressions => expression::compile,
        Flavor::GatewayApi => gateway_api::compile,
    }
}
