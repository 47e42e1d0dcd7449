//! The plugin `mirror` over real sockets: copies that never delay or fail the request itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{
    Edge, Scripted, Step, balanced_with, config, eventually, nowhere, read_until,
    scripted::{ok, send},
    service,
};
use gateway_core::{
    config::{Config, Plugin, Service, derived_id},
    plugins,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

fn mirror(mut settings: Value) -> Plugin {
    settings.as_object_mut().unwrap().entry("service").or_insert(json!("shadow"));
    let text = json!({ "_format_version": "3.0", "plugins": [{ "name": "mirror", "config": settings }] });
    let config = Config::parse(&text.to_string(), &plugins::bundled()).unwrap();
    let mut plugin = Plugin::clone(config.plugins.values().next().unwrap());
    plugin.id = derived_id("plugins", "mirror");
    plugin
}

fn shadow(address: SocketAddr) -> Service {
    let mut service = Service::new("shadow", &address.ip().to_string());
    service.port = address.port();
    service
}

fn mirrored(to: SocketAddr, by: SocketAddr, settings: Value) -> Edge {
    Edge::new(config(service(to)).with(shadow(by)).with(mirror(settings)))
}

fn count(edge: &Edge, outcome: &str) -> u64 {
    let readings = edge.gateway.snapshot().readings();
    let is_it = |labels: &[(&str, String)]| labels.iter().any(|(_, value)| value == outcome);
    readings.iter().find(|it| is_it(&it.reading.labels)).unwrap().reading.value
}

async fn saying(text: &'static str) -> Scripted {
    Scripted::start(move |_| ok(text)).await
}

#[tokio::test]
async fn a_copy_has_the_same_head_and_body_and_its_answer_goes_nowhere() {
    let (real, copy) = (saying("real").await, saying("copy").await);
    let edge = mirrored(real.address, copy.address, json!({}));
    edge.get("/a?b=1").await.assert_ok("real");
    edge.post("/c", "x-some: thing\r\n", "hello").await.assert_ok("real");
    eventually("both copies", || copy.seen().len() == 2 && copy.seen()[1].body == b"hello").await;
    let (real, copy) = (real.seen(), copy.seen());
    for at in 0..2 {
        assert_eq!((copy[at].method(), copy[at].path()), (real[at].method(), real[at].path()));
        for name in ["x-some", "x-forwarded-for", "x-forwarded-path", "x-kong-request-id"] {
            assert_eq!(copy[at].header(name), real[at].header(name), "{name}");
        }
    }
    assert_eq!(real[1].body, copy[1].body);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_copied_as_it_passes() {
    let (real, copy) = (saying("real").await, saying("copy").await);
    let edge = mirrored(real.address, copy.address, json!({ "body_size": 100 }));
    let chunked = |body: &str| {
        let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{:x}\r\n{body}\r\n3\r\nend\r\n0\r\n\r\n", body.len())
    };
    edge.raw(chunked("hello ")).await;
    eventually("the copy", || copy.seen().first().is_some_and(|seen| seen.body == b"hello end")).await;
    // One that turns out to be too long on the way.
    edge.raw(chunked(&"x".repeat(99))).await;
    assert_eq!(real.seen().len(), 2);
    assert_eq!(count(&edge, "too_long"), 1);
    // One that says so beforehand.
    edge.post("/", "", &"x".repeat(101)).await.assert_ok("real");
    assert_eq!((count(&edge, "too_long"), copy.seen().len()), (2, 1));
}

#[tokio::test]
async fn a_shadow_that_hangs_fails_or_is_not_there_is_not_noticed() {
    let real = saying("real").await;
    let hung = Scripted::start(|_| vec![Step::Hang]).await;
    let reset = Scripted::start(|_| vec![Step::Reset]).await;
    let ill = Scripted::start(|_| vec![send("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")]).await;
    for address in [hung.address, reset.address, ill.address, nowhere()] {
        let edge = mirrored(real.address, address, json!({ "timeout": 200 }));
        for _ in 0..5 {
            edge.get("/").await.assert_ok("real");
        }
        eventually("all copies are over", || count(&edge, "failed") == 5).await;
    }
}

#[tokio::test]
async fn copies_are_bounded_in_number() {
    let real = saying("real").await;
    let hung = Scripted::start(|_| vec![Step::Hang]).await;
    let edge =
        mirrored(real.address, hung.address, json!({ "concurrency": 2, "queue": 3, "timeout": 60_000 }));
    for _ in 0..12 {
        edge.get("/").await.assert_ok("real");
    }
    eventually("two are under way", || hung.seen().len() == 2).await;
    assert_eq!((count(&edge, "sent"), count(&edge, "too_many")), (2, 7));
    // With the plugin its copies end.
    edge.gateway.reload(&config(service(real.address)).with(shadow(hung.address))).unwrap();
    eventually("they are cut", || hung.open() == 0).await;
}

#[tokio::test]
async fn a_client_that_breaks_off_leaves_no_copy_and_no_place_taken() {
    let (real, copy) = (saying("real").await, saying("copy").await);
    let edge = mirrored(real.address, copy.address, json!({ "concurrency": 1, "queue": 0 }));
    let mut client = edge.connect().await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhal").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    // Its place is free once the gateway has seen it go.
    for round in 1..100 {
        edge.get("/").await.assert_ok("real");
        tokio::time::sleep(Duration::from_millis(10)).await;
        if !copy.seen().is_empty() {
            break;
        }
        assert!(round < 99, "no copy came");
    }
    assert!(copy.seen().iter().all(|seen| seen.method() == "GET"));
}

#[tokio::test]
async fn an_upload_is_not_held_up_by_its_copy() {
    // The service answers before the body has come; the copy is nobody's business.
    let real = Scripted::start(|_| vec![send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nreal")]).await;
    let copy = saying("copy").await;
    let (all, _) = balanced_with(&[real.address], |_| {});
    let edge = Edge::new(all.with(shadow(copy.address)).with(mirror(json!({}))));
    let mut client = edge.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    // It may have been answered and closed by now.
    drop(client.write_all(&vec![b'x'; 70_000]).await);
    read_until(&mut client, b"real").await;
    drop(client);
    assert!(copy.seen().is_empty());
}

#[tokio::test]
async fn a_share_is_copied_and_none_at_zero() {
    let (real, copy) = (saying("real").await, saying("copy").await);
    let edge = mirrored(real.address, copy.address, json!({ "percentage": 0 }));
    for _ in 0..20 {
        edge.get("/").await.assert_ok("real");
    }
    assert_eq!(count(&edge, "sent"), 0);
    let edge = mirrored(real.address, copy.address, json!({ "percentage": 50 }));
    for _ in 0..200 {
        edge.get("/").await.assert_ok("real");
    }
    eventually("the copies", || copy.seen().len() as u64 == count(&edge, "sent")).await;
    let copies = copy.seen().len();
    // Six standard deviations.
    assert!(copies.abs_diff(100) <= 43, "{copies}");
}
