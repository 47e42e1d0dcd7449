//! What users of Kong have met, by the numbers of their threads: "failure to get a peer from the ring-balancer" that nobody
//! can explain (C8), and checks that never find a target well again (C9). Those about retries (C16) are in `retry.rs`. Numbers of others
//! than Kong stand with their owner: KIC for its ingress controller, `lrh` for lua-resty-healthcheck.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Edge, Scripted, config as single, eventually, nowhere,
    scripted::{ok, send},
    settings,
};
use gateway_core::{
    Gateway,
    config::{Algorithm, Config, HashOn, Route, Service, Target, Upstream},
    health::State,
    upstream::{Resolution, Resolve, Resolved, Resolving},
};

const NO_PEER: &str = "failure to get a peer from the ring-balancer";

/// A service in front of an upstream with these targets, without retries: what a request meets is what it gets.
fn config(upstream: &Upstream, targets: &[String]) -> Config {
    let mut service = Service::new("tested", &upstream.name);
    service.retries = 0;
    let all = single(service).with(upstream.clone());
    targets.iter().fold(all, |all, target| all.with(Target::new(upstream, target)))
}

fn upstream(change: impl FnOnce(&mut Upstream)) -> Upstream {
    let mut upstream = Upstream::new("group");
    change(&mut upstream);
    upstream
}

fn at(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

async fn well() -> Scripted {
    Scripted::start(|_| ok("well")).await
}

/// A server that answers as its mood is, probes and requests alike.
async fn moody() -> (Scripted, Arc<AtomicU16>) {
    let mood = Arc::new(AtomicU16::new(200));
    let status = Arc::clone(&mood);
    let answer = move || send(format!("HTTP/1.1 {} Mood\r\ncontent-length: 0\r\n\r\n", status.load(Relaxed)));
    (Scripted::start(move |_| vec![common::Step::Body, answer()]).await, mood)
}

fn health(edge: &Edge, upstream: &Upstream) -> Vec<State> {
    let endpoints = edge.gateway.snapshot().upstream(upstream.id).unwrap().endpoints();
    endpoints.iter().map(|endpoint| endpoint.health()).collect()
}

#[tokio::test]
async fn c8_4778_two_upstreams_with_the_same_target_do_not_meet() {
    let server = well().await;
    let mut config = Config::default();
    let mut upstreams = Vec::new();
    for name in ["first", "second"] {
        let mut upstream = Upstream::new(name);
        upstream.healthchecks.passive.unhealthy.http_failures = 1;
        let service = Service::new(name, name);
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        let target = Target::new(&upstream, &server.address.to_string());
        config = config.with(upstream.clone()).with(service).with(route).with(target);
        upstreams.push(upstream);
    }
    let edge = Edge::new(config);
    edge.get("/first").await.assert_ok("well");
    edge.get("/second").await.assert_ok("well");
    let first = Arc::clone(edge.gateway.snapshot().upstream(upstreams[0].id).unwrap());
    first.set_health(&first.endpoints()[0], false).unwrap();
    edge.get("/first").await.assert_failed(503, NO_PEER, "all_unhealthy");
    edge.get("/second").await.assert_ok("well");
}

#[tokio::test]
async fn c8_4864_a_target_that_goes_and_comes_back_under_load_costs_no_request() {
    let (stays, goes) = (well().await, well().await);
    let checked = upstream(|upstream| upstream.healthchecks.passive.unhealthy.tcp_failures = 1);
    let both = config(&checked, &at(&[stays.address, goes.address]));
    let one = config(&checked, &at(&[stays.address]));
    let edge = Edge::new(both.clone());
    for round in 0..20 {
        edge.gateway.reload(if round % 2 == 0 { &one } else { &both }).unwrap();
        for _ in 0..4 {
            edge.get("/").await.assert_ok("well");
        }
    }
    assert!(goes.seen().len() >= 15, "it has its part each time that it is there");
}

/// Who comes back is not held to what it was before it went, and the others are left as they are.
#[tokio::test]
async fn c8_4864_a_target_that_comes_back_begins_well_and_the_others_keep_their_health() {
    let (stays, dead, back) = (well().await, nowhere(), nowhere());
    let checked = upstream(|upstream| upstream.healthchecks.passive.unhealthy.tcp_failures = 1);
    let all = config(&checked, &at(&[stays.address, dead, back]));
    let without = config(&checked, &at(&[stays.address, dead]));
    let edge = Edge::new(all.clone());
    // Each has its turn at least once.
    for _ in 0..6 {
        edge.get("/").await;
    }
    let of = |address| state(&edge, &checked, address);
    assert_eq!((of(dead), of(back)), (Some(State::Unhealthy), Some(State::Unhealthy)));
    edge.gateway.reload(&without).unwrap();
    assert_eq!((of(dead), of(back)), (Some(State::Unhealthy), None));
    let listener = tokio::net::TcpListener::bind(back).await.unwrap();
    let server = Scripted::on(listener, |_| ok("well"));
    edge.gateway.reload(&all).unwrap();
    assert_eq!((of(dead), of(back)), (Some(State::Unhealthy), Some(State::Healthy)));
    for _ in 0..6 {
        edge.get("/").await.assert_ok("well");
    }
    assert_eq!(server.seen().len(), 3, "it has its part from the first request on");
}

/// How the checks see a target, where there is such a one.
fn state(edge: &Edge, upstream: &Upstream, address: SocketAddr) -> Option<State> {
    let all = edge.gateway.snapshot().upstream(upstream.id).unwrap().endpoints();
    all.iter().find(|endpoint| endpoint.address() == address).map(|endpoint| endpoint.health())
}

#[tokio::test]
async fn c8_5466_5581_the_only_target_serves_as_soon_as_it_is_back() {
    let server = well().await;
    let checked = upstream(|upstream| upstream.healthchecks.passive.unhealthy.tcp_failures = 1);
    let edge = Edge::new(config(&checked, &at(&[server.address])));
    for _ in 0..5 {
        edge.get("/").await.assert_ok("well");
        edge.gateway.reload(&config(&checked, &[])).unwrap();
        edge.get("/").await.assert_failed(503, NO_PEER, "no_targets");
        edge.gateway.reload(&config(&checked, &at(&[server.address]))).unwrap();
    }
}

/// Upstreams that come and go while others are asked: "balancer not found", on some workers only.
#[tokio::test]
async fn c8_8359_what_a_change_brings_is_there_for_the_next_request_of_each_worker() {
    let server = well().await;
    let mut config = config(&upstream(|_| {}), &at(&[server.address]));
    let edge = Edge::new(config.clone());
    for number in 0..20 {
        let name = format!("new-{number}");
        let (new, service) = (Upstream::new(&name), Service::new(&name, &name));
        let mut route = Route::new(&name).to(&service);
        route.paths = Some(vec![format!("/{name}")]);
        config =
            config.with(Target::new(&new, &server.address.to_string())).with(new).with(service).with(route);
        edge.gateway.reload(&config).unwrap();
        let (path, old) = (format!("/{name}"), format!("/new-{}", number / 2));
        let asked = tokio::join!(edge.get(&path), edge.get("/"), edge.get(&old), edge.get(&path));
        [asked.0, asked.1, asked.2, asked.3].iter().for_each(|reply| reply.assert_ok("well"));
    }
}

/// Two rules of one route object, of which one names no backend: Kong says the same of both.
#[tokio::test]
async fn c8_kic_6733_a_rule_without_a_backend_says_so_and_the_one_beside_it_serves() {
    let server = well().await;
    let (empty, service) = (Upstream::new("empty"), Service::new("empty", "empty"));
    let mut route = Route::new("empty").to(&service);
    route.paths = Some(vec!["/none".to_owned()]);
    let config = config(&upstream(|_| {}), &at(&[server.address]));
    let edge = Edge::new(config.with(empty).with(service).with(route));
    edge.get("/").await.assert_ok("well");
    edge.get("/none").await.assert_failed(503, NO_PEER, "no_targets");
}

#[tokio::test]
async fn c8_3518_7156_each_cause_has_a_word_of_its_own() {
    let none = upstream(|_| {});
    Edge::new(config(&none, &[])).get("/").await.assert_failed(503, NO_PEER, "no_targets");
    let mut zero = Target::new(&none, &nowhere().to_string());
    zero.weight = 0;
    Edge::new(config(&none, &[]).with(zero)).get("/").await.assert_failed(503, NO_PEER, "weight_zero");
    for (threshold, reason) in [(0.0, "ejected"), (50.0, "below_threshold")] {
        let checked = upstream(|upstream| {
            upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
            upstream.healthchecks.threshold = threshold;
        });
        let well = well().await;
        let targets = if threshold > 0.0 { vec![nowhere(), well.address] } else { vec![nowhere()] };
        let edge = Edge::new(config(&checked, &at(&targets)));
        for _ in 0..2 {
            edge.get("/").await;
        }
        edge.get("/").await.assert_failed(503, NO_PEER, reason);
    }
    let unknown = config(&none, &["unknown.test:80".to_owned()]);
    let gateway = Gateway::builder().config(unknown).settings(settings()).resolver(Flapping::new(1));
    let refused = Edge::of(gateway.build().unwrap()).get("/").await;
    assert_eq!((refused.status, refused.header("x-gateway-reason")), (503, "dns_error"));
}

/// A name server that knows each name, but in so many of its answers fails but for one.
#[derive(Debug)]
struct Flapping {
    asked: Arc<AtomicUsize>,
    of: usize,
}

impl Flapping {
    /// It fails each time but each `of`-th, beginning well; with 1: always.
    fn new(of: usize) -> Self {
        Self { asked: Arc::default(), of }
    }
}

impl Resolve for Flapping {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        let number = self.asked.fetch_add(1, Relaxed);
        let knows = self.of > 1 && number.is_multiple_of(self.of);
        let found = Resolution { ip: [127, 0, 0, 1].into(), port: None, weight: None, name: None };
        let ttl = Duration::from_millis(1);
        let answer =
            if knows { Ok(Resolved { addresses: vec![found], ttl }) } else { Err("no such name".into()) };
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn c8_8056_a_name_that_does_not_resolve_for_a_while_keeps_its_addresses() {
    let server = well().await;
    let resolver = Flapping::new(3);
    let asked = Arc::clone(&resolver.asked);
    let named = config(&upstream(|_| {}), &[format!("external.test:{}", server.address.port())]);
    let gateway = Gateway::builder().config(named).settings(settings()).resolver(resolver);
    let edge = Edge::of(gateway.build().unwrap());
    // Through two answers that fail: they come a second apart.
    for _ in 0..400 {
        edge.get("/").await.assert_ok("well");
        if asked.load(Relaxed) >= 3 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(asked.load(Relaxed) >= 3, "the name is looked up again");
}

#[tokio::test]
async fn c8_8399_hashing_on_a_header_finds_a_peer_for_each_value() {
    let servers = [well().await, well().await, well().await];
    let hashing = upstream(|upstream| {
        upstream.algorithm = Algorithm::ConsistentHashing;
        (upstream.hash_on, upstream.hash_on_header) = (HashOn::Header, Some("x-forwarded-for".to_owned()));
        upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
    });
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let edge = Edge::new(config(&hashing, &at(&addresses)));
    let all = Arc::clone(edge.gateway.snapshot().upstream(hashing.id).unwrap());
    for ill in 0..3 {
        for number in 0..30 {
            let field = format!("x-forwarded-for: 113.108.121.{number}\r\n");
            edge.post("/", &field, "").await.assert_ok("well");
        }
        // All but the last one go, one after the other.
        if ill < 2 {
            all.set_health(&all.endpoints()[ill], false).unwrap();
        }
    }
}

/// Active checks as often as tests need them, with Kong's lists of statuses.
fn probes(upstream: &mut Upstream) {
    let active = &mut upstream.healthchecks.active;
    (active.healthy.interval, active.healthy.successes) = (0.02, 2);
    (active.unhealthy.interval, active.unhealthy.http_failures, active.unhealthy.tcp_failures) = (0.02, 2, 2);
}

#[tokio::test]
async fn c9_5531_7566_a_target_that_was_down_is_found_well_again_each_time() {
    let (server, mood) = moody().await;
    let checked = upstream(probes);
    let edge = Edge::new(config(&checked, &at(&[server.address])));
    for _ in 0..3 {
        mood.store(503, Relaxed);
        eventually("it is found unwell", || health(&edge, &checked) == [State::Unhealthy]).await;
        mood.store(200, Relaxed);
        eventually("it is found well", || health(&edge, &checked) == [State::Healthy]).await;
        assert_eq!(edge.get("/").await.status, 200);
    }
}

#[tokio::test]
async fn c9_15001_a_status_of_no_list_does_not_stop_the_way_back() {
    let (server, mood) = moody().await;
    let checked = upstream(probes);
    let edge = Edge::new(config(&checked, &at(&[server.address])));
    mood.store(503, Relaxed);
    eventually("it is found unwell", || health(&edge, &checked) == [State::Unhealthy]).await;
    // 418 is in neither list: it says nothing.
    mood.store(418, Relaxed);
    let probes = server.seen().len();
    eventually("probes go on", || server.seen().len() > probes + 5).await;
    assert_eq!(health(&edge, &checked), [State::Unhealthy]);
    mood.store(200, Relaxed);
    eventually("it is found well", || health(&edge, &checked) == [State::Healthy]).await;
}

#[tokio::test]
async fn c9_6983_5151_probes_go_on_through_changes_and_find_a_target_that_stops() {
    let (server, other) = (well().await, well().await);
    let checked = upstream(probes);
    let addresses = at(&[server.address, other.address]);
    let edge = Edge::new(config(&checked, &addresses));
    eventually("both are probed", || !server.seen().is_empty() && !other.seen().is_empty()).await;
    for round in 0..5 {
        let mut changed = checked.clone();
        changed.tags = Some(vec![format!("round-{round}")]);
        edge.gateway.reload(&config(&changed, &addresses)).unwrap();
        edge.gateway
            .reload(&config(&checked, if round % 2 == 0 { &addresses[..1] } else { &addresses }))
            .unwrap();
    }
    edge.gateway.reload(&config(&checked, &addresses)).unwrap();
    let address = server.address;
    drop(server);
    let of_it = || {
        let endpoints = edge.gateway.snapshot().upstream(checked.id).unwrap().endpoints();
        endpoints.iter().find(|endpoint| endpoint.address() == address).unwrap().health()
    };
    eventually("it is found unwell", || of_it() == State::Unhealthy).await;
    for _ in 0..10 {
        edge.get("/").await.assert_ok("well");
    }
}

#[tokio::test]
async fn c9_7835_a_change_of_other_targets_makes_nobody_well() {
    let good = well().await;
    let checked = upstream(|upstream| upstream.healthchecks.passive.unhealthy.tcp_failures = 1);
    let (dead, new) = (nowhere(), well().await);
    let edge = Edge::new(config(&checked, &at(&[good.address, dead])));
    // Of two requests one finds out.
    for _ in 0..2 {
        edge.get("/").await;
    }
    assert!(health(&edge, &checked).contains(&State::Unhealthy));
    for targets in [&[good.address, dead, new.address][..], &[dead, new.address], &[good.address, dead]] {
        edge.gateway.reload(&config(&checked, &at(targets))).unwrap();
        assert_eq!(state(&edge, &checked, dead), Some(State::Unhealthy));
        for _ in 0..6 {
            edge.get("/").await.assert_ok("well");
        }
    }
}

/// How many probes of a target have ended.
fn probed(edge: &Edge, upstream: &Upstream, address: SocketAddr) -> u64 {
    let all = edge.gateway.snapshot().upstream(upstream.id).unwrap().endpoints();
    let endpoint = all.iter().find(|endpoint| endpoint.address() == address).unwrap();
    endpoint.probed().map_or(0, |(count, _)| count)
}

/// Checks stop without a word, where one of them keeps what all wait for.
#[tokio::test]
async fn c9_lrh_84_a_target_that_hangs_does_not_stop_the_probes_of_others() {
    let hung = Scripted::start(|_| vec![common::Step::Hang]).await;
    let (server, mood) = moody().await;
    let checked = upstream(|upstream| {
        probes(upstream);
        upstream.healthchecks.active.timeout = 0.5;
        upstream.healthchecks.active.concurrency = 1;
        upstream.healthchecks.active.unhealthy.timeouts = 1;
    });
    let edge = Edge::new(config(&checked, &at(&[hung.address, server.address])));
    mood.store(503, Relaxed);
    eventually("both are found unwell", || health(&edge, &checked) == [State::Unhealthy; 2]).await;
    mood.store(200, Relaxed);
    let healthy = |state: &State| *state == State::Healthy;
    eventually("the other is found well", || health(&edge, &checked).iter().any(healthy)).await;
    assert_eq!(health(&edge, &checked).into_iter().filter(healthy).count(), 1);
    // And that they are alive can be seen.
    let before = [hung.address, server.address].map(|address| probed(&edge, &checked, address));
    eventually("probes of both go on", || {
        [hung.address, server.address]
            .iter()
            .zip(before)
            .all(|(it, before)| probed(&edge, &checked, *it) > before)
    })
    .await;
}

/// The same over a switch: APISIX stopped probing where checks were switched off and on again.
#[tokio::test]
async fn c9_apisix_13235_checks_that_are_switched_off_and_on_again_go_on() {
    let (server, mood) = moody().await;
    let (on, off) = (upstream(probes), upstream(|_| {}));
    let edge = Edge::new(config(&on, &at(&[server.address])));
    for _ in 0..3 {
        mood.store(503, Relaxed);
        eventually("it is found unwell", || health(&edge, &on) == [State::Unhealthy]).await;
        edge.gateway.reload(&config(&off, &at(&[server.address]))).unwrap();
        assert_eq!(health(&edge, &on), [State::Healthy], "nobody looks");
        mood.store(200, Relaxed);
        edge.gateway.reload(&config(&on, &at(&[server.address]))).unwrap();
        let probes = probed(&edge, &on, server.address);
        eventually("it is probed", || probed(&edge, &on, server.address) > probes).await;
    }
}

/// With passive checks alone nobody came back: what nginx has as `fail_timeout` was asked for.
#[tokio::test]
async fn c9_lrh_77_79_apisix_3616_passive_checks_alone_bring_a_target_back() {
    let (ill, mood) = moody().await;
    let other = well().await;
    let checked = upstream(|upstream| {
        upstream.healthchecks.passive.unhealthy.http_failures = 1;
        upstream.tags = Some(vec!["ejection-time:0.3".to_owned()]);
    });
    let edge = Edge::new(config(&checked, &at(&[ill.address, other.address])));
    mood.store(503, Relaxed);
    for _ in 0..2 {
        edge.get("/").await;
    }
    assert!(health(&edge, &checked).contains(&State::Unhealthy));
    // Nobody asks it but requests, and of those one at a time.
    let seen = ill.seen().len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(ill.seen().len(), seen);
    mood.store(200, Relaxed);
    let begun = std::time::Instant::now();
    while health(&edge, &checked).contains(&State::Unhealthy) {
        assert!(begun.elapsed() < common::BOUND, "it never comes back");
        assert_eq!(edge.get("/").await.status, 200);
    }
}
