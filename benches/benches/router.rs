//! Finding a route among 100 to 50,000, beside bare `matchit`; compiling, changing and keeping them.
//!
//! `cargo bench -p gateway-benches --bench router`
//!
//! - `find`: the data set of `gateway_benches::routes`: hosts, expressions, methods and headers mixed.
//! - `matchit`: as many paths with a prefix each, behind a catch-all: the baseline. It knows no hosts, methods or
//!   headers, and its paths end at slashes.
//! - `compile`: the router of the data set from nothing.
//! - `apply`: one route of it changed: its path, or only its value.
//!
//! Requests go round over up to 4,096 routes in no order, so that large tables do not stay in the caches. The last
//! lines give single calls, the clock's own time taken off, and the memory of the router: what it holds itself, and
//! what the compiled expressions add, before and after they matched.

use std::{hint::black_box, sync::Arc, time::Instant};

use criterion::{BenchmarkId, Criterion};
use gateway_benches::routes::{DataSet, ROUTES, Request};
use gateway_core::{config::Route, router::Router};

const SIZES: [usize; 3] = [100, 1_000, ROUTES];

fn compile<'r>(routes: impl IntoIterator<Item = &'r Arc<Route>>) -> Router<usize> {
    let routes = routes.into_iter().cloned().zip(0..);
    Router::new(routes).unwrap_or_else(|errors| unreachable!("{errors:?}"))
}

fn sample(set: &DataSet) -> Vec<&Request> {
    set.sample(4_096).map(|place| &set.requests[place]).collect()
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for size in SIZES {
        let set = DataSet::new(size);
        let router = compile(&set.routes);
        let requests = sample(&set);
        let mut requests = requests.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let found = requests.next().and_then(|request| router.find(black_box(&request.head())));
                assert!(black_box(found).is_some());
            });
        });
    }
}

fn path(number: usize) -> String {
    format!("/team-{}/service-{number}/v1", number % 97)
}

/// The baseline over `size` routes, and requests to them.
fn baseline(size: usize) -> (matchit::Router<usize>, Vec<String>) {
    let mut router = matchit::Router::new();
    for number in 0..size {
        assert!(router.insert(path(number) + "/{*rest}", number).is_ok());
    }
    let requests = (0..size.min(4_096)).map(|at| path(at * 1_000_003 % size) + "/users/42");
    (router, requests.collect())
}

fn matchit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matchit");
    for size in SIZES {
        let (router, requests) = baseline(size);
        let mut requests = requests.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let found = requests.next().and_then(|path| router.at(black_box(path)).ok());
                assert!(black_box(found).is_some());
            });
        });
    }
}

fn compilation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    let set = DataSet::new(ROUTES);
    group
        .bench_function(BenchmarkId::from_parameter(ROUTES), |bencher| bencher.iter(|| compile(&set.routes)));
}

/// A change of a route, and its name.
type Edit = (&'static str, fn(&mut Route));

fn change(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    let set = DataSet::new(ROUTES);
    let router = compile(&set.routes);
    let mut places = set.sample(4_096).collect::<Vec<_>>().into_iter().cycle();
    let mut next = move |edit: fn(&mut Route)| {
        let mut route = Route::clone(&set.routes[places.next().unwrap_or_default()]);
        edit(&mut route);
        Arc::new(route)
    };
    let edits: [Edit; 2] = [
        ("value", |_| {}),
        ("path", |route| route.paths.iter_mut().flatten().for_each(|path| path.push('x'))),
    ];
    for (name, edit) in edits {
        group.bench_function(BenchmarkId::new(name, ROUTES), |bencher| {
            bencher.iter_batched(
                || next(edit),
                |route| router.apply([], [(route, 0)]),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

/// The median and the tail of single calls.
fn spread(name: &str, size: usize, requests: usize, mut call: impl FnMut(usize)) {
    let mut times: Vec<u128> = (0..50 * requests).map(|at| time(|| call(at % requests))).collect();
    times.drain(..requests);
    times.sort_unstable();
    let clock = clock();
    let at = |part: usize| times[times.len() * part / 1_000].saturating_sub(clock);
    println!("{name}/{size} single calls: p50 {} ns, p99 {} ns, p99.9 {} ns", at(500), at(990), at(999));
}

fn time(call: impl FnOnce()) -> u128 {
    let start = Instant::now();
    call();
    start.elapsed().as_nanos()
}

/// The median time of reading the clock twice.
fn clock() -> u128 {
    let mut times: Vec<u128> = (0..10_000).map(|_| time(|| {})).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn spreads() {
    for size in SIZES {
        let set = DataSet::new(size);
        let router = compile(&set.routes);
        let requests = sample(&set);
        spread("find", size, requests.len(), |at| {
            assert!(black_box(router.find(black_box(&requests[at].head()))).is_some());
        });
        let (router, requests) = baseline(size);
        spread("matchit", size, requests.len(), |at| assert!(black_box(router.at(&requests[at])).is_ok()));
    }
}

fn memory() {
    let set = DataSet::new(ROUTES);
    let with_expression = |route: &Arc<Route>| route.paths.iter().flatten().any(|path| path.starts_with('~'));
    let size = |routes: &[&Arc<Route>]| {
        let mut router = None;
        let held = allocation_counter::measure(|| router = Some(compile(routes.iter().copied())));
        (held.bytes_current, held.bytes_max, router)
    };
    let (expressions, plain): (Vec<_>, Vec<_>) = set.routes.iter().partition(|route| with_expression(route));
    let (bytes, _, _) = size(&plain);
    println!("memory: {} bytes a route without an expression", bytes / plain.len() as i64);
    let (bytes, _, _) = size(&expressions);
    println!("memory: {} bytes a route with one", bytes / expressions.len() as i64);
    let (bytes, most, router) = size(&set.routes.iter().collect::<Vec<_>>());
    println!("memory: {} MB in all, {} MB at most while compiling", bytes / 1_000_000, most / 1_000_000);
    let used = allocation_counter::measure(|| {
        let find =
            |request: &Request| router.as_ref().and_then(|router| router.find(&request.head())).is_some();
        assert!(set.requests.iter().all(find));
    });
    println!("memory: {} MB more once each route was found", used.bytes_current / 1_000_000);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    find(&mut criterion);
    matchit(&mut criterion);
    compilation(&mut criterion);
    change(&mut criterion);
    criterion.final_summary();
    spreads();
    memory();
}
