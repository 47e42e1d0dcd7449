//! The order of Kong's manual, which is that of its flavour `traditional` (compat P43c).

use std::cmp::{Ordering, Reverse};

use crate::config::Route;

/// One of two routes to be compared, by one of its paths.
pub(super) struct Side<'r> {
    pub(super) route: &'r Route,
    /// As the route writes it; none for a route without paths.
    pub(super) path: Option<String>,
}

/// Which of two routes the manual puts first: `Greater` is the first one.
pub(super) fn order(a: &Side<'_>, b: &Side<'_>) -> Ordering {
    a.key().cmp(&b.key())
}

/// What is compared, in its order.
type Key = (usize, usize, bool, i64, usize, Reverse<u64>);

impl Side<'_> {
    fn key(&self) -> Key {
        let path = self.path.as_deref().unwrap_or_default();
        let regex = path.starts_with('~');
        let priority = if regex { self.route.regex_priority } else { 0 };
        let headers = self.route.headers.as_ref().map_or(0, indexmap::IndexMap::len);
        (fields(self.route), headers, regex, priority, path.len(), Reverse(self.route.created_at))
    }
}

fn fields(route: &Route) -> usize {
    let set = |list: Option<usize>| usize::from(list.is_some_and(|length| length > 0));
    set(route.methods.as_ref().map(Vec::len))
        + set(route.hosts.as_ref().map(Vec::len))
        + set(route.headers.as_ref().map(indexmap::IndexMap::len))
        + set(route.paths.as_ref().map(Vec::len))
        + set(route.snis.as_ref().map(Vec::len))
        + set(route.sources.as_ref().map(Vec::len))
        + set(route.destinations.as_ref().map(Vec::len))
}
