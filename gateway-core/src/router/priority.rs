//! The order of rules in the flavour `traditional_compatible`, as observed (compat P43).

use uuid::Uuid;

use super::rank::Comparison;
use crate::config::Route;

/// A rule's rank: the greater one takes the request. Fields compare in the order they are written.
///
/// Kong packs the same fields into 64 bits, and its shifts work on 32 of them. That gives the order below, which
/// is not the one of its manual:
///
/// | Kong's bits | here |
/// | --- | --- |
/// | fields << 29, signed: four or more fill every bit above | `many`, then `plain_hosts` and `regex` are true as well |
/// | 60: hosts, none with a wildcard | `plain_hosts` |
/// | 51: a regular expression | `regex` |
/// | 29 and 30: the number of fields | `fields` |
/// | headers << 20 | `headers` |
/// | `regex_priority` << 19 | `regex_priority` |
/// | 0 to 18 | `length` |
///
/// One thing is not copied (compat D23): in Kong `regex_priority` runs into the bits of headers and fields and
/// comes round at 8192. Here it is a number of its own, so 8192 stands above 5, -1 below 0, and it only ever decides
/// between rules that are equal in all above it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority {
    many: bool,
    plain_hosts: bool,
    regex: bool,
    fields: u8,
    headers: u8,
    regex_priority: i64,
    length: usize,
    /// Equal so far: the larger id wins (compat D22).
    id: Uuid,
}

/// What the paths of a rule add to its rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathKind {
    None,
    /// Prefixes of this many bytes, decoded as Kong stores them.
    Prefix(usize),
    Regex,
}

impl Priority {
    /// The rank of a rule of `route` with paths of this kind. `id` is the route's, or the rule's own where the
    /// route has several.
    pub(super) fn new(route: &Route, path: PathKind, id: Uuid) -> Self {
        let fields = fields(route);
        let many = fields >= 4;
        let regex = path == PathKind::Regex;
        let headers = route.headers.as_ref().map_or(0, indexmap::IndexMap::len);
        Self {
            many,
            plain_hosts: many || has_plain_hosts(route),
            regex: many || regex,
            fields,
            headers: u8::try_from(headers).unwrap_or(u8::MAX),
            regex_priority: if regex { route.regex_priority } else { 0 },
            length: if let PathKind::Prefix(length) = path { length } else { 0 },
            id,
        }
    }

    /// The first comparison that puts this one below `winner`.
    pub(super) fn lost(&self, winner: &Self) -> Comparison {
        let than = |what: &str, own: i128, other: i128| format!("{what}: {own} against {other}");
        let (own, other) = (self, winner);
        let numbers = [
            ("fields", "fewer fields set", own.fields.into(), other.fields.into()),
            ("headers", "fewer headers", own.headers.into(), other.headers.into()),
            (
                "regex_priority",
                "lower regex_priority",
                own.regex_priority.into(),
                other.regex_priority.into(),
            ),
            ("length", "shorter prefix", own.length as i128, other.length as i128),
        ];
        if own.many != other.many {
            let counts = than("fewer than four fields set", own.fields.into(), other.fields.into());
            return Comparison::new("four_fields", counts);
        }
        if own.plain_hosts != other.plain_hosts {
            let why = "plain hosts and nothing else in `hosts` come before all other hosts and none";
            return Comparison::new("plain_hosts", why);
        }
        if own.regex != other.regex {
            return Comparison::new("regex", "a regular expression comes before a prefix and no path");
        }
        match numbers.into_iter().find(|(.., own, other)| own != other) {
            Some((by, what, own, other)) => Comparison::new(by, than(what, own, other)),
            None => Comparison::tie(),
        }
    }
}

/// How many of the fields that pick requests are set.
fn fields(route: &Route) -> u8 {
    fn set<T>(list: Option<&Vec<T>>) -> u8 {
        u8::from(list.is_some_and(|list| !list.is_empty()))
    }
    let headers = u8::from(route.headers.as_ref().is_some_and(|headers| !headers.is_empty()));
    let names = set(route.methods.as_ref()) + set(route.hosts.as_ref()) + set(route.snis.as_ref());
    let addresses = set(route.sources.as_ref()) + set(route.destinations.as_ref());
    names + set(route.paths.as_ref()) + addresses + headers
}

fn has_plain_hosts(route: &Route) -> bool {
    let hosts = route.hosts.as_deref().unwrap_or_default();
    !hosts.is_empty() && hosts.iter().all(|host| !host.contains('*'))
}
