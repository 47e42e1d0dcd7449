//! The order of rules in the flavour `traditional_compatible`, as observed (compat P43).

use uuid::Uuid;

use super::{path_kind::PathKind, term::Term};
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
///
/// A template, which Kong does not have, ranks as an expression; `length` is that of its text, so it stands above the
/// expressions of its `regex_priority`, and the one that says more above the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::router) struct Priority {
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

impl Priority {
    /// The rank of a rule of `route` with paths of this kind. `id` is the route's, or the rule's own where the
    /// route has several.
    pub(in crate::router) fn new(route: &Route, path: PathKind, id: Uuid) -> Self {
        let fields = fields(route);
        let many = fields >= 4;
        let regex = matches!(path, PathKind::Regex | PathKind::Template(_));
        let headers = route.headers.as_ref().map_or(0, indexmap::IndexMap::len);
        Self {
            many,
            plain_hosts: many || has_plain_hosts(route),
            regex: many || regex,
            fields,
            headers: u8::try_from(headers).unwrap_or(u8::MAX),
            regex_priority: if regex { route.regex_priority } else { 0 },
            length: if let PathKind::Prefix(length) | PathKind::Template(length) = path { length } else { 0 },
            id,
        }
    }

    /// Whether nothing but the id tells them apart.
    pub(in crate::router) fn ties(&self, other: &Self) -> bool {
        Self { id: other.id, ..self.clone() } == *other
    }

    /// What is compared, one after the other.
    pub(in crate::router) fn terms(&self) -> Vec<Term> {
        vec![
            ("four fields or more", self.many.to_string()),
            ("plain hosts only", self.plain_hosts.to_string()),
            ("regex", self.regex.to_string()),
            ("fields", self.fields.to_string()),
            ("headers", self.headers.to_string()),
            ("regex_priority", self.regex_priority.to_string()),
            ("length", self.length.to_string()),
            ("id", self.id.to_string()),
        ]
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
