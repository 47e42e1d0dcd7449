//! Routes with a value each, and the one that takes a request.

use std::{fmt, sync::Arc};

use super::{
    Dialect, Explanation, Head,
    captures::{Captures, PathPattern},
    compile::compiler,
    explain::explain,
    index::{Found, Index},
    rule_error::RuleError,
};
use crate::config::Route;

/// Finds the route of a request. Immutable, so one behind an [`Arc`] serves all threads.
pub struct Router<T> {
    dialect: Dialect,
    routes: Vec<(Arc<Route>, T)>,
    index: Index,
    /// The route of each rule.
    owners: Vec<u32>,
}

/// The route that takes a request.
#[derive(Debug)]
pub struct Match<'r, T> {
    /// What the route leads to.
    pub value: &'r T,
    /// How many bytes of the path the route's path matched: the prefix, or all that the expression or the template
    /// took; 0 for a route without paths. Always a character boundary of the canonical path.
    pub matched: usize,
    /// The regular expression or the template that matched, over the decoded path; see [`Match::captures`].
    pub pattern: Option<PathPattern<'r>>,
}

impl<T> Router<T> {
    /// A router of the default [`Flavor`](super::Flavor) over these routes, as [`Router::with_flavor`].
    ///
    /// # Errors
    /// As [`Router::with_flavor`].
    pub fn new(
        routes: impl IntoIterator<Item = (Arc<Route>, T)>,
    ) -> Result<Self, Vec<(Arc<Route>, RuleError)>> {
        Self::with_flavor(Dialect::default(), routes)
    }

    /// A router over these routes, of a [`Flavor`](super::Flavor) or of a whole [`Dialect`]. Their order does not matter, but for routes of one id: the first one counts.
    ///
    /// Routes for streams only never match. `protocols` says nothing else here (compat R16): it is for the caller to
    /// send a request in clear on to TLS. A route without a field to match on takes every request.
    ///
    /// # Errors
    /// All rules of all routes that cannot be compiled: a regular expression that does not parse or is too large, a
    /// host with two wildcards, a name that is not a header's, a field of another flavour.
    pub fn with_flavor(
        dialect: impl Into<Dialect>,
        routes: impl IntoIterator<Item = (Arc<Route>, T)>,
    ) -> Result<Self, Vec<(Arc<Route>, RuleError)>> {
        let routes: Vec<(Arc<Route>, T)> = routes.into_iter().collect();
        let dialect = dialect.into();
        let compile = compiler(dialect.flavor);
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (owner, (route, _)) in (0_u32..).zip(&routes) {
            match compile(route, dialect) {
                Ok(compiled) => rules.extend(compiled.into_iter().map(|(rank, rule)| (rank, owner, rule))),
                Err(found) => errors.extend(found.into_iter().map(|error| (Arc::clone(route), error))),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        rules.sort_by(|(a, ..), (b, ..)| b.cmp(a));
        let (owners, rules): (Vec<_>, Vec<_>) =
            rules.into_iter().map(|(_, owner, rule)| (owner, rule)).unzip();
        Ok(Self { dialect, routes, index: Index::new(rules), owners })
    }

    /// The route that takes `head`.
    #[must_use]
    pub fn find(&self, head: &Head<'_>) -> Option<Match<'_, T>> {
        let Found { rule, matched, pattern } = self.index.find(head)?;
        let owner = self.owners.get(rule as usize)?;
        let (_, value) = self.routes.get(*owner as usize)?;
        Some(Match { value, matched, pattern })
    }

    /// Why [`find`](Self::find) gives what it gives. For people, not for the path of a request: it compiles every
    /// route anew and looks at each, without the index, so its time grows with the number of routes.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gateway_core::{config::Route, router::{Head, Router}};
    /// use http::{HeaderMap, Method};
    ///
    /// let route = |name: &str, path: &str| {
    ///     let mut route = Route::new(name);
    ///     route.paths = Some(vec![path.into()]);
    ///     (Arc::new(route), ())
    /// };
    /// let router = Router::new([route("users", "/users"), route("any", "/"), route("one", "/users/1")]).unwrap();
    /// let headers = HeaderMap::new();
    /// let why = router.explain(&Head::new(&Method::GET, "example.com", "/users/7", &headers));
    /// assert_eq!(why.taken.unwrap().route.name.as_deref(), Some("users"));
    /// assert_eq!(why.runners_up[0].lost.to_string(), "shorter prefix: 1 against 6");
    /// assert_eq!(why.missed[0].failed.to_string(), "path: /users/1 is not a prefix of /users/7");
    /// ```
    #[must_use]
    pub fn explain(&self, head: &Head<'_>) -> Explanation {
        explain(self.dialect, self.routes.iter().map(|(route, _)| route.as_ref()), head)
    }

    /// How its routes are read.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// All routes with their values, as they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<Route>, &T)> {
        self.routes.iter().map(|(route, value)| (route, value))
    }
}

impl<'r, T> Match<'r, T> {
    /// What the expression or the template took out of `path`, the path of the request's [`Head`]. `None` for a route
    /// that matched by prefix or without a path.
    #[must_use]
    pub fn captures<'p>(&self, path: &'p str) -> Option<Captures<'r, 'p>> {
        Captures::new(self.pattern?, path)
    }
}

impl<T> fmt::Debug for Router<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.routes.iter().map(|(route, _)| route.name.as_deref().unwrap_or_default());
        f.debug_struct("Router").field("routes", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
