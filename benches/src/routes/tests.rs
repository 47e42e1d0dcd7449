use gateway_core::{plugin::Registry, router::Router};

use super::*;

/// FNV-1a.
fn digest(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_data_set_does_not_drift() {
    let set = DataSet::new(ROUTES);
    let requests: String = set.requests.iter().map(|request| format!("{request:?}\n")).collect();
    assert_eq!(
        (digest(&set.kong_yml()), digest(&requests)),
        (5_618_688_200_515_231_551, 1_196_785_611_124_277_457)
    );
}

#[test]
fn it_is_mixed_as_it_says() {
    let set = DataSet::new(ROUTES);
    let share = |has: fn(&Route) -> bool| set.routes.iter().filter(|route| has(route)).count() * 100 / ROUTES;
    let wild = |route: &Route| route.hosts.iter().flatten().any(|host| host.contains('*'));
    let regex = |route: &Route| route.paths.iter().flatten().any(|path| path.starts_with('~'));
    assert_eq!(share(|route| route.hosts.is_some()), 49);
    assert_eq!(share(regex), 9);
    assert_eq!(share(|route| route.methods.is_some()), 9);
    assert_eq!(share(|route| route.headers.is_some()), 6);
    assert!((3..10).contains(&share(wild)), "{}", share(wild));
}

#[test]
fn every_route_takes_its_request() {
    let set = DataSet::new(2_000);
    let router = Router::new(set.routes.iter().cloned().zip(0..)).expect("routes that compile");
    for (number, request) in set.requests.iter().enumerate() {
        let found = router.find(&request.head()).map(|found| *found.value);
        assert_eq!(found, Some(number), "{request:?} {:?}", set.routes[number]);
    }
}

#[test]
fn the_file_is_the_same_configuration() {
    let set = DataSet::new(300);
    let config = Config::parse(&set.kong_yml(), &Registry::empty()).expect("a configuration");
    assert_eq!(config.services, set.config().services);
    for route in &set.routes {
        let mut read = Route::clone(config.routes.get(&route.id).expect("there"));
        (read.created_at, read.updated_at) = (route.created_at, route.updated_at);
        assert_eq!(read, **route);
    }
}
