//! From a route to a ranked rule.

use super::{
    super::{
        Dialect,
        flavors::compatible,
        host::Host,
        predicate::Predicates,
        rank::Rank,
        rule::{Paths, Rule},
        rule_error::RuleError,
    },
    expression::{Expression, Parts},
    field::Subsystem,
};
use crate::config::Route;

/// The greatest priority: what Kong's takes beside a byte that lifts it above all other routes.
const HIGHEST: u64 = (1 << 46) - 1;

/// The rules of a route: of its expression, or of its fields as in `traditional_compatible`.
pub(in crate::router) fn compile(
    route: &Route,
    dialect: Dialect,
) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    let Some(expression) = Expression::of(route) else { return compatible::compile(route, dialect) };
    let mut errors = clashes(route);
    let Parts { keys, program } = match expression {
        Ok(expression) => expression.into_parts(),
        Err(error) => {
            errors.push(refused("expression", format!("Router Expression failed validation: {error}")));
            return Err(errors);
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    if Subsystem::of(&route.protocols) == Subsystem::Stream {
        return Ok(Vec::new());
    }
    let rank = Rank::Expression { priority: route.priority.unwrap_or_default(), id: route.id };
    let hosts = keys.hosts.into_iter().map(|name| Host { name, port: None }).collect();
    let path = Paths::Expression { prefixes: keys.prefixes, program };
    Ok(vec![(rank, Rule { hosts, path, predicates: Predicates::default() })])
}

/// What must not stand beside an expression (compat A39, R21): routes made in code are checked here only.
fn clashes(route: &Route) -> Vec<RuleError> {
    fn set<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    let texts = [&route.methods, &route.hosts, &route.paths, &route.snis];
    let addresses = [&route.sources, &route.destinations];
    let mut errors = Vec::new();
    if texts.into_iter().any(|list| set(list.as_ref()))
        || addresses.into_iter().any(|list| set(list.as_ref()))
        || route.headers.as_ref().is_some_and(|headers| !headers.is_empty())
    {
        let message = "cannot set 'expression' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously";
        errors.push(refused("expression", message.into()));
    }
    if route.priority.is_some_and(|priority| priority > HIGHEST) {
        errors.push(refused("priority", format!("value should be between 0 and {HIGHEST}")));
    }
    errors
}

fn refused(field: &str, message: String) -> RuleError {
    RuleError { field: field.into(), message }
}
