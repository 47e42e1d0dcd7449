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

/// The most pairs of a host and a path that one route may have: it stands in the index under each.
const MOST_PLACES: usize = 16_384;

/// Refuses what belongs to another flavour, and more hosts and paths than a route may have.
pub(in crate::router) fn refuse(route: &Route, flavor: Flavor, errors: &mut Vec<RuleError>) {
    refuse_foreign(route, flavor, errors);
    let count = |list: &Option<Vec<String>>| list.as_ref().map_or(1, |list| list.len().max(1));
    let (hosts, paths) = (count(&route.hosts), count(&route.paths));
    let places = hosts.saturating_mul(paths);
    if places > MOST_PLACES {
        let message = format!(
            "{hosts} hosts with {paths} paths each make {places} places to look at, allowed are {MOST_PLACES}: make several routes of it"
        );
        errors.push(RuleError { field: "paths".into(), message });
    }
}

/// Refuses what belongs to another flavour than this one.
fn refuse_foreign(route: &Route, flavor: Flavor, errors: &mut Vec<RuleError>) {
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
