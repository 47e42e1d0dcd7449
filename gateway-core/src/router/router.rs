//! Routes with a value each, and the one that takes a request.

use std::{fmt, sync::Arc};

use uuid::Uuid;

use super::{
    Dialect, Explanation, Head,
    candidate::Found,
    captures::{Captures, PathPattern},
    flavors::compile::compiler,
    index::Index,
    ledger::Ledger,
    map::Map,
    rank::Rank,
    rule::Rule,
    rule_error::RuleError,
    slots::{Slot, Slots},
    why::explain::explain,
};
use crate::config::Route;

/// Finds the route of a request. Immutable, so one behind an [`Arc`] serves all threads. A clone shares all.
#[derive(Clone)]
pub struct Router<T> {
    dialect: Dialect,
    rows: Slots<Row<T>>,
    /// Where the row of each route stands.
    slots: Map<Uuid, Slot>,
    index: Index,
    /// Its regular expressions.
    ledger: Ledger,
}

/// A route and its value.
type Row<T> = (Arc<Route>, T);

/// The rules that cannot be compiled, each with its route.
type Refused = Vec<(Arc<Route>, RuleError)>;

/// The route that takes a request.
#[derive(Debug)]
pub struct Match<'r, T> {
    /// What the route leads to.
    pub value: &'r T,
    /// How many bytes of the path the route's path matched: the prefix, or all that the expression or the template
    /// took; 0 for a route without paths. Always a character boundary of the canonical path.
    ///
    /// For a route with an expression it is what the last predicate over `http.path` with `==`, `^=` or `~` took that
    /// held and does not stand in `!(..)`: the whole path, the prefix, or the match if that starts the path.
    pub matched: usize,
    /// The regular expression or the template that matched.
    pub(super) pattern: Option<PathPattern<'r>>,
}

impl<T: Clone> Router<T> {
    /// A router of the default [`Flavor`](super::Flavor) over these routes, as [`Router::with_flavor`].
    ///
    /// # Errors
    /// As [`Router::with_flavor`].
    pub fn new(routes: impl IntoIterator<Item = (Arc<Route>, T)>) -> Result<Self, Refused> {
        Self::with_flavor(Dialect::default(), routes)
    }

    /// A router over these routes, of a [`Flavor`](super::Flavor) or of a whole [`Dialect`]. Their order does not matter, but for routes of one id: the last one counts.
    ///
    /// Routes for streams only never match. `protocols` says nothing else here (compat R16): it is for the caller to
    /// send a request in clear on to TLS. A route without a field to match on takes every request.
    ///
    /// # Errors
    /// All rules of all routes that cannot be compiled: a regular expression that does not parse or is too large (1 MiB
    /// compiled; 64 MiB for all of one route, 1 GiB for all of the router, of which equal ones count once), a
    /// host with two wildcards, a name that is not a header's, an expression that does not parse, a field of another
    /// flavour.
    pub fn with_flavor(
        dialect: impl Into<Dialect>,
        routes: impl IntoIterator<Item = (Arc<Route>, T)>,
    ) -> Result<Self, Refused> {
        let none = Self {
            dialect: dialect.into(),
            rows: Slots::default(),
            slots: Map::default(),
            index: Index::default(),
            ledger: Ledger::default(),
        };
        none.apply([], routes)
    }

    /// The router after a change: without the routes of the ids `gone`, and with those that `come`, each in place of
    /// the one of its id. It answers as one made from nothing would, and shares with this one all that the change
    /// does not touch. A route that comes as it was changes its value only.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gateway_core::{config::Route, router::{Head, Router}};
    /// use http::{HeaderMap, Method};
    ///
    /// let route = |path: &str| {
    ///     let mut route = Route::new("users");
    ///     route.paths = Some(vec![path.into()]);
    ///     Arc::new(route)
    /// };
    /// let old = Router::new([(route("/users"), 1)]).unwrap();
    /// let new = old.apply([], [(route("/people"), 2)]).unwrap();
    ///
    /// let headers = HeaderMap::new();
    /// let find = |router: &Router<i32>, path: &str| {
    ///     router.find(&Head::new(&Method::GET, "example.com", path, &headers)).map(|found| *found.value)
    /// };
    /// assert_eq!((find(&old, "/users"), find(&old, "/people")), (Some(1), None));
    /// assert_eq!((find(&new, "/users"), find(&new, "/people")), (None, Some(2)));
    /// ```
    ///
    /// # Errors
    /// As [`Router::with_flavor`]; this router stays as it is.
    pub fn apply(
        &self,
        gone: impl IntoIterator<Item = Uuid>,
        come: impl IntoIterator<Item = (Arc<Route>, T)>,
    ) -> Result<Self, Refused> {
        let (mut next, mut refused, mut over) = (self.clone(), Refused::new(), None);
        for id in gone {
            if let Some(slot) = next.slots.remove(&id) {
                next.route(slot).iter().for_each(|route| next.forget(route));
                next.rows.set(slot, None);
            }
        }
        for (route, value) in come {
            let errors = next.put(&route, value).err().into_iter().flatten();
            refused.extend(errors.map(|error| (Arc::clone(&route), error)));
            // A route that comes later may make room: it counts at the end. Before that there is a bound too.
            over = over.or_else(|| next.ledger.is_over().then_some(route));
            if next.ledger.is_far_over() {
                break;
            }
        }
        if let Some(route) = over.filter(|_| next.ledger.is_over()) {
            let field = if route.expression.is_some() { "expression" } else { "paths" };
            refused.push((route, RuleError { field: field.into(), message: next.ledger.refusal() }));
        }
        if refused.is_empty() { Ok(next) } else { Err(refused) }
    }

    fn put(&mut self, route: &Arc<Route>, value: T) -> Result<(), Vec<RuleError>> {
        let slot = self.slots.get(&route.id).copied();
        let before = slot.and_then(|slot| self.route(slot));
        let is_same = before.as_ref().is_some_and(|before| Arc::ptr_eq(before, route) || before == route);
        let rules = if is_same { None } else { Some(self.compile(route)?) };
        let row = (Arc::clone(route), value);
        let slot = match slot {
            Some(slot) => self.rows.set(slot, Some(row)),
            None => self.rows.add(row),
        };
        if let Some(rules) = rules {
            before.iter().for_each(|before| self.forget(before));
            self.ledger.add(&rules);
            self.index.insert(route.id, slot, rules);
            self.slots.insert(route.id, slot);
        }
        Ok(())
    }

    fn route(&self, slot: Slot) -> Option<Arc<Route>> {
        self.rows.get(slot).map(|(route, _)| Arc::clone(route))
    }

    fn forget(&mut self, route: &Route) {
        // A route that is here did compile.
        let rules = self.compile(route).unwrap_or_default();
        self.ledger.remove(&rules);
        self.index.remove(route.id, rules);
    }

    fn compile(&self, route: &Route) -> Result<Vec<(Rank, Rule)>, Vec<RuleError>> {
        compiler(self.dialect.flavor)(route, self.dialect)
    }
}

impl<T> Router<T> {
    /// The route that takes `head`.
    #[must_use]
    pub fn find(&self, head: &Head<'_>) -> Option<Match<'_, T>> {
        let Found { rule, matched, pattern } = self.index.find(head)?;
        let (_, value) = self.rows.get(rule.slot)?;
        Some(Match { value, matched, pattern })
    }

    #[cfg(test)]
    pub(super) const fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    #[cfg(test)]
    pub(super) const fn index(&self) -> &Index {
        &self.index
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
        let mut routes: Vec<&Route> = self.iter().map(|(route, _)| route.as_ref()).collect();
        routes.sort_unstable_by_key(|route| (&route.name, route.id));
        explain(self.dialect, routes.into_iter(), head)
    }

    /// How its routes are read.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// All routes with their values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Route>, &T)> {
        self.rows.iter().map(|(route, value)| (route, value))
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
        let names = self.iter().map(|(route, _)| route.name.as_deref().unwrap_or_default());
        f.debug_struct("Router").field("routes", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
