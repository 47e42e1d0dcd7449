//! What is said of a choice: the router's own winner, and why not the others.

use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::Config,
};

use super::*;
use crate::router::Explanation;

fn why(routes: impl IntoIterator<Item = Route>, request: &Request) -> Explanation {
    router(routes).explain(&request.head())
}

/// Why `loser`, and not `winner`, does not take the request.
fn lost(
    winner: impl Fn(&mut Route),
    loser: impl Fn(&mut Route),
    request: &Request,
) -> (&'static str, String) {
    let why = why([route("loser", |route| loser(route)), route("winner", |route| winner(route))], request);
    assert_eq!(why.taken.unwrap().route.name.as_deref(), Some("winner"));
    assert_eq!((why.matching, why.runners_up.len()), (2, 1));
    (why.runners_up[0].lost.by, why.runners_up[0].lost.to_string())
}

/// What is said of the only route, which does not match.
fn failed(fill: impl FnOnce(&mut Route), request: &Request) -> String {
    let why = why([route("r", fill)], request);
    assert!(why.taken.is_none());
    why.missed[0].failed.to_string()
}

/// Routes that a flavour takes, with braces for templates or not.
pub(super) fn any_routes() -> impl Strategy<Value = (Dialect, Vec<Route>)> {
    let of = |flavor: Flavor| (generated::dialects(flavor), generated::routes(flavor));
    select(Flavor::ALL).prop_flat_map(of)
}

/// Fewer cases: each request compiles all routes anew.
fn config() -> Config {
    let config = generated::config(2_000);
    Config { cases: config.cases.div_ceil(20), ..config }
}

proptest! {
    #![proptest_config(config())]

    /// One looks at every route, the other goes by its index: they must not tell two stories.
    #[test]
    fn the_explanation_has_the_winner_that_the_router_finds(
        (dialect, routes) in any_routes(),
        requests in generated::requests(),
        turn in any::<Index>(),
    ) {
        let mut given = routes.clone();
        given.rotate_left(turn.index(routes.len()));
        let router = router_as(dialect, given);
        for request in &requests {
            let why = router.explain(&request.head());
            let found = found(&router, request);
            let taken = why.taken.as_ref().map(|taken| (taken.route.name.as_deref(), taken.matched));
            prop_assert_eq!(taken, found.as_ref().map(|found| (Some(found.value.as_str()), found.matched)));
            let captured = why.taken.map_or(0, |taken| taken.captures.len());
            let captures = found.and_then(|found| found.captures(&request.path));
            prop_assert_eq!(captured, captures.map_or(0, |captures| captures.iter().count()));
            prop_assert_eq!(why.runners_up.len(), why.matching.saturating_sub(1).min(Explanation::MOST_RUNNERS_UP));
            prop_assert_eq!(why.missed.len(), (why.routes - why.matching).min(Explanation::MOST_MISSED));
        }
    }
}

#[test]
fn each_comparison_of_p43_has_its_sentence() {
    let request = get("a.t", "/p/1").header("x", "1").header("y", "1");
    let host = |route: &mut Route| route.hosts = list(&["a.t"]);
    let path = |route: &mut Route| route.paths = list(&["/p"]);
    let regex = |route: &mut Route| route.paths = list(&["~/p"]);
    let method = |route: &mut Route| route.methods = list(&["GET"]);
    let header = |route: &mut Route| route.headers = headers(&["x: 1"]);
    let says = |by, text: &str| (by, text.to_owned());
    assert_eq!(
        lost(
            |r| (path(r), method(r), header(r), r.sources = address("10.0.0.1")).3,
            |r| (host(r), regex(r)).1,
            &request
        ),
        says("four fields or more", "four fields or more come first"),
    );
    assert_eq!(
        lost(host, |r| (regex(r), method(r)).1, &request),
        says("plain hosts only", "hosts without a wildcard come before all other hosts and none"),
    );
    assert_eq!(
        lost(regex, |r| (path(r), method(r)).1, &request),
        says("regex", "a regular expression comes before a prefix and no path"),
    );
    assert_eq!(
        lost(|r| (path(r), method(r)).1, path, &request),
        says("fields", "fewer fields set: 1 against 2"),
    );
    assert_eq!(
        lost(|r| r.headers = headers(&["x: 1", "y: 1"]), header, &request),
        says("headers", "fewer headers: 1 against 2"),
    );
    assert_eq!(
        lost(|r| (regex(r), r.regex_priority = 5).1, regex, &request),
        says("regex_priority", "lower regex_priority: 0 against 5"),
    );
    assert_eq!(
        lost(|r| r.paths = list(&["/p/"]), path, &request),
        says("length", "shorter prefix: 2 against 3"),
    );
    assert_eq!(
        lost(|r| (path(r), r.id = id(2)).1, |r| (path(r), r.id = id(1)).1, &request),
        says("id", "equal until the id: the larger wins"),
    );
}

#[test]
fn each_criterion_says_what_it_asks_and_what_came() {
    let request = get("www.t", "/ap").header("x", "3").header("x", "4");
    assert_eq!(failed(|r| r.hosts = list(&["api.t", "*.u"]), &request), "host: asks api.t or *.u, got www.t");
    assert_eq!(failed(|r| r.hosts = list(&["www.t:81"]), &request), "host: asks www.t:81, got www.t:80");
    assert_eq!(failed(|r| r.paths = list(&["/api"]), &request), "path: /api is not a prefix of /ap");
    assert_eq!(failed(|r| r.paths = list(&[r"~/ap/\d"]), &request), r"path: ~/ap/\d does not match /ap");
    assert_eq!(
        failed(|r| r.paths = list(&["/b", "/c"]), &request),
        "path: none of /b or /c is a prefix of /ap"
    );
    assert_eq!(failed(|r| r.methods = list(&["PUT"]), &request), "method: asks PUT, got GET");
    assert_eq!(
        failed(|r| r.headers = headers(&["x: 1", "x: 2"]), &request),
        "header x: asks 1 or 2, got 3 and 4"
    );
    assert_eq!(failed(|r| r.headers = headers(&["y: ~*^a"]), &request), "header y: asks ~*^a, got none");
    assert_eq!(failed(|r| r.snis = list(&["a.t"]), &request.clone().tls(None)), "sni: asks a.t, got none");
}

#[test]
fn long_lists_are_cut() {
    let hosts: Vec<_> = (0..9).map(|at| format!("{at}.t")).collect();
    let said = failed(|route| route.hosts = Some(hosts), &get("t", "/"));
    assert_eq!(said, "host: asks 0.t or 1.t or 2.t or 3.t or 4.t or 4 more, got t");
}

#[test]
fn the_nearest_route_comes_first_and_their_number_is_bounded() {
    let far = (0..20).map(|at| route(&format!("far{at}"), |route| route.paths = list(&["/far"])));
    let near = route("near", |route| (route.hosts, route.paths) = (list(&["a.t"]), list(&["/user"])));
    let nearer = route("nearer", |route| (route.hosts, route.paths) = (list(&["a.t"]), list(&["/users"])));
    let why = why(far.chain([near, nearer]), &get("a.t", "/use"));
    assert_eq!((why.routes, why.matching, why.missed.len()), (22, 0, Explanation::MOST_MISSED));
    let first = &why.missed[0];
    assert_eq!((first.route.name.as_deref(), first.fits, first.criteria), (Some("near"), 1, 2));
    assert_eq!(why.missed[1].route.name.as_deref(), Some("nearer"), "by name where equal");
}

#[test]
fn captures_come_with_number_and_name() {
    let why = why([route("r", |route| route.paths = list(&[r"~/u/(?<id>\d+)(/x)?"]))], &get("h", "/u/7"));
    let taken = why.taken.unwrap();
    assert_eq!(taken.path.as_deref(), Some(r"~/u/(?<id>\d+)(/x)?"));
    let captures: Vec<_> =
        taken.captures.iter().map(|it| (it.number, it.name.as_deref(), it.value.as_deref())).collect();
    assert_eq!(captures, [(1, Some("id"), Some("7")), (2, None, None)]);
}
