//! Finding a route among 1 to 50,000, beside bare `matchit` over the same paths.
//!
//! `cargo bench -p gateway-benches --bench router`
//!
//! - `paths`: routes with one path each, on any host.
//! - `matchit`: the same paths, each with a catch-all behind it: the baseline. It knows no hosts, methods or headers.
//! - `hosts`: every route on a host of its own, one in four of them a wildcard.
//! - `mixed`: ten hosts, and of ten routes one a regular expression, two with methods, one with a header.
//! - `fields` and `expressions`: the same 1,000 rules in both forms: `prefix` is host and prefix, `method` has two
//!   methods as well, `header` a header's value, `regex` is host and regular expression.
//! - `compile`: building the router of `paths` and of `mixed`.
//!
//! Requests go round over up to 4,096 routes in no order, so that large tables do not stay in the caches. The last
//! lines give single calls at 50,000 routes, the clock's own time taken off.

use std::{hint::black_box, sync::Arc, time::Instant};

use criterion::{BenchmarkId, Criterion};
use gateway_core::{
    config::Route,
    router::{Flavor, Head, Router},
};
use http::{HeaderMap, HeaderValue, Method};

const SIZES: [usize; 4] = [1, 100, 1_000, 50_000];

/// Host and path of a request.
type Request = (String, String);

/// A shape of routes: fills the route of this number and says which request it takes.
type Shape = fn(usize, &mut Route) -> Request;

const SHAPES: [(&str, Shape); 3] = [("paths", paths), ("hosts", hosts), ("mixed", mixed)];

fn path(number: usize) -> String {
    format!("/team-{}/service-{}/v1", number % 97, number)
}

fn paths(number: usize, route: &mut Route) -> Request {
    route.paths = Some(vec![path(number)]);
    ("any.example.com".into(), path(number) + "/users/42")
}

fn hosts(number: usize, route: &mut Route) -> Request {
    let wild = if number.is_multiple_of(4) { ("*", "www") } else { ("api", "api") };
    let host = |label: &str| format!("{label}.tenant-{number}.example.com");
    route.hosts = Some(vec![host(wild.0)]);
    route.paths = Some(vec!["/v1".into()]);
    (host(wild.1), "/v1/users/42".into())
}

fn mixed(number: usize, route: &mut Route) -> Request {
    let host = format!("host-{}.example.com", number % 10);
    route.hosts = Some(vec![host.clone()]);
    let prefix = path(number);
    route.paths = Some(vec![prefix.clone()]);
    match number / 10 % 10 {
        0 => route.paths = Some(vec![format!(r"~{prefix}/users/(?<id>[0-9]+)$")]),
        1 | 2 => route.methods = Some(vec!["GET".into(), "HEAD".into()]),
        3 => {
            let values = vec!["1".to_owned(), "2".to_owned()];
            route.headers = Some([("x-version".to_owned(), values)].into_iter().collect());
        }
        _ => {}
    }
    (host, prefix + "/users/42")
}

/// The routes of a shape, and the requests that they take.
fn generate(shape: Shape, size: usize) -> (Vec<(Arc<Route>, usize)>, Vec<Request>) {
    let route = |number| {
        let mut route = Route::new(&format!("route-{number}"));
        let request = shape(number, &mut route);
        ((Arc::new(route), number), request)
    };
    let (routes, requests): (Vec<_>, Vec<_>) = (0..size).map(route).unzip();
    // 7,919 is prime and no factor of any size, so this visits each at most once.
    let picked = (0..size.min(4_096)).map(|at| requests[at * 7_919 % size].clone());
    (routes, picked.collect())
}

fn compile(routes: &[(Arc<Route>, usize)]) -> Router<usize> {
    Router::new(routes.iter().cloned()).unwrap_or_else(|errors| unreachable!("{errors:?}"))
}

fn head<'a>((host, path): &'a Request, headers: &'a HeaderMap) -> Head<'a> {
    Head::new(&Method::GET, host, path, headers)
}

fn headers() -> HeaderMap {
    [
        (http::header::ACCEPT, HeaderValue::from_static("*/*")),
        (http::HeaderName::from_static("x-version"), HeaderValue::from_static("2")),
    ]
    .into_iter()
    .collect()
}

fn find(criterion: &mut Criterion) {
    let headers = headers();
    for (name, shape) in SHAPES {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let (routes, requests) = generate(shape, size);
            let router = compile(&routes);
            let mut requests = requests.iter().cycle();
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    let request = requests.next().map(|request| head(request, &headers));
                    let found = request.and_then(|head| router.find(black_box(&head)));
                    assert!(black_box(found).is_some());
                });
            });
        }
    }
}

fn matchit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matchit");
    for size in SIZES {
        let (_, requests) = generate(paths, size);
        let mut router = matchit::Router::new();
        for number in 0..size {
            let inserted = router.insert(path(number) + "/{*rest}", number);
            assert!(inserted.is_ok());
        }
        let mut requests = requests.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let found = requests.next().and_then(|(_, path)| router.at(black_box(path)).ok());
                assert!(black_box(found).is_some());
            });
        });
    }
}

/// What a rule asks besides its host.
const RULES: [&str; 4] = ["prefix", "method", "header", "regex"];

/// A rule in fields.
fn fields(rule: &str, number: usize, route: &mut Route) -> Request {
    let (host, prefix) = (format!("host-{}.example.com", number % 10), path(number));
    route.hosts = Some(vec![host.clone()]);
    route.paths = Some(vec![match rule {
        "regex" => format!("~{prefix}/users/(?<id>[0-9]+)$"),
        _ => prefix.clone(),
    }]);
    match rule {
        "method" => route.methods = Some(vec!["HEAD".into(), "GET".into()]),
        "header" => {
            route.headers = Some([("x-version".to_owned(), vec!["2".to_owned()])].into_iter().collect());
        }
        _ => {}
    }
    (host, prefix + "/users/42")
}

/// The same rule in an expression.
fn expression(rule: &str, number: usize, route: &mut Route) -> Request {
    let (host, prefix) = (format!("host-{}.example.com", number % 10), path(number));
    let asked = match rule {
        "regex" => format!(r##"http.path ~ r#"^{prefix}/users/(?<id>[0-9]+)$"#"##),
        _ => format!(r#"http.path ^= "{prefix}""#),
    };
    let more = match rule {
        "method" => r#" && (http.method == "HEAD" || http.method == "GET")"#,
        "header" => r#" && any(lower(http.headers.x_version)) == "2""#,
        _ => "",
    };
    route.expression = Some(format!(r#"http.host == "{host}" && {asked}{more}"#));
    (host, prefix + "/users/42")
}

fn expressions(criterion: &mut Criterion) {
    type Form = fn(&str, usize, &mut Route) -> Request;
    let headers = headers();
    for (name, form) in [("fields", fields as Form), ("expressions", expression)] {
        let mut group = criterion.benchmark_group(name);
        for rule in RULES {
            let route = |number| {
                let mut route = Route::new(&format!("route-{number}"));
                let request = form(rule, number, &mut route);
                ((Arc::new(route), number), request)
            };
            let (routes, requests): (Vec<_>, Vec<_>) = (0..1_000).map(route).unzip();
            let router = Router::with_flavor(Flavor::Expressions, routes)
                .unwrap_or_else(|errors| unreachable!("{errors:?}"));
            let mut requests = requests.iter().cycle();
            group.bench_function(rule, |bencher| {
                bencher.iter(|| {
                    let request = requests.next().map(|request| head(request, &headers));
                    let found = request.and_then(|head| router.find(black_box(&head)));
                    assert!(black_box(found).is_some());
                });
            });
        }
    }
}

fn compilation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for (name, shape) in [("paths", paths as Shape), ("mixed", mixed)] {
        let (routes, _) = generate(shape, 50_000);
        group.bench_function(BenchmarkId::new(name, routes.len()), |bencher| {
            bencher.iter(|| compile(&routes));
        });
    }
}

/// Prints the median and the 99th percentile of single calls.
fn spread() {
    let headers = headers();
    for (name, shape) in SHAPES {
        let (routes, requests) = generate(shape, 50_000);
        let router = compile(&routes);
        let mut times: Vec<u128> =
            (0..50).flat_map(|_| &requests).map(|request| time(&router, request, &headers)).collect();
        times.sort_unstable();
        let clock = clock();
        let at = |part: usize| times[times.len() * part / 1_000].saturating_sub(clock);
        println!("{name}/50000 single calls: p50 {} ns, p99 {} ns, p99.9 {} ns", at(500), at(990), at(999));
    }
}

fn time(router: &Router<usize>, request: &Request, headers: &HeaderMap) -> u128 {
    let head = head(request, headers);
    let start = Instant::now();
    let found = router.find(black_box(&head));
    let time = start.elapsed().as_nanos();
    assert!(black_box(found).is_some());
    time
}

/// The median time of reading the clock twice.
fn clock() -> u128 {
    let mut times: Vec<u128> = (0..10_000).map(|_| Instant::now().elapsed().as_nanos()).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    find(&mut criterion);
    matchit(&mut criterion);
    expressions(&mut criterion);
    compilation(&mut criterion);
    criterion.final_summary();
    spread();
}
