//! TLS to upstreams: who is believed, what is shown, and which connections may be shared (docs/threat-model.md, 4 and 7; compat D31).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{net::SocketAddr, sync::Arc};

use tokio::io::AsyncWriteExt;

use common::{
    Edge, Reply, balanced, config, service,
    tls::{Authority, Pair, Secured},
};
use gateway_core::{
    config::{CaCertificate, Certificate, Config, Protocol, Route, Service},
    server::Certificates,
    upstream::{TlsSettings, Transport},
};

const INVALID: &str = "An invalid response was received from the upstream server";

/// An https service that believes `authority`.
fn https(address: SocketAddr, authority: &Authority) -> (Service, CaCertificate) {
    let anchor = CaCertificate::new(&authority.pem);
    let mut service = service(address);
    service.protocol = Protocol::Https;
    service.retries = 0;
    service.ca_certificates = Some(vec![anchor.id]);
    (service, anchor)
}

/// What a service that believes `authority`, changed by `change`, gets from an upstream that shows `pair`.
async fn get(pair: &Pair, authority: &Authority, change: impl FnOnce(&mut Service)) -> Reply {
    let upstream = Secured::start(pair, None).await;
    let (mut service, anchor) = https(upstream.address, authority);
    change(&mut service);
    Edge::new(config(service).with(anchor)).get("/").await
}

#[track_caller]
fn assert_served(reply: &Reply) {
    assert_eq!((reply.status, reply.whole), (200, true), "{reply:?}");
}

#[tokio::test]
async fn a_certificate_of_the_services_anchors_is_believed() {
    let authority = Authority::new("ca");
    assert_served(&get(&authority.leaf("127.0.0.1"), &authority, |_| {}).await);
}

#[tokio::test]
async fn other_certificates_are_502_tls_verify() {
    let (authority, other) = (Authority::new("ca"), Authority::new("other"));
    for pair in [authority.leaf("127.0.0.2"), authority.expired("127.0.0.1"), other.leaf("127.0.0.1")] {
        get(&pair, &authority, |_| {}).await.assert_failed(502, INVALID, "tls_verify");
    }
}

#[tokio::test]
async fn verification_is_on_where_nobody_says_off() {
    let authority = Authority::new("ca");
    let pair = authority.leaf("127.0.0.1");
    let system = |service: &mut Service| service.ca_certificates = None;
    get(&pair, &authority, system).await.assert_failed(502, INVALID, "tls_verify");

    let upstream = Secured::start(&pair, None).await;
    let (mut service, anchor) = https(upstream.address, &authority);
    service.ca_certificates = None;
    let mut settings = common::settings();
    settings.tls_verify = false;
    let config = config(service).with(anchor);
    let gateway = gateway_core::Gateway::builder().config(config).settings(settings).build().unwrap();
    assert_served(&Edge::of(gateway).get("/").await);
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let (authority, other) = (Authority::new("ca"), Authority::new("other"));
    for pair in [authority.leaf("127.0.0.2"), authority.expired("127.0.0.1"), other.leaf("127.0.0.1")] {
        assert_served(&get(&pair, &authority, |service| service.tls_verify = Some(false)).await);
    }
}

#[tokio::test]
async fn the_chain_is_no_longer_than_the_service_says() {
    let root = Authority::new("root");
    let middle = root.intermediate("middle");
    let mut pair = middle.leaf("127.0.0.1");
    pair.chain.push_str(&middle.pem);
    assert_served(&get(&pair, &root, |_| {}).await);
    assert_served(&get(&pair, &root, |service| service.tls_verify_depth = Some(1)).await);
    let shallow = get(&pair, &root, |service| service.tls_verify_depth = Some(0)).await;
    shallow.assert_failed(502, INVALID, "tls_verify");
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_is_502_tls_handshake() {
    let clear = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = clear.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = clear.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let authority = Authority::new("ca");
    let (service, anchor) = https(address, &authority);
    let edge = Edge::new(config(service).with(anchor));
    edge.get("/").await.assert_failed(502, INVALID, "tls_handshake");
}

#[tokio::test]
async fn the_client_certificate_is_shown() {
    let (authority, clients) = (Authority::new("ca"), Authority::new("clients"));
    let upstream = Secured::start(&authority.leaf("127.0.0.1"), Some(&clients)).await;
    let pair = clients.leaf("gateway");
    let certificate = Certificate::new(&pair.chain, &pair.key);
    let (mut service, anchor) = https(upstream.address, &authority);
    let without = Edge::new(config(service.clone()).with(anchor.clone()));
    let refused = without.get("/").await;
    // The upstream's reset may overtake its alert.
    let reason = refused.header("x-gateway-reason");
    assert!(refused.status == 502 && ["tls_handshake", "reset"].contains(&reason), "{refused:?}");
    service.client_certificate = Some(certificate.id.into());
    let with = Edge::new(config(service).with(anchor).with(certificate));
    assert_served(&with.get("/").await);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn the_name_asked_for_is_the_host_sent() {
    let authority = Authority::new("ca");
    let upstream = Secured::start(&authority.leaf("inner.example"), None).await;
    let (mut service, anchor) = https(upstream.address, &authority);
    service.host = "group".into();
    let (mut config, mut entity) = balanced(&[upstream.address]);
    entity.host_header = Some("inner.example".into());
    config = config.with(entity).with(anchor);
    let mut edge_service = (*config.services.values().next().unwrap()).as_ref().clone();
    edge_service.protocol = service.protocol;
    edge_service.ca_certificates = service.ca_certificates;
    let edge = Edge::new(config.with(edge_service));
    let reply = edge.get("/").await;
    assert_served(&reply);
    let port = upstream.address.port();
    assert!(reply.text().contains(&format!("host: inner.example:{port}\n")), "{reply:?}");
    assert_eq!(upstream.names(), [Some("inner.example".to_owned())]);
}

#[tokio::test]
async fn a_preserved_host_is_the_name_asked_for_and_verified() {
    let authority = Authority::new("ca");
    let upstream = Secured::start(&authority.leaf("outer.example"), None).await;
    let (service, anchor) = https(upstream.address, &authority);
    let edge = preserving(service, anchor);
    for (host, status) in [("outer.example:8443", 200), ("other.example", 502)] {
        let raw = edge.raw(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(Reply::to("GET", &raw).status, status, "{host}");
    }
    assert_eq!(upstream.names(), [Some("outer.example".to_owned())]);
}

/// A gateway that keeps the client's `Host`.
fn preserving(service: Service, anchor: CaCertificate) -> Edge {
    let mut route = Route::new("kept").to(&service);
    (route.paths, route.preserve_host) = (Some(vec!["/".into()]), true);
    let config = Config::default().with(service).with(anchor).with(route);
    let mut settings = common::settings();
    settings.pool.idle = 1;
    Edge::of(gateway_core::Gateway::builder().config(config).settings(settings).build().unwrap())
}

#[tokio::test]
async fn a_preserved_host_that_is_no_servers_name_is_no_fault_of_the_upstreams() {
    let authority = Authority::new("ca");
    let upstream = Secured::start(&authority.leaf("127.0.0.1"), None).await;
    let (service, anchor) = https(upstream.address, &authority);
    let edge = preserving(service, anchor);
    let long = "a".repeat(64);
    for host in ["a~b", "-a", &long] {
        let raw = edge.raw(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        let reply = Reply::to("GET", &raw);
        assert_served(&reply);
        assert!(reply.text().contains(&format!("host: {host}\n")), "{reply:?}");
    }
    let raw = String::from_utf8(edge.raw("GET / HTTP/1.0\r\n\r\n").await).unwrap();
    assert!(raw.contains(" 200 OK\r\n"), "{raw}");
    assert_eq!((upstream.connections(), upstream.names()), (1, vec![None]));
}

#[tokio::test]
async fn the_newest_connection_is_kept_where_a_pool_is_full() {
    let authority = Authority::new("ca");
    let upstream = Secured::start(&authority.leaf("127.0.0.1"), None).await;
    let (mut service, anchor) = https(upstream.address, &authority);
    service.tls_verify = Some(false);
    let edge = preserving(service, anchor);
    for host in ["one.example", "two.example", "two.example", "two.example"] {
        let raw = edge.raw(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert_served(&Reply::to("GET", &raw));
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn settings_that_differ_never_share_a_connection() {
    let (authority, clients) = (Authority::new("ca"), Authority::new("clients"));
    let upstream = Secured::start(&authority.leaf("127.0.0.1"), None).await;
    let (first, anchor) = https(upstream.address, &authority);
    let pair = clients.leaf("gateway");
    let certificate = Certificate::new(&pair.chain, &pair.key);
    let mut all = Config::default().with(anchor).with(certificate.clone());
    let mut unverified = first.clone();
    unverified.tls_verify = Some(false);
    let mut shown = first.clone();
    shown.client_certificate = Some(certificate.id.into());
    let mut deep = first.clone();
    deep.tls_verify_depth = Some(3);
    for (index, mut service) in [first, unverified, shown, deep].into_iter().enumerate() {
        let name = format!("s{index}");
        service.id = gateway_core::config::derived_id("services", &name);
        service.name = Some(name.clone());
        let mut route = Route::new(&name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        all = all.with(service).with(route);
    }
    let edge = Edge::new(all);
    for _ in 0..3 {
        for index in 0..4 {
            assert_served(&edge.get(&format!("/s{index}")).await);
        }
    }
    assert_eq!(upstream.connections(), 4);
}

#[tokio::test]
async fn a_reload_with_other_tls_settings_takes_new_connections() {
    let authority = Authority::new("ca");
    let upstream = Secured::start(&authority.leaf("127.0.0.1"), None).await;
    let (mut service, anchor) = https(upstream.address, &authority);
    let edge = Edge::new(config(service.clone()).with(anchor.clone()));
    for _ in 0..2 {
        assert_served(&edge.get("/").await);
    }
    service.retries = 1;
    edge.gateway.reload(&config(service.clone()).with(anchor.clone())).unwrap();
    assert_served(&edge.get("/").await);
    assert_eq!(upstream.connections(), 1);
    service.tls_verify_depth = Some(5);
    edge.gateway.reload(&config(service).with(anchor)).unwrap();
    assert_served(&edge.get("/").await);
    assert_eq!(upstream.connections(), 2);
}

/// A certificate made by `openssl x509 -req`, which makes version 1 where nobody says otherwise.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBFjCBvQIUAhEZJfXGtb+lQJM0imEWwxQz8UAwCgYIKoZIzj0EAwIwDTELMAkG
A1UEAwwCdjEwIBcNMjYxMTIyMTg0MjQ1WhgPMjEyNjEwMjkxODQyNDVaMA0xCzAJ
BgNVBAMMAnYxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZiR7AHHSuXbQ2wp2
DZwkvgiF+J1MmHVq3UTbBAI6yf5vmr3eEedRIubR8P+pUEEKFF69tDpAZXHaEHvo
nXanCTAKBggqhkjOPQQDAgNIADBFAiAhteMi1J1kgnOq26tz8t8dSCyRT69ldxZI
6i/GZF5+HQIhAK7cPOJ2eytqW7hDzFeHhFOgQlK/kyHq0n6UGhpP2ghf
-----END CERTIFICATE-----
";
const VERSION_1_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgh78PLb93DkcyYezS
xJp1z0RInWiA8N95+AVKUgLIwuChRANCAARmJHsAcdK5dtDbCnYNnCS+CIX4nUyY
dWrdRNsEAjrJ/m+avd4R51Ei5tHw/6lQQQoUXr20OkBlcdoQe+iddqcJ
-----END PRIVATE KEY-----
";

#[test]
fn a_certificate_of_version_1_is_named_as_such() {
    let shown = Arc::new(Certificate::new(VERSION_1, VERSION_1_KEY));
    let settings = TlsSettings { client: Some(shown), ..TlsSettings::default() };
    let upstream = Transport::tls(&settings).unwrap_err().to_string();
    let listener = Certificates::new(&Config::default())
        .unwrap()
        .set_default(VERSION_1, VERSION_1_KEY)
        .unwrap_err()
        .to_string();
    for told in [upstream, listener] {
        assert!(told.contains("it is X.509 version 1") && told.contains("-extfile"), "{told}");
    }
}
