//! Changes of single routes, one after the other, under load: each request finds its route, whatever is changed
//! meanwhile, and a change counts from the moment that it is made.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire/mod.rs"]
mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gateway_core::config::{Change, Config, Plugin, Route, Service};
use tokio::task::JoinHandle;
use wire::{Client, Edge, Setup, Upstream, eventually};

const ROUTES: usize = 300;
const SERVICES: usize = 20;
const CHANGES: usize = 400;

/// A service with a path of its own, so that the upstream tells which one a request came by.
fn service(upstream: &Upstream, number: usize) -> Service {
    let mut service = upstream.service(&format!("service-{number}"));
    service.path = Some(format!("/service-{number}"));
    service
}

/// A route that always takes `/route-<number>/`, and at each version takes other paths besides.
fn route(service: &Service, number: usize, version: usize) -> Route {
    let mut route = Route::new(&format!("route-{number}")).to(service);
    let mut paths = vec![format!("/route-{number}/")];
    if version > 0 {
        paths.push(format!("/at-{version}/"));
    }
    if version % 3 == 1 {
        paths.push(format!(r"~/pattern-{version}/\d+$"));
    }
    route.hosts = (version % 2 == 1).then(|| vec!["canary.example".into(), format!("{version}.test")]);
    route.paths = Some(paths);
    route
}

fn config(upstream: &Upstream) -> Config {
    let services: Vec<_> = (0..SERVICES).map(|number| service(upstream, number)).collect();
    let routes = (0..ROUTES).map(|number| route(&services[number % SERVICES], number, 0));
    let config = routes.fold(Config::default(), Config::with);
    services.into_iter().fold(config, Config::with)
}

/// Asks for one route after the other until it is told to stop; every answer is the right one.
fn load(edge: &Edge, first: usize, stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let (address, stop) = (edge.address, Arc::clone(stop));
    tokio::spawn(async move {
        let (mut client, mut asked) = (Client::connect(address).await, 0);
        while !stop.load(Ordering::SeqCst) {
            let number = (first + asked * 7) % ROUTES;
            answers(&mut client, &format!("/route-{number}/x"), number).await;
            asked += 1;
        }
        asked
    })
}

async fn answers(client: &mut Client, path: &str, number: usize) {
    let answer = client.get(path).await.unwrap();
    let expected = format!("/service-{}/", number % SERVICES);
    assert_eq!(answer.status, 200, "{path}: {}", answer.head);
    assert!(answer.body.starts_with(&expected), "{path} leads to {}, not {expected}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_single_routes_under_load_are_not_noticed_elsewhere() {
    let upstream = Upstream::echo().await;
    let edge = Setup::new(config(&upstream)).start();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|number| load(&edge, number * 31, &stop)).collect();
    eventually("the load", || edge.running.snapshot().requests > 50).await;
    let mut client = edge.client().await;
    for version in 1..=CHANGES {
        let number = version * 17 % ROUTES;
        let mut own = service(&upstream, number % SERVICES);
        let mut change = Change::default();
        let changed = route(&own, number, version);
        change.routes.insert(changed.id, Some(Arc::new(changed)));
        // Now and then what many routes hang on changes along, or a route comes or goes.
        let mut passing = Route::new("passing").to(&own);
        passing.paths = Some(vec!["/passing".into()]);
        match version % 10 {
            3 => {
                own.retries = u16::try_from(version % 7).unwrap();
                change.services.insert(own.id, Some(Arc::new(own)));
            }
            5 => drop(change.routes.insert(passing.id, Some(Arc::new(passing)))),
            7 => drop(change.routes.insert(passing.id, None)),
            9 => {
                let mut plugin = Plugin::new("correlation-id", serde_json::json!({}));
                plugin.id = edge.gateway.snapshot().config().routes.keys().next().copied().unwrap();
                plugin.enabled = version % 20 == 9;
                change.plugins.insert(plugin.id, Some(Arc::new(plugin)));
            }
            _ => {}
        }
        edge.gateway.apply(&change).unwrap();
        answers(&mut client, &format!("/at-{version}/x"), number).await;
        answers(&mut client, &format!("/route-{number}/x"), number).await;
        let before = client.get(&format!("/at-{}/x", version.wrapping_sub(ROUTES))).await.unwrap();
        assert_eq!(before.status, 404, "what the route took in the round before");
        if version % 50 == 0 {
            drop((upstream.take(), edge.ends.take()));
        }
    }
    stop.store(true, Ordering::SeqCst);
    let mut served = 0;
    for client in clients {
        served += client.await.unwrap();
    }
    assert!(served > CHANGES, "{served} exchanges are no load");
    let counters = edge.running.snapshot();
    assert_eq!((counters.accepted, counters.panics), (5, 0), "no client had to connect again");
    // After all of them it serves by what a start would serve by.
    let config = edge.gateway.snapshot().config().clone();
    assert!(edge.gateway.reload(&config).unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_change_leaves_all_as_it_is_and_a_removed_route_is_gone_at_once() {
    let upstream = Upstream::echo().await;
    let edge = Setup::new(config(&upstream)).start();
    let before = edge.gateway.snapshot();
    let mut client = edge.client().await;
    let mut change = Change::default();
    change.services.insert(service(&upstream, 3).id, None);
    let problems = edge.gateway.apply(&change).unwrap_err();
    assert_eq!(problems.len(), ROUTES / SERVICES, "each route that leads to it is named");
    assert!(Arc::ptr_eq(&before, &edge.gateway.snapshot()));
    let mut wrong = route(&service(&upstream, 1), 1, 0);
    wrong.paths = Some(vec!["~/(".into()]);
    let mut change = Change::default();
    change.routes.insert(wrong.id, Some(Arc::new(wrong.clone())));
    edge.gateway.apply(&change).unwrap_err();
    assert!(Arc::ptr_eq(&before, &edge.gateway.snapshot()));
    answers(&mut client, "/route-1/x", 1).await;
    change.routes.insert(wrong.id, None);
    edge.gateway.apply(&change).unwrap();
    assert_eq!(client.get("/route-1/x").await.unwrap().status, 404);
    answers(&mut client, "/route-2/x", 2).await;
}
