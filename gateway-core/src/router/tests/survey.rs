//! What is said of routes among each other: never that one is lost which a request finds.

use proptest::{prelude::*, sample::Index, test_runner::Config};

use super::*;
use crate::router::{Effect, Relation, flavors::compile::compiler, survey, why::survey::survey_counting};

fn relations(dialect: impl Into<Dialect>, routes: &[Route]) -> Vec<Relation> {
    survey(dialect.into(), &routes.iter().collect::<Vec<_>>())
}

/// What is said of the route `below` in the presence of `above`, and whether anything is said of the other.
fn said(above: impl Fn(&mut Route), below: impl Fn(&mut Route)) -> Option<Effect> {
    let routes = [
        route("below", |route| (route.id = id(1), below(route)).1),
        route("above", |route| (route.id = id(2), above(route)).1),
    ];
    let relations = relations(Flavor::default(), &routes);
    assert!(
        relations.len() < 2 && relations.iter().all(|one| (one.route, one.above) == (0, 1)),
        "{relations:?}"
    );
    relations.into_iter().next().map(|relation| relation.effect)
}

fn config() -> Config {
    let config = generated::config(2_000);
    Config { cases: config.cases.div_ceil(8), ..config }
}

proptest! {
    #![proptest_config(config())]

    /// Never a false alarm. Several sets of requests against one set of routes, which often has a route twice, a
    /// little wider: by chance alone hardly a route would be lost.
    #[test]
    fn a_route_called_unreachable_is_never_found(
        (dialect, routes) in explain::any_routes(),
        twins in prop::collection::vec((any::<Index>(), 0..6_u8), 0..4),
        requests in prop::collection::vec(generated::requests(), 1..4),
    ) {
        let mut routes = routes;
        for (at, (of, change)) in twins.into_iter().enumerate() {
            let mut twin = routes[of.index(routes.len())].clone();
            (twin.name, twin.id) = (Some(routes.len().to_string()), id(twin.id.as_u128() ^ (1 << 64) ^ (at as u128 + 16)));
            match change {
                0 => twin.methods = None,
                1 => twin.headers = None,
                2 => twin.hosts = None,
                3 => twin.paths = list(&["~/"]),
                4 => twin.paths = twin.paths.map(|paths| paths.iter().map(|path| path.replacen('/', "~/", 1)).collect()),
                _ => {}
            }
            if twin.paths.iter().flatten().any(|path| path.starts_with("~~")) {
                continue;
            }
            routes.push(twin);
        }
        let Ok(router) = build_as(dialect, routes.clone()) else { return Ok(()) };
        let relations = relations(dialect, &routes);
        for request in requests.iter().flatten() {
            let Some(at) = name(&router, request).map(|name| name.parse::<usize>().unwrap()) else { continue };
            for Relation { effect, .. } in relations.iter().filter(|relation| relation.route == at) {
                prop_assert!(*effect != Effect::Unreachable, "{} takes {request:?}", at);
                if let Effect::PathsUnreachable(paths) = effect {
                    let taken = router.explain(&request.head()).taken.and_then(|taken| taken.path);
                    let lost = taken.filter(|path| paths.contains(path));
                    prop_assert!(lost.is_none(), "{at} takes {request:?} by {lost:?}");
                }
            }
        }
    }
}

#[test]
fn a_route_that_others_leave_nothing_to_is_unreachable() {
    let lost = |above: fn(&mut Route), below: fn(&mut Route)| {
        assert_eq!(said(above, below), Some(Effect::Unreachable));
    };
    lost(|r| r.paths = list(&["/a"]), |r| r.paths = list(&["/a"]));
    lost(|r| r.paths = list(&["~/a"]), |r| (r.paths, r.methods) = (list(&["/a/b"]), list(&["GET"])));
    lost(|r| r.paths = list(&["~/.*"]), |r| r.paths = list(&["/x", "/y/z"]));
    lost(|r| r.paths = list(&[r"~/a/\d$"]), |r| r.paths = list(&[r"~/a/\d$"]));
    lost(
        |r| (r.hosts, r.paths) = (list(&["*.t"]), list(&["~/a"])),
        |r| (r.hosts, r.paths) = (list(&["*.x.t", "*.u.t"]), list(&["/a"])),
    );
    lost(
        |r| (r.headers, r.paths) = (headers(&["x: 1", "x: 2"]), list(&["~/"])),
        |r| (r.headers, r.paths) = (headers(&["x: 1"]), list(&["/a"])),
    );
}

#[test]
fn a_route_that_something_is_left_to_is_not() {
    let kept = |above: fn(&mut Route), below: fn(&mut Route)| {
        assert!(!matches!(said(above, below), Some(Effect::Unreachable | Effect::PathsUnreachable(_))));
    };
    kept(|r| r.paths = list(&["~/a$"]), |r| r.paths = list(&["/a"]));
    kept(|r| r.paths = list(&["~/a/b"]), |r| r.paths = list(&["/a"]));
    kept(
        |r| (r.hosts, r.paths) = (list(&["*.t:81"]), list(&["~/"])),
        |r| (r.hosts, r.paths) = (list(&["*.t"]), list(&["/"])),
    );
    kept(|r| (r.methods, r.paths) = (list(&["GET"]), list(&["~/"])), |r| r.paths = list(&["/"]));
    kept(
        |r| (r.headers, r.paths) = (headers(&["x: 1"]), list(&["~/"])),
        |r| (r.headers, r.paths) = (headers(&["x: 1", "x: 2"]), list(&["/"])),
    );
    kept(|r| (r.snis, r.paths) = (list(&["a.t"]), list(&["~/"])), |r| r.paths = list(&["/"]));
}

#[test]
fn a_path_that_another_leaves_nothing_to_is_named() {
    let effect =
        said(|route| route.paths = list(&["~/a"]), |route| route.paths = list(&["/a/b", "/a/c", "/x"]));
    assert_eq!(effect, Some(Effect::PathsUnreachable(vec!["/a/b".into(), "/a/c".into()])));
}

/// In the flavour `gateway_api` every host ranks by itself.
#[test]
fn a_path_that_is_lost_under_one_host_only_is_not() {
    let routes = [
        route("two", |route| (route.hosts, route.paths) = (list(&["a.t", "*.t"]), list(&["/a", "/b"]))),
        route("one", |route| {
            (route.hosts, route.paths) = (list(&["a.t"]), list(&["~/a"]));
        }),
    ];
    assert_eq!(relations(Flavor::GatewayApi, &routes), []);
}

#[test]
fn what_only_the_ids_decide_is_ambiguous() {
    let ambiguous = |above: fn(&mut Route), below: fn(&mut Route)| {
        assert_eq!(said(above, below), Some(Effect::Ambiguous));
    };
    ambiguous(|r| r.headers = headers(&["x: 1"]), |r| r.headers = headers(&["y: 1"]));
    ambiguous(|r| r.methods = list(&["GET", "PUT"]), |r| r.methods = list(&["GET", "POST"]));
    ambiguous(|r| r.hosts = list(&["a.t", "b.t"]), |r| r.hosts = list(&["b.t", "c.t"]));
    ambiguous(|r| r.hosts = list(&["*.t"]), |r| r.hosts = list(&["*.a.t", "*.u"]));
    ambiguous(|r| r.paths = list(&[r"~/a/\d+"]), |r| r.paths = list(&[r"~/a/[0-5]+"]));
}

#[test]
fn what_no_request_finds_both_of_is_not() {
    let clear = |above: fn(&mut Route), below: fn(&mut Route)| assert_eq!(said(above, below), None);
    clear(|r| r.headers = headers(&["x: 1"]), |r| r.headers = headers(&["x: 2"]));
    clear(|r| r.methods = list(&["GET"]), |r| r.methods = list(&["PUT"]));
    clear(|r| r.paths = list(&["/ab"]), |r| r.paths = list(&["/cd"]));
    clear(|r| r.hosts = list(&["a.t:80"]), |r| r.hosts = list(&["a.t:81"]));
    clear(|r| r.paths = list(&["~/a/x$"]), |r| r.paths = list(&["~/a/y$"]));
    clear(|r| r.paths = list(&["/a/b"]), |r| r.paths = list(&["/a"]));
}

/// The pairs that compat P43d has seen.
#[test]
fn pairs_that_the_manual_turns_around_are_told_p43d() {
    let turned = |above: fn(&mut Route), below: fn(&mut Route)| {
        assert_eq!(said(above, below), Some(Effect::AgainstManual));
    };
    turned(
        |r| (r.hosts, r.paths) = (list(&["a.t"]), list(&["~/p/[a-z]$"])),
        |r| (r.hosts, r.paths, r.headers) = (list(&["a.t"]), list(&["/p/"]), headers(&["x: 1"])),
    );
    turned(
        |r| r.paths = list(&["~/p/[0-9]"]),
        |r| (r.paths, r.methods, r.headers) = (list(&["/p"]), list(&["GET"]), headers(&["x: 1"])),
    );
    turned(
        |r| (r.hosts, r.paths) = (list(&["a.t"]), list(&["/"])),
        |r| (r.paths, r.methods, r.headers) = (list(&["/p"]), list(&["GET"]), headers(&["x: 1"])),
    );
    turned(|r| r.hosts = list(&["a.t"]), |r| (r.hosts, r.paths) = (list(&["*.t"]), list(&["/p"])));
}

#[test]
fn many_routes_are_looked_at_in_a_moment_each() {
    let routes: Vec<Route> =
        (0..4_000)
            .map(|at| {
                route(&at.to_string(), |route| {
                    (route.hosts, route.paths) =
                        (list(&[&format!("h{}.t", at % 100)]), list(&[&format!("/p{at}")]));
                    route.headers = headers(&[&format!("x: {at}")]);
                })
            })
            .chain((0..4_000).map(|at| {
                route(&format!("same{at}"), |route| route.headers = headers(&[&format!("y: {at}")]))
            }))
            .collect();
    // All pairs would be sixteen million.
    assert_eq!(relations(Flavor::default(), &routes), []);
}

/// How often rules are compared for so many routes that differ in a header only, and for one with so many paths.
#[test]
fn work_grows_with_the_number_of_places_and_not_with_its_square() {
    let alike = |count: u32| -> Vec<Route> {
        (0..count)
            .map(|at| {
                route(&at.to_string(), |route| {
                    (route.paths, route.headers) = (list(&["/same"]), headers(&[&format!("x: {at}")]));
                })
            })
            .collect()
    };
    let wide = |count: u32| -> Vec<Route> {
        let paths: Vec<String> = (0..count).map(|at| format!("/p{at}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        ["one", "two", "three"].map(|name| route(name, |route| route.paths = list(&paths))).into()
    };
    let work = |routes: &[Route]| survey_counting(Dialect::default(), &routes.iter().collect::<Vec<_>>()).1;
    for routes in [alike as fn(u32) -> Vec<Route>, wide] {
        let (few, many) = (work(&routes(500)), work(&routes(2_000)));
        assert!(few > 500 && many <= 5 * few, "{few} for 500, {many} for 2,000");
        assert!(many <= 2_000 * 3 * 2 * 256, "each is compared with so many at most: {many}");
    }
}

proptest! {
    #![proptest_config(config())]

    /// Equal but for the ids is what ends with a comparison of ids.
    #[test]
    fn a_tie_is_what_the_texts_call_one((dialect, routes) in explain::any_routes()) {
        let compile = compiler(dialect.flavor);
        let ranks: Vec<_> = routes.iter().flat_map(|route| compile(route, dialect).unwrap_or_default()).collect();
        for (own, _) in &ranks {
            for (other, _) in &ranks {
                prop_assert_eq!(own.ties(other), own.lost(other).is_tie(), "{:?} {:?}", own, other);
            }
        }
    }
}
