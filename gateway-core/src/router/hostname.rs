//! The host names that a listener and a route have in common.

/// The names under which requests of a listener reach a route, as the Gateway API says: of each pair that has names in
/// common the narrower one. No name of the listener, and no names of the route, mean any.
///
/// `None`: they have nothing in common, so the route cannot be attached. An empty list: any name. Names are compared
/// without regard to case; a wildcard, `*.example.com`, stands for one label or more.
///
/// ```
/// use gateway_core::router::common_hostnames;
///
/// let route = ["test.example.com".to_owned(), "test.example.net".to_owned()];
/// assert_eq!(common_hostnames(Some("*.example.com"), &route), Some(vec!["test.example.com"]));
/// assert_eq!(common_hostnames(Some("example.org"), &route), None);
/// assert_eq!(common_hostnames(Some("example.org"), &[]), Some(vec!["example.org"]));
/// ```
#[must_use]
pub fn common_hostnames<'a>(listener: Option<&'a str>, route: &'a [String]) -> Option<Vec<&'a str>> {
    let Some(listener) = listener.filter(|name| !name.is_empty()) else {
        return Some(route.iter().map(String::as_str).collect());
    };
    if route.is_empty() {
        return Some(vec![listener]);
    }
    let mut common: Vec<&str> = Vec::new();
    for name in route.iter().filter_map(|name| narrower(listener, name)) {
        if !common.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            common.push(name);
        }
    }
    (!common.is_empty()).then_some(common)
}

/// The one of two names that covers nothing but what the other does too.
fn narrower<'a>(a: &'a str, b: &'a str) -> Option<&'a str> {
    if covers(a, b) {
        return Some(b);
    }
    covers(b, a).then_some(a)
}

/// Whether `wide` takes every name that `name` takes.
fn covers(wide: &str, name: &str) -> bool {
    let Some(suffix) = wide.strip_prefix('*') else { return wide.eq_ignore_ascii_case(name) };
    let labels = name.strip_prefix('*').unwrap_or(name);
    let start = labels.len().checked_sub(suffix.len());
    // Of the bare domain nothing is left for the wildcard.
    let long_enough = name.len() > suffix.len();
    long_enough
        && start.and_then(|start| labels.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(listener: &str, route: &[&str]) -> Option<Vec<String>> {
        let route: Vec<String> = route.iter().map(|name| (*name).to_owned()).collect();
        let common = common_hostnames(Some(listener).filter(|name| !name.is_empty()), &route)?;
        Some(common.into_iter().map(str::to_owned).collect())
    }

    fn names(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_listener_with_an_exact_name() {
        let listener = "test.example.com";
        assert_eq!(common(listener, &[]), names(&["test.example.com"]));
        assert_eq!(common(listener, &["test.example.com"]), names(&["test.example.com"]));
        assert_eq!(common(listener, &["*.example.com"]), names(&["test.example.com"]));
        assert_eq!(common(listener, &["TEST.example.com"]), names(&["TEST.example.com"]));
        assert_eq!(common(listener, &["*.test.example.com"]), None, "not the bare domain");
        assert_eq!(common(listener, &["other.example.com", "*.net"]), None);
    }

    #[test]
    fn a_listener_with_a_wildcard() {
        let listener = "*.example.com";
        for name in ["*.example.com", "test.example.com", "foo.test.example.com", "*.foo.example.com"] {
            assert_eq!(common(listener, &[name]), names(&[name]), "{name}");
        }
        for name in ["example.com", "test.example.net", "badexample.com", "*.net"] {
            assert_eq!(common(listener, &[name]), None, "{name}");
        }
        assert_eq!(common(listener, &["*.com"]), names(&["*.example.com"]));
        assert_eq!(
            common(listener, &["test.example.com", "test.example.net"]),
            names(&["test.example.com"]),
            "the others are ignored"
        );
    }

    #[test]
    fn a_name_is_given_once_and_none_is_any() {
        assert_eq!(common("a.example.com", &["*.example.com", "*.com"]), names(&["a.example.com"]));
        assert_eq!(common("", &["a.t", "*.t"]), names(&["a.t", "*.t"]));
        assert_eq!(common("", &[]), names(&[]));
    }
}
