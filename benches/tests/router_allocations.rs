//! Finding a route allocates nothing once its expression was used, and a change of one route little.

// A helper of a test may fail as the test itself does.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use allocation_counter::measure;
use gateway_benches::routes::DataSet;
use gateway_core::{config::Route, router::Router};

fn router(set: &DataSet) -> Router<usize> {
    Router::new(set.routes.iter().cloned().zip(0..)).expect("routes that compile")
}

fn is_plain(route: &Route) -> bool {
    route.paths.iter().flatten().all(|path| !path.starts_with('~'))
}

#[test]
fn a_match_allocates_nothing() {
    let set = DataSet::new(2_000);
    let router = router(&set);
    let find_all = || {
        for (number, request) in set.requests.iter().enumerate() {
            assert_eq!(router.find(&request.head()).map(|found| *found.value), Some(number));
        }
    };
    find_all();
    assert_eq!(measure(find_all).count_total, 0);
}

#[test]
fn a_changed_route_of_many_copies_little() {
    let set = DataSet::new(20_000);
    let router = router(&set);
    // Without an expression and with one: changes, allocations, bytes.
    let mut sums = [(0, 0, 0); 2];
    for place in set.sample(200) {
        let mut route = Route::clone(&set.routes[place]);
        route.paths.iter_mut().flatten().for_each(|path| path.push('x'));
        let route = Arc::new(route);
        let counted = measure(|| drop(router.apply([], [(route, 0)])));
        let sum = &mut sums[usize::from(!is_plain(&set.routes[place]))];
        *sum = (sum.0 + 1, sum.1 + counted.count_total, sum.2 + counted.bytes_total);
    }
    // On average, as the table of all expressions grows now and then. Compiling one takes working space of its own.
    for ((changes, allocations, bytes), (most, large)) in
        sums.into_iter().zip([(200, 100_000), (2_000, 500_000)])
    {
        assert!(changes > 5, "{sums:?}");
        assert!(allocations / changes < most && bytes / changes < large, "{sums:?}");
    }
}

#[test]
fn a_route_takes_less_than_a_kilobyte() {
    let set = DataSet::new(5_000);
    let routes: Vec<_> = set.routes.iter().filter(|route| is_plain(route)).cloned().zip(0..).collect();
    let count = i64::try_from(routes.len()).expect("a small number");
    let mut router = None;
    let held = measure(|| router = Router::new(routes).ok()).bytes_current;
    assert!(router.is_some() && held / count < 1_024, "{} bytes a route", held / count);
}
