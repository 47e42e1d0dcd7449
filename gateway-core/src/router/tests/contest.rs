//! Two routes and the fields they have, for tests of which of them wins.

use super::*;

/// Fills `a` and `b`, and says which of them takes the request, whatever their ids say.
pub(super) fn winner(
    dialect: impl Into<Dialect>,
    a: impl Fn(&mut Route),
    b: impl Fn(&mut Route),
    request: &Request,
) -> String {
    let dialect = dialect.into();
    let winners = [(1, 2), (2, 1)].map(|(first, second)| {
        let a = route("a", |route| (route.id = id(first), a(route)).1);
        let b = route("b", |route| (route.id = id(second), b(route)).1);
        name(&router_as(dialect, [a, b]), request).unwrap().to_owned()
    });
    assert_eq!(winners[0], winners[1], "the tie was broken by id");
    winners[0].clone()
}

pub(super) fn request() -> Request {
    get("a.t", "/p/1").header("x", "1").header("y", "1").header("z", "1").tls(Some("a.t"))
}

pub(super) fn host(route: &mut Route) {
    route.hosts = list(&["a.t"]);
}

pub(super) fn wildcard(route: &mut Route) {
    route.hosts = list(&["*.t"]);
}

pub(super) fn path(route: &mut Route) {
    route.paths = list(&["/p"]);
}

pub(super) fn regex(route: &mut Route) {
    route.paths = list(&[r"~/p/\d"]);
}

pub(super) fn method(route: &mut Route) {
    route.methods = list(&["GET"]);
}

pub(super) fn sni(route: &mut Route) {
    route.snis = list(&["a.t"]);
}

pub(super) fn one_header(route: &mut Route) {
    route.headers = headers(&["x: 1"]);
}

pub(super) fn three_headers(route: &mut Route) {
    route.headers = headers(&["x: 1", "y: 1", "z: 1"]);
}

pub(super) fn source(route: &mut Route) {
    route.sources = address("10.0.0.1");
}

/// `winner(.., all![host, path], all![regex], ..)`.
macro_rules! all {
    ($($fill:expr),*) => { |route: &mut Route| { $($fill(route);)* } };
}
pub(super) use all;
