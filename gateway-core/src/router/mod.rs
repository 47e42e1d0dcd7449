//! Which route takes a request: pure, without a clock or I/O, generic over what a route is.

use std::{error::Error as StdError, fmt, sync::Arc};

use http::{HeaderMap, Method};
use regex::Regex;

use crate::config::{Protocol, Route};

/// What of a request takes part in routing.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `http` or `https`.
    pub scheme: Protocol,
    /// The method.
    pub method: &'a Method,
    /// The host without port, canonical.
    pub host: &'a str,
    /// The port of `Host`, or the scheme's own.
    pub port: u16,
    /// The canonical path, without query.
    pub path: &'a str,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The TLS server name.
    pub sni: Option<&'a str>,
}

/// The route that takes a request.
#[derive(Debug)]
pub struct Match<'r, T> {
    /// What the route leads to.
    pub value: &'r T,
    /// How many bytes of the path the route's path matched; 0 for a route without paths.
    pub matched: usize,
    /// The regular expression that matched, for its captures.
    pub pattern: Option<&'r Regex>,
}

/// A rule that cannot be compiled.
#[derive(Debug)]
pub struct RuleError {
    /// The field, `paths[1]`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl StdError for RuleError {}

/// Finds the route of a request.
#[derive(Debug)]
pub struct Router<T> {
    rules: Vec<(Arc<Route>, T)>,
}

impl<T> Router<T> {
    /// A router over these routes. Each that cannot be compiled is named with its reason.
    ///
    /// # Errors
    /// A regular expression that does not parse or is too large.
    pub fn new(
        routes: impl IntoIterator<Item = (Arc<Route>, T)>,
    ) -> Result<Self, Vec<(Arc<Route>, RuleError)>> {
        Ok(Self { rules: routes.into_iter().collect() })
    }

    /// The route that takes `head`.
    #[must_use]
    pub fn find(&self, head: &Head<'_>) -> Option<Match<'_, T>> {
        let prefix = |route: &Route| {
            route.paths.iter().flatten().find(|path| head.path.starts_with(*path)).map(String::len)
        };
        self.rules
            .iter()
            .find_map(|(route, value)| prefix(route).map(|matched| Match { value, matched, pattern: None }))
    }
}
