//! Whether one rule takes all that another takes, and whether both take anything.
//!
//! Both questions are answered `true` only where that is sure: what these functions cannot see is `false`.

use http::HeaderName;

use super::{
    super::{
        host::{Host, Name},
        pattern::Pattern,
    },
    shelves::Spot,
    wants::{HeaderWant, Want, Wants},
};

impl Wants {
    /// Whether it takes, by its host and path of this spot, every request that `other` takes by `host` and `path`,
    /// which are of `other`'s.
    pub(super) fn cover(&self, spot: Spot, other: &Self, host: Option<&Host>, path: &Want) -> bool {
        self.hosts.get(spot.host).is_none_or(|own| own.covers(host))
            && self.paths.get(spot.path).is_some_and(|own| own.covers(path))
            && within(&other.methods, &self.methods, |a, b| a == b)
            && self.cover_headers(other)
            && self.queries == 0
            && within(&other.snis, &self.snis, |name, own| own.covers(name))
    }

    /// Each field that this one asks for is one that the other asks for too, by no more values.
    fn cover_headers(&self, other: &Self) -> bool {
        self.headers.iter().all(|(name, values)| {
            other.header(name).is_some_and(|theirs| {
                are_few(theirs, values) && theirs.iter().all(|value| values.contains(value))
            })
        })
    }

    fn header(&self, name: &HeaderName) -> Option<&[HeaderWant]> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, values)| values.as_slice())
    }

    /// Whether there is a request that both take by their hosts and paths of these spots.
    pub(super) fn meet(&self, spot: Spot, other: &Self, theirs: Spot) -> bool {
        let hosts = self.hosts.get(spot.host).zip(other.hosts.get(theirs.host));
        let paths = self.paths.get(spot.path).zip(other.paths.get(theirs.path));
        either(&self.methods, &other.methods, |a, b| a == b)
            && either(&self.snis, &other.snis, |a, b| a.covers(b) || b.covers(a))
            && (self.queries == 0 || other.queries == 0)
            && hosts.is_none_or(|(own, theirs)| own.meets(theirs))
            && self.headers.iter().all(|(name, values)| {
                other.header(name).is_none_or(|theirs| {
                    are_few(theirs, values) && values.iter().any(|a| theirs.iter().any(|b| value_meets(a, b)))
                })
            })
            && paths.is_some_and(|(own, theirs)| own.meets(theirs))
    }
}

/// Longer lists than these two are not compared, value by value.
const MOST_VALUES: usize = 16_384;

fn are_few<T>(a: &[T], b: &[T]) -> bool {
    a.len().saturating_mul(b.len()) <= MOST_VALUES
}

/// Whether each of `few` is one of `many`; an empty list stands for all there are.
fn within<T>(few: &[T], many: &[T], fits: impl Fn(&T, &T) -> bool) -> bool {
    many.is_empty()
        || (!few.is_empty()
            && are_few(few, many)
            && few.iter().all(|one| many.iter().any(|other| fits(one, other))))
}

/// Whether the two have one in common; an empty list stands for all there are.
fn either<T>(a: &[T], b: &[T], fits: impl Fn(&T, &T) -> bool) -> bool {
    a.is_empty()
        || b.is_empty()
        || are_few(a, b) && a.iter().any(|one| b.iter().any(|other| fits(one, other)))
}

/// Whether one field of a request may satisfy both.
fn value_meets(a: &HeaderWant, b: &HeaderWant) -> bool {
    use HeaderWant::{Exact, Pattern, Text};
    match (a, b) {
        (Text(a), Text(b)) => a == b,
        (Pattern(pattern), Text(text) | Exact(text)) | (Text(text) | Exact(text), Pattern(pattern)) => {
            pattern.is_match(text.as_bytes())
        }
        (a, b) => a == b,
    }
}

impl Host {
    /// Whether it takes all that `other` takes; none is any host at any port.
    fn covers(&self, other: Option<&Self>) -> bool {
        match other {
            Some(other) => {
                self.name.covers(&other.name) && self.port.is_none_or(|port| Some(port) == other.port)
            }
            None => self.port.is_none() && self.name.covers(&Name::EndsWith(String::new())),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let port = self.port.is_none() || other.port.is_none() || self.port == other.port;
        port && (self.name.covers(&other.name) || other.name.covers(&self.name))
    }
}

impl Name {
    /// Whether it takes every name that `other` takes.
    pub(in crate::router) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::EndsWith(end) | Self::StartsWith(end), _) if end.is_empty() => true,
            (Self::Exact(own), Self::Exact(other)) => own == other,
            (Self::EndsWith(end), Self::Exact(other) | Self::EndsWith(other)) => other.ends_with(end),
            (Self::StartsWith(start), Self::Exact(other) | Self::StartsWith(other)) => {
                other.starts_with(start)
            }
            _ => false,
        }
    }
}

impl Want {
    /// Whether it takes every path that `other` takes.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Pattern { pattern: own, .. }, Self::Pattern { pattern, .. })
                if own.text == pattern.text =>
            {
                true
            }
            (Self::Prefix(start) | Self::Pattern { same_as: Some(start), .. }, other) => {
                // Every path starts with a slash.
                start.is_empty() || start == "/" || other.start().starts_with(start.as_str())
            }
            (Self::Elements(own), Self::Elements(other) | Self::Exact(other)) => {
                let rest = other.strip_prefix(own.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || own == "/")
            }
            (Self::Exact(own), Self::Exact(other)) => own == other,
            (Self::Template { text: own, .. }, Self::Template { text, .. }) => own == text,
            _ => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        if self.covers(other) || other.covers(self) {
            return true;
        }
        match (self, other) {
            (Self::Pattern { pattern, example, .. }, Self::Prefix(prefix))
            | (Self::Prefix(prefix), Self::Pattern { pattern, example, .. }) => {
                example.as_ref().is_some_and(|path| path.starts_with(prefix)) || goes_on(pattern, prefix)
            }
            (
                Self::Pattern { pattern: a, example: of_a, .. },
                Self::Pattern { pattern: b, example: of_b, .. },
            ) => [(a, of_b), (b, of_a)]
                .into_iter()
                .any(|(own, example)| example.as_ref().is_some_and(|path| own.takes(path))),
            _ => false,
        }
    }
}

/// Whether `pattern` takes a path that starts with `prefix`; a few are tried.
fn goes_on(pattern: &Pattern, prefix: &str) -> bool {
    ["", "/", "0", "/0", "a", "/a"].iter().any(|rest| pattern.takes(&format!("{prefix}{rest}")))
}
