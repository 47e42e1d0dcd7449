//! The idle connections of an endpoint: bounded, timed, and gone with it (compat S13).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Edge, Scripted, Step, balanced, config, eventually,
    scripted::{ok, send},
    service, settings,
};
use gateway_core::{
    Gateway,
    config::{Config, Target},
    upstream::{Endpoint, PoolLimits},
};

fn pooled(config: Config, change: impl FnOnce(&mut PoolLimits)) -> Edge {
    let mut settings = settings();
    change(&mut settings.pool);
    Edge::of(Gateway::builder().config(config).settings(settings).build().unwrap())
}

fn endpoints(edge: &Edge) -> Vec<Arc<Endpoint>> {
    let snapshot = edge.gateway.snapshot();
    let id = *snapshot.config().upstreams.keys().next().unwrap();
    snapshot.upstream(id).unwrap().endpoints()
}

async fn good() -> Scripted {
    Scripted::start(|_| ok("good")).await
}

/// So many requests at the same time.
async fn burst(edge: &Edge, count: usize) {
    let asked = (0..count).map(|_| edge.get("/"));
    for reply in futures_util::future::join_all(asked).await {
        reply.assert_ok("good");
    }
}

fn slow() -> Vec<Step> {
    vec![Step::Wait(Duration::from_millis(100)), send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood")]
}

#[tokio::test]
async fn one_after_the_other_takes_one_connection() {
    let upstream = good().await;
    let edge = Edge::new(balanced(&[upstream.address]).0);
    for _ in 0..50 {
        edge.get("/").await.assert_ok("good");
    }
    assert_eq!((upstream.connections(), endpoints(&edge)[0].idle()), (1, 1));
}

#[tokio::test]
async fn idle_connections_are_bounded() {
    let upstream = Scripted::start(|_| slow()).await;
    let edge = pooled(balanced(&[upstream.address]).0, |limits| limits.idle = 2);
    burst(&edge, 6).await;
    assert_eq!((upstream.connections(), endpoints(&edge)[0].idle()), (6, 2));
    eventually("the others close", || upstream.open() == 2).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time() {
    let upstream = Scripted::start(|_| slow()).await;
    let limit = Duration::from_secs(2);
    let edge = pooled(balanced(&[upstream.address]).0, |limits| limits.idle_timeout = limit);
    burst(&edge, 3).await;
    assert_eq!(endpoints(&edge)[0].idle(), 3);
    eventually("all close", || upstream.open() == 0 && endpoints(&edge)[0].idle() == 0).await;
    // And the sweeper comes back with the next connection.
    burst(&edge, 1).await;
    eventually("that closes too", || upstream.open() == 0).await;
}

#[tokio::test]
async fn a_connection_serves_so_many_requests() {
    let upstream = good().await;
    let edge = pooled(balanced(&[upstream.address]).0, |limits| limits.requests = 3);
    for _ in 0..7 {
        edge.get("/").await.assert_ok("good");
    }
    let on = |connection| upstream.seen().iter().filter(|seen| seen.connection == connection).count();
    assert_eq!([on(0), on(1), on(2)], [3, 3, 1]);
    eventually("the used ones close", || upstream.open() == 1).await;
}

#[tokio::test]
async fn a_reload_keeps_the_connections_of_targets_that_stay_and_closes_the_others() {
    let (stays, goes) = (good().await, good().await);
    let (config, upstream) = balanced(&[stays.address, goes.address]);
    let edge = Edge::new(config.clone());
    for _ in 0..4 {
        edge.get("/").await.assert_ok("good");
    }
    let before = endpoints(&edge);
    let mut smaller = config.clone();
    smaller.targets.remove(&Target::new(&upstream, &goes.address.to_string()).id);
    edge.gateway.reload(&smaller).unwrap();
    let kept = before.iter().find(|endpoint| endpoint.address() == stays.address).unwrap();
    assert!(Arc::ptr_eq(&endpoints(&edge)[0], kept));
    drop(before);
    edge.get("/").await.assert_ok("good");
    eventually("the target's connection closes", || goes.open() == 0).await;
    assert_eq!((stays.connections(), stays.open()), (1, 1));

    // A change of weight, or of the service's limits, moves no connection either.
    let mut change = smaller.clone();
    let id = *change.targets.keys().next().unwrap();
    let target = change.targets.get_mut(&id).unwrap();
    Arc::make_mut(target).weight = 7;
    let id = *change.services.keys().next().unwrap();
    Arc::make_mut(change.services.get_mut(&id).unwrap()).retries = 1;
    edge.gateway.reload(&change).unwrap();
    edge.get("/").await.assert_ok("good");
    assert_eq!(stays.connections(), 1);
}

#[tokio::test]
async fn a_request_under_way_outlives_its_target() {
    let upstream = Scripted::start(|_| slow()).await;
    let (config, _) = balanced(&[upstream.address]);
    let edge = Arc::new(Edge::new(config.clone()));
    let asking = Arc::clone(&edge);
    let asked = tokio::spawn(async move { asking.get("/").await });
    eventually("the request is there", || upstream.seen().len() == 1).await;
    let mut without = config;
    without.targets.clear();
    edge.gateway.reload(&without).unwrap();
    edge.get("/").await.assert_failed(503, "failure to get a peer", "no_targets");
    asked.await.unwrap().assert_ok("good");
    eventually("then its connection closes", || upstream.open() == 0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_upstream_at_once() {
    use tokio::io::AsyncWriteExt;

    let upstream = Scripted::start(|_| vec![Step::Hang]).await;
    let edge = Edge::new(balanced(&[upstream.address]).0);
    let mut client = edge.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    eventually("the request is there", || upstream.seen().len() == 1).await;
    assert_eq!(endpoints(&edge)[0].in_flight(), 1);
    drop(client);
    eventually("the upstream is free", || upstream.open() == 0 && endpoints(&edge)[0].in_flight() == 0).await;
}

#[tokio::test]
async fn services_with_the_same_host_share_a_pool() {
    let upstream = good().await;
    let one = service(upstream.address);
    let mut other = gateway_core::config::Service::new("other", &one.host);
    other.port = one.port;
    let mut route = gateway_core::config::Route::new("other").to(&other);
    route.paths = Some(vec!["/other".into()]);
    let edge = Edge::new(config(one).with(other).with(route));
    edge.get("/").await.assert_ok("good");
    edge.get("/other").await.assert_ok("good");
    assert_eq!(upstream.connections(), 1);
}
