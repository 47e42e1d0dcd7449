//! From a route to ranked rules, by flavour.

use super::{
    super::{Dialect, Flavor, expression, rank::Rank, rule::Rule, rule_error::RuleError},
    compatible, gateway_api, traditional,
};
use crate::config::Route;

/// What a flavour makes of one route.
pub(in crate::router) type Compile = fn(&Route, Dialect) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>>;

/// How `flavor` compiles routes.
pub(in crate::router) const fn compiler(flavor: Flavor) -> Compile {
    match flavor {
        Flavor::TraditionalCompatible => compatible::compile,
        Flavor::Traditional => traditional::compile,
        Flavor::Expressions => expression::compile,
        Flavor::GatewayApi => gateway_api::compile,
    }
}
