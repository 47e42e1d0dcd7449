//! A router after any changes against one made from nothing, and against the plain reference.

use proptest::{prelude::*, sample::Index};

use super::{
    generated::{any_dialect, config, requests, routes},
    *,
};

/// A step from one router to the next: the routes that go, by place in the list of all, and those that come.
type Step = (Vec<Index>, Vec<Index>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || prop::collection::vec(any::<Index>(), 0..6);
    prop::collection::vec((some(), some()), 1..6)
}

/// Two lists of routes of which those at one place have one id: what comes is as it was, or edited, or new.
fn pools() -> impl Strategy<Value = (Dialect, Vec<Route>, Vec<Route>)> {
    let lists = |dialect: Dialect| (Just(dialect), routes(dialect.flavor), routes(dialect.flavor));
    any_dialect().prop_flat_map(lists).prop_map(|(dialect, first, mut second)| {
        for (old, new) in first.iter().zip(&mut second) {
            new.id = old.id;
        }
        (dialect, first, second)
    })
}

/// The answers that count: the name of the route, and how much of the path it took.
fn answers(router: &Router<String>, requests: &[Request]) -> Vec<Option<(String, usize)>> {
    let answer = |request| found(router, request).map(|found| (found.value.clone(), found.matched));
    requests.iter().map(answer).collect()
}

fn apply(router: &Router<String>, gone: &[Uuid], come: &[Route]) -> Router<String> {
    let named = |route: &Route| (Arc::new(route.clone()), route.name.clone().unwrap());
    router.apply(gone.iter().copied(), come.iter().map(named)).unwrap()
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn a_changed_router_answers_as_a_fresh_one_and_the_reference(
        (dialect, first, second) in pools(), steps in steps(), requests in requests(),
    ) {
        let mut list = first.clone();
        let mut applied = router_as(dialect, list.clone());
        for (gone, come) in steps {
            let before = (applied.clone(), answers(&applied, &requests));
            let pool: Vec<Route> = first.iter().chain(&second).cloned().collect();
            let gone: Vec<Uuid> = gone.iter().map(|at| at.get(&pool).id).collect();
            let come: Vec<Route> = come.iter().map(|at| at.get(&pool).clone()).collect();
            applied = apply(&applied, &gone, &come);
            list.retain(|route| !gone.contains(&route.id));
            for route in come {
                list.retain(|other| other.id != route.id);
                list.push(route);
            }

            prop_assert_eq!(answers(&before.0, &requests), before.1, "the router before did not change");
            let fresh = router_as(dialect, list.iter().rev().cloned());
            prop_assert_eq!(answers(&applied, &requests), answers(&fresh, &requests));
            let parts = reference::sorted(dialect, &list);
            for request in &requests {
                let expected = reference::find(&parts, request);
                let expected = expected.map(|(at, matched)| (list[at].name.clone().unwrap(), matched));
                prop_assert_eq!(&answers(&applied, std::slice::from_ref(request))[0], &expected, "{:?}", request);
            }
            prop_assert_eq!(applied.iter().count(), list.len());
        }
    }
}

#[test]
fn a_route_that_comes_as_it_was_changes_its_value_only() {
    let route = Arc::new(route("r", |route| route.paths = list(&["/a"])));
    let old = Router::new([(Arc::clone(&route), 1)]).unwrap();
    let new = old.apply([], [(route, 2)]).unwrap();
    let request = get("h", "/a");
    assert_eq!(*old.find(&request.head()).unwrap().value, 1);
    assert_eq!(*new.find(&request.head()).unwrap().value, 2);
}

#[test]
fn a_change_with_an_error_says_all_and_changes_nothing() {
    let old = paths(&["/a"]);
    let bad = |name: &str, path: &str| {
        (Arc::new(route(name, |route| route.paths = list(&[path]))), name.to_owned())
    };
    let refused = old.apply([], [bad("r", "~/["), bad("s", "~/("), bad("t", "/t")]).unwrap_err();
    let names: Vec<_> = refused.iter().map(|(route, _)| route.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["r", "s"]);
    assert!(takes(&old, &get("h", "/a")) && !takes(&old, &get("h", "/t")));
}

#[test]
fn what_came_and_went_leaves_nothing() {
    let mut router = paths(&["/a"]);
    let crowd: Vec<Route> = (0..50_u32)
        .map(|number| {
            route(&format!("{number}"), |route| {
                route.hosts = list(&["a.t", "*.b.t", "a.t:81", "a.t"]);
                route.paths = list(&["/a", "~/a/[^/]+/orders/[0-9]+", "~/b/.*"]);
                route.methods = (number % 2 == 0).then(|| vec!["GET".into(), "GET".into()]);
                route.headers = headers(&[&format!("x: {number}"), "y: ~*.", "z: 1"]);
            })
        })
        .collect();
    let empty = format!("{:?}", router.index());
    for _ in 0..3 {
        router = apply(&router, &[], &crowd);
        let request = get("a.t", "/a/b/orders/7").header("x", "7").header("y", "1").header("z", "1");
        assert_eq!(name(&router, &request), Some("7"));
        router = apply(&router, &crowd.iter().map(|route| route.id).collect::<Vec<_>>(), &[]);
    }
    assert_eq!(format!("{:?}", router.index()), empty);
}
