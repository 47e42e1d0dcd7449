//! The fields of a route, read as a flavour reads them.

use super::{
    super::{
        Dialect, Flavor,
        budget::Budget,
        host::Host,
        predicate::{HeaderValues, Predicates},
        rank::{PathKind, Rank},
        rule::{Paths, Rule},
        rule_error::{RuleError, read},
    },
    paths::{Path, group},
};
use crate::config::{Protocol, Route};

/// What a route asks for, its paths by what ranks them.
pub(super) struct Fields {
    pub(super) hosts: Vec<Host>,
    paths: Vec<(PathKind, Paths)>,
    predicates: Predicates,
}

/// How a flavour reads what others read in another way.
pub(super) struct Reading {
    pub(super) host: fn(&str) -> Result<Host, &'static str>,
    pub(super) header_values: HeaderValues,
    pub(super) path: fn(&str, Dialect) -> Result<Path, String>,
}

impl Reading {
    /// As Kong reads hosts and paths.
    pub(super) fn kong(header_values: HeaderValues) -> Self {
        Self { host: Host::parse, header_values, path: Path::parse }
    }
}

impl Fields {
    /// Those of `route`; nothing for a route for streams only, which has no rules.
    pub(super) fn read(
        route: &Route,
        dialect: Dialect,
        reading: &Reading,
    ) -> Result<Option<Self>, Vec<RuleError>> {
        if !serves_http(route) {
            return Ok(None);
        }
        let mut errors = Vec::new();
        refuse_foreign(route, dialect.flavor, &mut errors);
        refuse_many(route, &mut errors);
        let hosts = read("hosts", route.hosts.as_deref(), reading.host, &mut errors);
        let mut budget = Budget::default();
        let predicates = Predicates::new(route, reading.header_values, &mut budget, &mut errors);
        let path = |text: &str| (reading.path)(text, dialect);
        let paths = budget.read("paths", route.paths.as_deref(), path, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Some(Self { hosts, paths: group(paths), predicates }))
    }

    /// The rules under these of its hosts: one for each kind of path, with what `rank` makes of that.
    pub(super) fn rules(
        &self,
        hosts: &[Host],
        rank: impl Fn(PathKind) -> Rank,
    ) -> impl Iterator<Item = (Rank, Rule)> {
        self.paths.iter().map(move |(kind, path)| {
            let (hosts, predicates) = (hosts.to_vec(), self.predicates.clone());
            (rank(*kind), Rule { hosts, path: path.clone(), predicates })
        })
    }
}

/// Whether HTTP requests can take the route at all.
fn serves_http(route: &Route) -> bool {
    let http = |protocol: &Protocol| {
        matches!(protocol, Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs)
    };
    route.protocols.iter().any(http)
}

/// The most pairs of a host and a path that one route may have: it stands in the index under each.
const MOST_PLACES: usize = 16_384;

/// Refuses more hosts and paths than a route may have.
fn refuse_many(route: &Route, errors: &mut Vec<RuleError>) {
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
    if flavor == Flavor::Traditional {
        read("snis", route.snis.as_deref(), plain_sni, errors);
    }
}

/// Server names with wildcards are not for `traditional` (compat R10).
fn plain_sni(text: &str) -> Result<(), &'static str> {
    if text.contains('*') { Err("wildcards belong to the flavour traditional_compatible") } else { Ok(()) }
}
