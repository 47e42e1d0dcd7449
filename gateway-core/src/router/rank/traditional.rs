//! The order of rules in the flavour `traditional`, as Kong's manual says.

use std::cmp::Reverse;

use uuid::Uuid;

use super::{super::host::Host, path_kind::PathKind, term::Term};
use crate::config::Route;

/// A rule's rank in Kong's manual: the greater one takes the request. Fields compare in the order they are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::router) struct TraditionalRank {
    /// How many kinds of fields are set.
    fields: u32,
    /// Which kinds, a bit each: hosts count for more than headers, and so on.
    kinds: u8,
    wildcard_with_port: bool,
    plain_hosts: bool,
    regex: bool,
    /// How many header names.
    headers: usize,
    /// A number of its own, on whatever host (compat R5 is not copied).
    regex_priority: i64,
    /// Of a prefix, or of the text of a template; 0 for expressions.
    length: usize,
    /// The older one wins.
    created_at: Reverse<u64>,
    /// Equal so far, which Kong leaves open: the larger id wins, as in its other flavours (compat D22).
    id: Uuid,
}

/// The kinds of fields, the weightiest first.
const KINDS: [&str; 7] = ["hosts", "headers", "paths", "methods", "snis", "sources", "destinations"];

impl TraditionalRank {
    pub(in crate::router) fn new(route: &Route, path: PathKind) -> Self {
        let kinds = kinds(route);
        let hosts = || route.hosts.iter().flatten();
        let regex = matches!(path, PathKind::Regex | PathKind::Template(_));
        Self {
            fields: kinds.count_ones(),
            kinds,
            wildcard_with_port: hosts().any(|host| is_wildcard_with_port(host)),
            plain_hosts: hosts().next().is_some() && !hosts().any(|host| host.contains('*')),
            regex,
            headers: route.headers.as_ref().map_or(0, indexmap::IndexMap::len),
            regex_priority: if regex { route.regex_priority } else { 0 },
            length: if let PathKind::Prefix(length) | PathKind::Template(length) = path { length } else { 0 },
            created_at: Reverse(route.created_at),
            id: route.id,
        }
    }

    /// Whether nothing but the id tells them apart.
    pub(in crate::router) fn ties(&self, other: &Self) -> bool {
        Self { id: other.id, ..self.clone() } == *other
    }

    /// What is compared, one after the other.
    pub(in crate::router) fn terms(&self) -> Vec<Term> {
        let bits = KINDS.iter().rev().enumerate().rev();
        let kinds = bits.filter(|(bit, _)| self.kinds >> bit & 1 == 1).map(|(_, name)| *name);
        vec![
            ("fields", self.fields.to_string()),
            ("kinds of fields", kinds.collect::<Vec<_>>().join(", ")),
            ("wildcard host with a port", self.wildcard_with_port.to_string()),
            ("plain hosts only", self.plain_hosts.to_string()),
            ("regex", self.regex.to_string()),
            ("headers", self.headers.to_string()),
            ("regex_priority", self.regex_priority.to_string()),
            ("length", self.length.to_string()),
            ("created_at", self.created_at.0.to_string()),
            ("id", self.id.to_string()),
        ]
    }
}

fn kinds(route: &Route) -> u8 {
    fn set<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    let kinds = [
        set(route.hosts.as_ref()),
        route.headers.as_ref().is_some_and(|headers| !headers.is_empty()),
        set(route.paths.as_ref()),
        set(route.methods.as_ref()),
        set(route.snis.as_ref()),
        set(route.sources.as_ref()),
        set(route.destinations.as_ref()),
    ];
    kinds.into_iter().fold(0, |bits, is_set| bits << 1 | u8::from(is_set))
}

fn is_wildcard_with_port(host: &str) -> bool {
    host.contains('*') && Host::parse(host).is_ok_and(|host| host.port.is_some())
}
