//! The flavour `gateway_api`: a route becomes rules ranked as Kubernetes' Gateway API ranks those of an `HTTPRoute`.
//!
//! Kong's [`Route`] has no exact path. One is written as Kong's ingress controller writes it: `~/x$`, an expression
//! that is a literal with an end anchor.

use super::{
    super::{
        Dialect,
        host::{Host, Name},
        path::{Prefix, decoded},
        pattern::whole_literal,
        predicate::HeaderValues,
        rank::{GatewayApiRank, HostRank, Rank},
        rule::Rule,
        rule_error::RuleError,
    },
    fields::{Fields, Reading},
    paths::Path,
};
use crate::config::Route;

/// The rules of a route: one for each kind of host and of path, as both rank it. A route for streams only has none;
/// one without any field takes every request.
pub(in crate::router) fn compile(
    route: &Route,
    dialect: Dialect,
) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
    let reading = Reading { host, header_values: HeaderValues::Exact, path };
    let Some(fields) = Fields::read(route, dialect, &reading)? else { return Ok(Vec::new()) };
    let mut rules = Vec::new();
    for (host, hosts) in group_hosts(&fields.hosts) {
        let rank = |kind| Rank::GatewayApi(GatewayApiRank::new(route, host, kind));
        rules.extend(fields.rules(&hosts, rank));
    }
    Ok(rules)
}

/// A host name; a wildcard stands for one label or more, at the start.
fn host(text: &str) -> Result<Host, &'static str> {
    let host = Host::parse(text)?;
    match &host.name {
        Name::Exact(_) => Ok(host),
        Name::EndsWith(end) if end.starts_with('.') && end.len() > 1 => Ok(host),
        _ => Err("a wildcard is the first label of a name: *.example.com"),
    }
}

/// `/x`: the element `x` and what is below it. `~/x$`: this path. `~/x.*`: an expression.
fn path(text: &str, dialect: Dialect) -> Result<Path, String> {
    Ok(match Path::parse(text, dialect)? {
        Path::Prefix(prefix) => Path::Elements(without_slash(prefix)),
        Path::Pattern(pattern) => match exact(text) {
            Some(path) => Path::Exact(path),
            None => Path::Pattern(pattern),
        },
        other => other,
    })
}

/// A final slash of a prefix does not count, but of `/` it is all.
fn without_slash(mut prefix: Prefix) -> Prefix {
    if prefix.wire.len() > 1 && prefix.wire.ends_with('/') {
        prefix.wire.pop();
        prefix.length -= 1;
    }
    prefix
}

/// The path that is all that an expression takes. One that no request has, with `//` or dots, stays an expression.
fn exact(text: &str) -> Option<Prefix> {
    let literal = whole_literal(text.strip_prefix('~')?)?;
    let path = Prefix::new(&literal);
    (decoded(&path.wire) == literal).then_some(path)
}

/// Of exact names no more than one fits a request, so they stand together; wildcards do by their length.
fn group_hosts(hosts: &[Host]) -> Vec<(HostRank, Vec<Host>)> {
    if hosts.is_empty() {
        return vec![(HostRank::Any, Vec::new())];
    }
    let mut groups: Vec<(HostRank, Vec<Host>)> = Vec::new();
    for host in hosts {
        let rank = match &host.name {
            Name::Exact(_) => HostRank::Exact,
            Name::EndsWith(rest) | Name::StartsWith(rest) => HostRank::Wildcard(rest.len() + 1),
        };
        match groups.iter_mut().find(|(own, _)| *own == rank) {
            Some((_, group)) => group.push(host.clone()),
            None => groups.push((rank, vec![host.clone()])),
        }
    }
    groups
}
