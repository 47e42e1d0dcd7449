//! Targets that fail more often than the others are out for a while: Envoy's outlier detection, said by tags.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use common::{
    BOUND, Edge, Scripted, Step, balanced, eventually,
    scripted::{ok, send},
    settings,
};
use gateway_core::{
    Gateway,
    config::{Config, Target, Upstream},
    health::State,
    sanitize::Compat,
};

/// A server of which every so manieth answer is a failure, at first every other one; 0: none.
async fn moody() -> (Scripted, Arc<AtomicUsize>) {
    let (ill, count) = (Arc::new(AtomicUsize::new(2)), AtomicUsize::new(0));
    let mood = Arc::clone(&ill);
    let failure = || send("HTTP/1.1 502 Oh\r\ncontent-length: 2\r\n\r\nno");
    let script = move |_: &_| match (mood.load(Relaxed), count.fetch_add(1, Relaxed)) {
        (1.., number) if number.is_multiple_of(mood.load(Relaxed)) => vec![Step::Body, failure()],
        _ => ok("ok"),
    };
    (Scripted::start(script).await, ill)
}

async fn well(count: usize) -> Vec<Scripted> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(Scripted::start(|_| ok("ok")).await);
    }
    all
}

/// A service in front of these targets, without retries.
fn tagged(targets: &[SocketAddr], tags: &[&str]) -> (Config, Upstream) {
    let (config, mut upstream) = balanced(&[]);
    upstream.tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    let config = config.with(upstream.clone());
    let target =
        |config: Config, address: &SocketAddr| config.with(Target::new(&upstream, &address.to_string()));
    (targets.iter().fold(config, target), upstream)
}

fn states(edge: &Edge, upstream: &Upstream) -> Vec<(SocketAddr, State)> {
    let all = edge.gateway.snapshot().upstream(upstream.id).unwrap().endpoints();
    all.iter().map(|endpoint| (endpoint.address(), endpoint.health())).collect()
}

fn out(edge: &Edge, upstream: &Upstream) -> Vec<SocketAddr> {
    let unwell = |(address, state): (_, State)| (!state.is_available()).then_some(address);
    let mut out: Vec<_> = states(edge, upstream).into_iter().filter_map(unwell).collect();
    out.sort();
    out
}

/// Asks until that is so.
async fn ask_until(edge: &Edge, what: &str, wanted: impl Fn() -> bool) {
    let begun = Instant::now();
    while !wanted() {
        assert!(begun.elapsed() < BOUND, "{what}: not yet");
        edge.get("/").await;
    }
}

#[tokio::test]
async fn who_fails_more_often_than_the_others_is_out_and_comes_back() {
    let (ill, mood) = moody().await;
    let others = well(5).await;
    let targets: Vec<_> = others.iter().chain([&ill]).map(|server| server.address).collect();
    let tags = ["eject-deviating:1.9", "eject-interval:0.2", "eject-requests:4", "ejection-time:0.5"];
    let (config, upstream) = tagged(&targets, &tags);
    let edge = Edge::new(config);
    ask_until(&edge, "it is out", || out(&edge, &upstream) == [ill.address]).await;
    // A trial that fails is no way back.
    mood.store(1, Relaxed);
    let seen = ill.seen().len();
    ask_until(&edge, "it is tried", || ill.seen().len() > seen).await;
    assert_eq!(out(&edge, &upstream), [ill.address]);
    // Well again, it is tried by one request, and then takes its part.
    mood.store(0, Relaxed);
    ask_until(&edge, "it is back", || out(&edge, &upstream).is_empty()).await;
    let seen = ill.seen().len();
    for _ in 0..12 {
        edge.get("/").await.assert_ok("ok");
    }
    assert_eq!(ill.seen().len(), seen + 2);
}

#[tokio::test]
async fn no_more_are_out_than_may_be_and_the_worst_goes_first() {
    let mut ill = Vec::new();
    for percent in [50, 75, 100] {
        let count = AtomicUsize::new(0);
        let script = move |_: &_| match count.fetch_add(25, Relaxed) % 100 < percent {
            true => vec![Step::Body, send("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")],
            false => ok("ok"),
        };
        ill.push(Scripted::start(script).await);
    }
    let others = well(1).await;
    let targets: Vec<_> = others.iter().chain(&ill).map(|server| server.address).collect();
    let tags =
        ["eject-failing:50", "eject-interval:0.3", "eject-requests:4", "eject-hosts:4", "max-ejection:50"];
    let (config, upstream) = tagged(&targets, &tags);
    let edge = Edge::new(config);
    ask_until(&edge, "two are out", || out(&edge, &upstream).len() == 2).await;
    let mut worst = [ill[1].address, ill[2].address];
    worst.sort();
    assert_eq!(out(&edge, &upstream), worst);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(700) {
        edge.get("/").await;
    }
    assert_eq!(out(&edge, &upstream).len(), 2, "half of four, and no more");
}

#[tokio::test]
async fn changes_of_other_targets_do_not_put_the_comparison_off() {
    let (ill, _mood) = moody().await;
    let others = well(6).await;
    let all: Vec<_> = others.iter().chain([&ill]).map(|server| server.address).collect();
    let tags = ["eject-deviating:1.9", "eject-interval:0.4", "eject-requests:4"];
    let (with_all, upstream) = tagged(&all, &tags);
    let (without_one, _) = tagged(&all[1..], &tags);
    let edge = Edge::new(with_all.clone());
    let begun = Instant::now();
    for round in 0.. {
        if out(&edge, &upstream) == [ill.address] {
            break;
        }
        assert!(begun.elapsed() < BOUND, "it is not compared");
        edge.gateway.reload(if round % 2 == 0 { &without_one } else { &with_all }).unwrap();
        for _ in 0..14 {
            edge.get("/").await;
        }
    }
}

#[tokio::test]
async fn what_clients_do_makes_nobody_an_outlier() {
    let targets = well(5).await;
    let addresses: Vec<_> = targets.iter().map(|server| server.address).collect();
    let tags = ["eject-failing:1", "eject-interval:0.05", "eject-requests:1", "eject-hosts:1"];
    let (config, upstream) = tagged(&addresses, &tags);
    let edge = Edge::new(config);
    for _ in 0..20 {
        // A body that breaks its framing, and a client that leaves.
        let bad = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        edge.raw(bad).await;
        let mut client = edge.connect().await;
        tokio::io::AsyncWriteExt::write_all(&mut client, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        drop(client);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    edge.get("/").await.assert_ok("ok");
    assert!(out(&edge, &upstream).is_empty());
}

#[tokio::test]
async fn to_a_node_that_does_as_kong_does_the_tags_say_nothing() {
    let (ill, _mood) = moody().await;
    let tags = ["eject-failing:1", "eject-interval:0.01", "eject-requests:1", "eject-hosts:1"];
    let (config, upstream) = tagged(&[ill.address], &tags);
    let mut strict = settings();
    strict.rules.compat = Compat::Kong39Strict;
    let edge = Edge::of(Gateway::builder().config(config.clone()).settings(strict).build().unwrap());
    for _ in 0..30 {
        edge.get("/").await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(out(&edge, &upstream).is_empty());
    // The same where they do.
    let edge = Edge::new(config);
    let asked = async {
        while out(&edge, &upstream).is_empty() {
            edge.get("/").await;
        }
    };
    tokio::time::timeout(BOUND, asked).await.unwrap();
    eventually("it is out", || out(&edge, &upstream) == [ill.address]).await;
}
