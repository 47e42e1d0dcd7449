//! The order of rules in the flavour `gateway_api`, as Kubernetes' Gateway API says for an `HTTPRoute`.

use std::{cmp::Reverse, sync::Arc};

use uuid::Uuid;

use super::{path_kind::PathKind, term::Term};
use crate::config::Route;

/// A rule's rank: the greater one takes the request. Fields compare in the order they are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::router) struct GatewayApiRank {
    host: HostRank,
    path: PathRank,
    /// Among expressions and templates; the specification leaves their order open.
    regex_priority: i64,
    /// Of a prefix, or of the text of a template; 0 for the others.
    length: usize,
    method: bool,
    headers: usize,
    queries: usize,
    /// The older one wins.
    created_at: Reverse<u64>,
    /// The first in alphabetical order wins, any before none.
    name: Reverse<(bool, Arc<str>)>,
    /// Only routes without a name are equal so far.
    id: Reverse<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::router) enum HostRank {
    Any,
    /// Of this length.
    Wildcard(usize),
    Exact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank {
    Prefix,
    Regex,
    Exact,
}

impl GatewayApiRank {
    pub(in crate::router) fn new(route: &Route, host: HostRank, kind: PathKind) -> Self {
        let (path, length) = match kind {
            // No path means `/`.
            PathKind::None => (PathRank::Prefix, 1),
            PathKind::Prefix(length) => (PathRank::Prefix, length),
            PathKind::Regex => (PathRank::Regex, 0),
            PathKind::Template(length) => (PathRank::Regex, length),
            PathKind::Exact => (PathRank::Exact, 0),
        };
        let names = |map: &Option<indexmap::IndexMap<_, _>>| map.as_ref().map_or(0, indexmap::IndexMap::len);
        Self {
            host,
            path,
            regex_priority: if path == PathRank::Regex { route.regex_priority } else { 0 },
            length,
            method: route.methods.as_ref().is_some_and(|methods| !methods.is_empty()),
            headers: names(&route.headers),
            queries: names(&route.queries),
            created_at: Reverse(route.created_at),
            name: Reverse((route.name.is_none(), route.name.as_deref().unwrap_or_default().into())),
            id: Reverse(route.id),
        }
    }

    /// Whether nothing but the id tells them apart.
    pub(in crate::router) fn ties(&self, other: &Self) -> bool {
        Self { id: other.id, ..self.clone() } == *other
    }

    /// What is compared, one after the other.
    pub(in crate::router) fn terms(&self) -> Vec<Term> {
        let host = match self.host {
            HostRank::Any => "any".to_owned(),
            HostRank::Wildcard(length) => format!("wildcard of {length}"),
            HostRank::Exact => "exact".to_owned(),
        };
        let path = match self.path {
            PathRank::Prefix => "prefix",
            PathRank::Regex => "regex",
            PathRank::Exact => "exact",
        };
        let Reverse((_, name)) = &self.name;
        vec![
            ("host", host),
            ("path", path.to_owned()),
            ("regex_priority", self.regex_priority.to_string()),
            ("length", self.length.to_string()),
            ("method", self.method.to_string()),
            ("headers", self.headers.to_string()),
            ("queries", self.queries.to_string()),
            ("created_at", self.created_at.0.to_string()),
            ("name", name.to_string()),
            ("id", self.id.0.to_string()),
        ]
    }
}
