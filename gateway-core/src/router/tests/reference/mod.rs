//! The router as plainly as can be: each route once for each of its hosts and each of its paths, sorted by the list of
//! the flavour, and the first that fits takes the request. It shares no code with the router.
//!
//! | file | what it says |
//! | --- | --- |
//! | `compatible`, `traditional`, `gateway_api` | the list of each flavour, from the top |
//! | `counts` | what the lists count |
//! | `fits` | whether a request has what is asked for, field by field |
//!
//! The flavour `expressions` has a reference of its own, `router/expression/tests/model.rs`.

mod compatible;
mod counts;
mod fits;
mod gateway_api;
mod traditional;

use std::cmp::Reverse;

use super::Request;
use crate::{
    config::Route,
    router::{Dialect, Flavor},
};

/// A route with one of its hosts and one of its paths.
pub(super) struct Part<'r> {
    at: usize,
    dialect: Dialect,
    route: &'r Route,
    host: Option<&'r str>,
    path: Option<&'r str>,
}

/// The place of the route that takes the request, and how many bytes of the path it matched.
pub(super) fn find(parts: &[Part<'_>], request: &Request) -> Option<(usize, usize)> {
    parts.iter().find_map(|part| Some((part.at, part.fits(request)?)))
}

/// All parts of all routes, those that stand higher first.
pub(super) fn sorted(dialect: Dialect, routes: &[Route]) -> Vec<Part<'_>> {
    let parts = routes.iter().enumerate().flat_map(|(at, route)| split(dialect, at, route));
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_cached_key(|part| Reverse(part.rank()));
    parts
}

fn split(dialect: Dialect, at: usize, route: &Route) -> Vec<Part<'_>> {
    fn each(list: &Option<Vec<String>>) -> Vec<Option<&str>> {
        list.as_ref().map_or(vec![None], |list| list.iter().map(|value| Some(value.as_str())).collect())
    }
    let parts = each(&route.hosts).into_iter().flat_map(|host| {
        each(&route.paths).into_iter().map(move |path| Part { at, dialect, route, host, path })
    });
    parts.collect()
}

/// What parts are compared by, one after the other: the greater numbers win, then the first in alphabetical order.
type Rank<'r> = (Vec<u128>, Reverse<Option<&'r str>>);

impl<'r> Part<'r> {
    fn rank(&self) -> Rank<'r> {
        match self.dialect.flavor {
            Flavor::TraditionalCompatible | Flavor::Expressions => (self.compatible(), Reverse(None)),
            Flavor::Traditional => (self.traditional(), Reverse(None)),
            Flavor::GatewayApi => (self.gateway_api(), Reverse(self.route.name.as_deref())),
        }
    }
}

#[test]
fn the_reference_itself_sorts_by_the_list() {
    let of = |paths: &[&str]| super::route("r", |route| route.paths = super::list(paths));
    let routes = [of(&["/a"]), of(&["/ab"]), of(&["~/a"])];
    let places: Vec<_> = sorted(Dialect::default(), &routes).iter().map(|part| part.at).collect();
    assert_eq!(places, [2, 1, 0]);
    assert_eq!(find(&sorted(Dialect::default(), &routes), &super::get("h", "/abc")), Some((2, 2)));
}
