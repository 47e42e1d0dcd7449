//! What a target is called in `Host` (compat P36, S2).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Edge, Reply, Scripted, balanced_with, config, scripted::ok, service};
use gateway_core::config::Config;

/// The `Host` that the upstream sees when the client says `outer.example:8000`.
async fn host(upstream: &Scripted, config: Config) -> String {
    let request = "GET / HTTP/1.1\r\nhost: outer.example:8000\r\nconnection: close\r\n\r\n";
    Reply::to("GET", &Edge::new(config).raw(request).await).assert_ok("good");
    upstream.seen().last().unwrap().header("host").to_owned()
}

fn preserving(mut config: Config) -> Config {
    let mut route = config.routes.values().next().unwrap().as_ref().clone();
    route.preserve_host = true;
    config = config.with(route);
    config
}

#[tokio::test]
async fn the_host_is_the_services_the_targets_the_upstreams_or_the_clients() {
    let upstream = Scripted::start(|_| ok("good")).await;
    let address = upstream.address;
    let of_service = config(service(address));
    assert_eq!(host(&upstream, of_service.clone()).await, address.to_string());
    assert_eq!(host(&upstream, preserving(of_service)).await, "outer.example:8000");

    // The service's own port is not used where its host names an upstream.
    let (of_target, mut entity) = balanced_with(&[address], |service| service.port = 1);
    assert_eq!(host(&upstream, of_target.clone()).await, address.to_string());
    entity.host_header = Some("inner.example".into());
    let of_upstream = of_target.with(entity);
    assert_eq!(host(&upstream, of_upstream.clone()).await, format!("inner.example:{}", address.port()));
    assert_eq!(host(&upstream, preserving(of_upstream)).await, "outer.example:8000");
}

#[tokio::test]
async fn a_reload_changes_what_it_is_called() {
    let upstream = Scripted::start(|_| ok("good")).await;
    let (before, mut entity) = balanced_with(&[upstream.address], |_| {});
    let edge = Edge::new(before.clone());
    edge.get("/").await.assert_ok("good");
    entity.host_header = Some("inner.example".into());
    edge.gateway.reload(&before.with(entity)).unwrap();
    edge.get("/").await.assert_ok("good");
    assert!(upstream.seen()[1].header("host").starts_with("inner.example:"));
}
