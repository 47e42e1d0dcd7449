//! The router against the plain reference, over generated routes and requests.

use proptest::{
    prelude::*,
    sample::{Index, select, subsequence},
    test_runner::{Config, RngSeed, TestCaseError},
};

use super::*;

const HOSTS: &[&str] = &["a.t", "b.t", "c.a.t", "a.t:81", "*.t", "*.a.t", "a.*", "*", "*.t:81", "c.*:80"];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/b",
    "/ab",
    "/a/",
    "/a/b",
    "/a b",
    "/a b/",
    "/a%2Fb",
    "/a/b/c",
    "~/a",
    "~/a/[0-9]+",
    "~/(a|b)/",
    "~/.*b",
    "~/a b",
    "~/a$",
    "~/(?i)AB",
    "~/a%2Fb",
    "~.*",
    "~/a|/b",
    "/{x}",
    "/a/{x}",
    "/{x}/b",
    "/a{x}",
    "/{x}/{y}",
    "/a b/{x}",
    "/{*rest}",
    "/a/{*rest}",
];
const QUERIES: &[&str] = &["q: 1", "q: 2", "q: ~^[ab]$", "r: 1"];
const METHODS: &[&str] = &["GET", "POST", "PUT"];
const FIELDS: &[&str] = &["x: 1", "x: 2", "x: a,b", "x: ~*^[ab]$", "y: 1", "y: ~*b", "y: A", "z: 1"];
const SNIS: &[&str] = &["a.t", "a.t.", "*.t", "b.*"];
const PRIORITIES: &[i64] = &[0, 0, 1, 5, 8192, -1];

fn some(pool: &'static [&'static str], most: usize) -> impl Strategy<Value = Option<Vec<String>>> {
    prop_oneof![1 => Just(None), 1 => subsequence(pool, 1..=most).prop_shuffle().prop_map(|values| list(&values))]
}

/// Routes that `flavor` takes.
pub(super) fn routes(flavor: Flavor) -> impl Strategy<Value = Vec<Route>> {
    let fields =
        (some(HOSTS, 3), some(PATHS, 5), some(METHODS, 2), some(FIELDS, 4), some(SNIS, 2), some(QUERIES, 3));
    let one = (fields, any::<bool>(), select(PRIORITIES), 0_u64..3, any::<u64>()).prop_map(
        move |((hosts, paths, methods, fields, snis, queries), source, priority, created, random)| {
            let map = |lines: Option<Vec<String>>| {
                lines.and_then(|lines| headers(&lines.iter().map(String::as_str).collect::<Vec<_>>()))
            };
            route("r", |route| {
                (route.hosts, route.paths, route.methods, route.snis) = (hosts, paths, methods, snis);
                route.headers = map(fields);
                route.sources = source.then(|| address("10.0.0.1")).flatten();
                route.regex_priority = priority;
                route.created_at = created;
                route.id = id(u128::from(random) << 64);
                match flavor {
                    Flavor::TraditionalCompatible | Flavor::Expressions => {}
                    Flavor::Traditional => keep(&mut route.snis, |sni| !sni.contains('*')),
                    Flavor::GatewayApi => {
                        keep(&mut route.hosts, |host| !host.contains('*') || host.starts_with("*."));
                        route.queries = map(queries);
                    }
                }
            })
        },
    );
    prop::collection::vec(one, 1..16).prop_map(|mut routes| {
        for (at, route) in routes.iter_mut().enumerate() {
            route.name = Some(at.to_string());
            route.id = id(route.id.as_u128() | at as u128);
        }
        routes
    })
}

/// Leaves those out that do not fit; a list with nothing in it is none.
fn keep(list: &mut Option<Vec<String>>, fits: impl Fn(&str) -> bool) {
    *list = list.take().map(|list| list.into_iter().filter(|value| fits(value)).collect());
    *list = list.take().filter(|list| !list.is_empty());
}

pub(super) fn requests() -> impl Strategy<Value = Vec<Request>> {
    let host = select(&["a.t", "b.t", "c.a.t", "d.c.a.t", "a.u", "c.u", "t", ""][..]);
    let path = "/((a|b|ab|a%20b|a%2Fb|7|c)/?){0,4}";
    let headers = subsequence(
        &[("x", "1"), ("x", "2"), ("x", "A,B"), ("x", "b"), ("y", "1"), ("y", "aB"), ("z", "1")][..],
        0..6,
    );
    let tls = select(&[None, Some(None), Some(Some("a.t")), Some(Some("b.t")), Some(Some("b.u"))][..]);
    let query = select(&[None, None, Some("q=1"), Some("q=a&r=1"), Some("r=1&q=2&q=1"), Some("x&q")][..]);
    let one = (host, path, query, select(METHODS), select(&[80, 81][..]), headers, tls);
    let request = one.prop_map(|(host, path, query, method, port, headers, tls)| {
        let request =
            headers.iter().fold(get(host, &path), |request, (name, value)| request.header(name, value));
        let request = tls.map_or(request.clone(), |sni| request.tls(sni));
        request.with(|request| {
            request.query = query.map(str::to_owned);
            (request.method, request.port) = (method.parse().unwrap(), port);
        })
    });
    prop::collection::vec(request, 1..24)
}

/// `cases` known ones; `PROPTEST_CASES` asks for as many new ones.
pub(super) fn config(cases: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        (config.cases, config.rng_seed) = (cases, RngSeed::Fixed(43));
    }
    config
}

/// The router and the reference give the same answers, in whatever order the routes come.
fn agree(dialect: Dialect, routes: &[Route], requests: &[Request], turn: usize) -> Result<(), TestCaseError> {
    let mut given = routes.to_vec();
    given.rotate_left(turn);
    let router = router_as(dialect, given);
    let parts = reference::sorted(dialect, routes);
    for request in requests {
        let found = found(&router, request).map(|found| (found.value.parse().unwrap(), found.matched));
        prop_assert_eq!(found, reference::find(&parts, request), "{:?}", request);
    }
    Ok(())
}

pub(super) fn dialects(flavor: Flavor) -> impl Strategy<Value = Dialect> {
    select(vec![flavor.into(), templates(flavor)])
}

/// Hosts that only some flavours take are in, so that most texts compile in one of them.
pub(super) fn any_dialect() -> impl Strategy<Value = Dialect> {
    select(Flavor::ALL).prop_flat_map(dialects)
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn the_router_finds_what_the_reference_finds(
        dialect in dialects(Flavor::TraditionalCompatible),
        routes in routes(Flavor::TraditionalCompatible),
        requests in requests(),
        turn in any::<Index>(),
    ) {
        agree(dialect, &routes, &requests, turn.index(routes.len()))?;
    }

    #[test]
    fn the_router_finds_what_the_reference_finds_in_traditional(
        dialect in dialects(Flavor::Traditional),
        routes in routes(Flavor::Traditional),
        requests in requests(),
        turn in any::<Index>(),
    ) {
        agree(dialect, &routes, &requests, turn.index(routes.len()))?;
    }

    #[test]
    fn the_router_finds_what_the_reference_finds_in_gateway_api(
        dialect in dialects(Flavor::GatewayApi),
        routes in routes(Flavor::GatewayApi),
        requests in requests(),
        turn in any::<Index>(),
    ) {
        agree(dialect, &routes, &requests, turn.index(routes.len()))?;
    }

    /// Rules that compile match or do not, and what they took is a part of the path; the others are errors.
    #[test]
    fn no_text_breaks_the_router(
        dialect in any_dialect(),
        paths in prop::collection::vec("[/~]?(%[0-9a-f]{2}|\\PC|/|[{]\\*?|[}]|[{][a-z][}]){0,6}", 0..4),
        hosts in prop::collection::vec("\\*?(\\PC|\\.){0,5}(:[0-9]{1,5}|\\*)?", 0..3),
        value in "(~\\*)?\\PC{0,6}",
        host in "(\\PC|\\.){0,6}",
        path in "/?(%[0-9A-F]{2}|\\PC|/){0,8}",
        follows in any::<bool>(),
    ) {
        let start = paths.first().filter(|_| follows).map_or("", |path| path.trim_start_matches('~'));
        let request = get(&host, &(start.to_owned() + &path)).header("x", "1");
        let route = route("r", |route| {
            (route.paths, route.hosts) = (Some(paths), Some(hosts));
            route.headers = Some([("x".to_owned(), vec![value, "1".to_owned()])].into_iter().collect());
            route.snis = list(&["x"]);
        });
        if let Ok(router) = build_as(dialect, [route]) && let Some(found) = found(&router, &request) {
            let taken = request.path.get(..found.matched);
            prop_assert!(taken.is_some());
            prop_assert_eq!(found.captures(&request.path).is_some(), found.pattern.is_some());
            let _ = crate::router::join(taken, &request.path, Some(found.matched)).to_cow();
            let _ = crate::router::append(taken, &request.path, Some(found.matched)).to_cow();
        }
    }
}
