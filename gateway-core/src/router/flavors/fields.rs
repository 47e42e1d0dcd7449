//! Which routes and which of their fields a flavour reads.

use super::super::{Flavor, rule_error::RuleError};
use crate::config::{Protocol, Route};

/// Whether HTTP requests can take the route at all; a route for streams only has no rules.
pub(in crate::router) fn serves_http(route: &Route) -> bool {
    let http = |protocol: &Protocol| {
        matches!(protocol, Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs)
    };
    route.protocols.iter().any(http)
}

/// Refuses what belongs to another flavour than this one.
pub(in crate::router) fn refuse_foreign(route: &Route, flavor: Flavor, errors: &mut Vec<RuleError>) {
    let mut refuse = |field: &str, owner: &str| {
        errors.push(RuleError { field: field.into(), message: format!("belongs to the flavour {owner}") });
    };
    if route.expression.is_some() {
        refuse("expression", "expressions");
    }
    if route.queries.is_some() && flavor != Flavor::GatewayApi {
        refuse("queries", Flavor::GatewayApi.as_str());
    }
}
