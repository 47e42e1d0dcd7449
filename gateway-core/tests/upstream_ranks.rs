//! Who of an upstream's targets comes first: groups that stand in for each other, zones, targets that warm up, and
//! what hashes lead to within a bound, and which part of them a service uses. All of it is said by tags.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use common::{
    Edge, Scripted, Step, balanced, eventually,
    scripted::{ok, send},
    settings,
};
use gateway_core::{
    Gateway, Settings,
    config::{Algorithm, Config, HashOn, Route, Service, Target, Upstream},
    explain::Question,
    sanitize::Compat,
    upstream::Upstream as Endpoints,
};

async fn servers<const N: usize>() -> [Scripted; N] {
    let mut all = Vec::new();
    for _ in 0..N {
        all.push(Scripted::start(|_| ok("ok")).await);
    }
    all.try_into().unwrap_or_else(|_| unreachable!())
}

/// A service in front of an upstream whose targets have these tags. It has checks, so that health can be set by hand.
fn tagged(targets: &[(SocketAddr, &[&str])], change: impl FnOnce(&mut Upstream)) -> (Config, Upstream) {
    let (mut config, mut upstream) = balanced(&[]);
    upstream.healthchecks.passive.unhealthy.http_failures = 200;
    change(&mut upstream);
    config = config.with(upstream.clone());
    for (address, tags) in targets {
        let mut target = Target::new(&upstream, &address.to_string());
        target.tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
        config = config.with(target);
    }
    (config, upstream)
}

fn edge(config: Config, change: impl FnOnce(&mut Settings)) -> Edge {
    let mut settings = settings();
    change(&mut settings);
    Edge::of(Gateway::builder().config(config).settings(settings).build().unwrap())
}

fn endpoints(edge: &Edge, upstream: &Upstream) -> Arc<Endpoints> {
    Arc::clone(edge.gateway.snapshot().upstream(upstream.id).unwrap())
}

fn set_health(edge: &Edge, upstream: &Upstream, of: &Scripted, healthy: bool) {
    let all = endpoints(edge, upstream);
    let endpoint = all.endpoints().into_iter().find(|endpoint| endpoint.address() == of.address).unwrap();
    all.set_health(&endpoint, healthy).unwrap();
}

/// How many of so many requests each gets.
async fn shares<const N: usize>(edge: &Edge, servers: &[Scripted; N], requests: usize) -> [usize; N] {
    let before = servers.each_ref().map(|server| server.seen().len());
    for _ in 0..requests {
        edge.get("/").await.assert_ok("ok");
    }
    let mut after = servers.each_ref().map(|server| server.seen().len());
    after.iter_mut().zip(before).for_each(|(after, before)| *after -= before);
    after
}

#[tokio::test]
async fn a_group_stands_in_for_what_the_one_before_it_has_lost() {
    let servers = servers::<3>().await;
    let [a, b, c] = &servers;
    let tags: [&[&str]; 3] = [&[], &["group:1"], &["group:2"]];
    let addresses = [(a.address, tags[0]), (b.address, tags[1]), (c.address, tags[2])];
    let (config, upstream) = tagged(&addresses, |_| {});
    let edge = edge(config, |_| {});
    assert_eq!(shares(&edge, &servers, 40).await, [20, 20, 0]);
    let report = edge.gateway.explain(&Question::new("http://a/")).unwrap();
    let spare = report.endpoints.iter().find(|it| it.address == Some(c.address)).unwrap();
    assert_eq!(
        (spare.eligible, spare.why),
        (Some(false), "others of a lower group or of this zone take all requests")
    );
    // Half of the first is well: it takes 1.4 times that.
    set_health(&edge, &upstream, a, false);
    assert_eq!(shares(&edge, &servers, 100).await, [0, 70, 30]);
    set_health(&edge, &upstream, b, false);
    assert_eq!(shares(&edge, &servers, 20).await, [0, 0, 20]);
    set_health(&edge, &upstream, c, false);
    assert_eq!(edge.get("/").await.header("x-gateway-reason"), "all_unhealthy");
    for server in &servers {
        set_health(&edge, &upstream, server, true);
    }
    assert_eq!(shares(&edge, &servers, 40).await, [20, 20, 0]);
}

#[tokio::test]
async fn a_node_prefers_its_own_zone_within_a_group() {
    let servers = servers::<3>().await;
    let [a, b, c] = &servers;
    let tags: [&[&str]; 3] = [&["zone:a"], &["zone:b"], &["zone:a", "group:2"]];
    let addresses = [(a.address, tags[0]), (b.address, tags[1]), (c.address, tags[2])];
    let (config, upstream) = tagged(&addresses, |_| {});
    let no_zone = edge(config.clone(), |_| {});
    assert_eq!(shares(&no_zone, &servers, 20).await, [10, 10, 0]);
    let in_a = edge(config, |settings| settings.zone = Some("a".to_owned()));
    assert_eq!(shares(&in_a, &servers, 20).await, [20, 0, 0]);
    // The other zone of the first group comes before the own zone of the second.
    set_health(&in_a, &upstream, a, false);
    assert_eq!(shares(&in_a, &servers, 20).await, [0, 20, 0]);
    set_health(&in_a, &upstream, b, false);
    assert_eq!(shares(&in_a, &servers, 20).await, [0, 0, 20]);
}

#[tokio::test]
async fn tags_say_nothing_to_a_node_that_does_as_kong_does() {
    let servers = servers::<2>().await;
    let addresses: [(_, &[&str]); 2] =
        [(servers[0].address, &["group:1"]), (servers[1].address, &["group:2"])];
    let (config, _) = tagged(&addresses, |_| {});
    let strict = edge(config, |settings| settings.rules.compat = Compat::Kong39Strict);
    assert_eq!(shares(&strict, &servers, 20).await, [10, 10]);
}

#[tokio::test]
async fn who_is_well_again_begins_with_a_part_of_its_share() {
    let servers = servers::<2>().await;
    let addresses: [(_, &[&str]); 2] = [(servers[0].address, &[]), (servers[1].address, &[])];
    let slow = |upstream: &mut Upstream| upstream.tags = Some(vec!["slow-start:3600".to_owned()]);
    let (config, upstream) = tagged(&addresses, slow);
    let edge = edge(config, |_| {});
    assert_eq!(shares(&edge, &servers, 20).await, [10, 10], "at first all are equally new");
    set_health(&edge, &upstream, &servers[1], false);
    set_health(&edge, &upstream, &servers[1], true);
    // A tenth against the whole of the other: one in eleven.
    assert_eq!(shares(&edge, &servers, 110).await, [100, 10]);
}

#[tokio::test]
async fn who_comes_later_begins_with_a_part_and_comes_to_the_whole() {
    let servers = servers::<2>().await;
    for (window, at_first) in [("slow-start:3600", true), ("slow-start:0.3", false)] {
        let slow = |upstream: &mut Upstream| upstream.tags = Some(vec![window.to_owned()]);
        let (first, _) = tagged(&[(servers[0].address, &[])], slow);
        let (both, _) = tagged(&[(servers[0].address, &[]), (servers[1].address, &[])], slow);
        let edge = edge(first, |_| {});
        shares(&edge, &servers, 4).await;
        edge.gateway.reload(&both).unwrap();
        if at_first {
            assert_eq!(shares(&edge, &servers, 55).await, [50, 5]);
            continue;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        // The first request after the last step lays the shares out anew.
        shares(&edge, &servers, 1).await;
        assert_eq!(shares(&edge, &servers, 20).await, [10, 10]);
    }
}

#[tokio::test]
async fn a_group_takes_its_traffic_back_as_it_warms_up() {
    let servers = servers::<2>().await;
    let addresses: [(_, &[&str]); 2] = [(servers[0].address, &[]), (servers[1].address, &["group:2"])];
    let slow = |upstream: &mut Upstream| upstream.tags = Some(vec!["slow-start:3600".to_owned()]);
    let (config, upstream) = tagged(&addresses, slow);
    let edge = edge(config, |_| {});
    set_health(&edge, &upstream, &servers[0], false);
    assert_eq!(shares(&edge, &servers, 10).await, [0, 10]);
    set_health(&edge, &upstream, &servers[0], true);
    // A tenth, 1.4 times.
    assert_eq!(shares(&edge, &servers, 100).await, [14, 86]);
}

fn hashing(upstream: &mut Upstream, tags: &[&str]) {
    upstream.algorithm = Algorithm::ConsistentHashing;
    (upstream.hash_on, upstream.hash_on_header) = (HashOn::Header, Some("x-user".to_owned()));
    upstream.tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
}

#[tokio::test]
async fn targets_may_be_picked_by_lot() {
    let servers = servers::<2>().await;
    let addresses = servers.each_ref().map(|server| (server.address, &[] as &[&str]));
    let (config, upstream) =
        tagged(&addresses, |upstream| upstream.tags = Some(vec!["pick:random".to_owned()]));
    let edge = edge(config, |_| {});
    // In turn each would have every second one. That lots do the same 100 times has a chance of 2 in 2^100.
    let mut alternate = true;
    let mut last = shares(&edge, &servers, 1).await;
    for _ in 0..100 {
        let next = shares(&edge, &servers, 1).await;
        alternate &= next != last;
        last = next;
    }
    assert!(!alternate);
    assert!(servers.iter().all(|server| !server.seen().is_empty()));
    set_health(&edge, &upstream, &servers[0], false);
    assert_eq!(shares(&edge, &servers, 20).await, [0, 20]);
}

#[tokio::test]
async fn maglev_keeps_values_where_they_are() {
    let servers = servers::<3>().await;
    let addresses = servers.each_ref().map(|server| (server.address, &[] as &[&str]));
    let (config, upstream) = tagged(&addresses, |upstream| hashing(upstream, &["hash:maglev"]));
    let edge = edge(config, |_| {});
    let ask = async |user: usize| {
        let before = servers.each_ref().map(|server| server.seen().len());
        edge.post("/", &format!("x-user: u{user}\r\n"), "").await.assert_ok("ok");
        servers.iter().zip(before).position(|(server, before)| server.seen().len() > before).unwrap()
    };
    let mut homes = Vec::new();
    for user in 0..30 {
        let home = ask(user).await;
        assert_eq!(ask(user).await, home);
        homes.push(home);
    }
    assert!((0..3).all(|server| homes.contains(&server)));
    set_health(&edge, &upstream, &servers[0], false);
    for user in 0..30 {
        assert_ne!(ask(user).await, 0);
    }
    set_health(&edge, &upstream, &servers[0], true);
    for (user, home) in homes.into_iter().enumerate() {
        assert_eq!(ask(user).await, home);
    }
}

#[tokio::test]
async fn a_value_that_everybody_asks_for_is_shared_within_the_bound() {
    for kind in ["hash:ring", "hash:maglev"] {
        let mut servers = Vec::new();
        for _ in 0..4 {
            let slow =
                || vec![Step::Body, Step::Wait(Duration::from_secs(30)), send("HTTP/1.1 204 No\r\n\r\n")];
            servers.push(Scripted::start(move |_| slow()).await);
        }
        let addresses: Vec<_> = servers.iter().map(|server| (server.address, &[] as &[&str])).collect();
        let (config, upstream) = tagged(&addresses, |upstream| hashing(upstream, &[kind, "hash-bound:125"]));
        let edge = edge(config, |_| {});
        let mut clients = Vec::new();
        for number in 0..16 {
            let mut client = edge.connect().await;
            let request = b"GET / HTTP/1.1\r\nhost: a\r\nx-user: same\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut client, request).await.unwrap();
            let all = endpoints(&edge, &upstream);
            let under_way =
                || all.endpoints().iter().map(|endpoint| endpoint.in_flight()).collect::<Vec<_>>();
            eventually("the request is under way", || under_way().iter().sum::<usize>() == number + 1).await;
            let most = under_way().into_iter().max().unwrap();
            assert!(most <= (125 * (number + 1)).div_ceil(400), "{kind}: {:?}", under_way());
            clients.push(client);
        }
    }
}

#[tokio::test]
async fn an_upstream_may_bound_its_ejections_and_have_a_panic_threshold_of_its_own() {
    for (tags, all_answer) in [(vec!["panic-threshold:60"], true), (vec![], false)] {
        let servers = servers::<2>().await;
        let addresses = servers.each_ref().map(|server| (server.address, &[] as &[&str]));
        let said = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let (config, upstream) = tagged(&addresses, |upstream| upstream.tags = Some(said));
        let edge = edge(config, |_| {});
        set_health(&edge, &upstream, &servers[0], false);
        // Half is less than 60 %: then nobody looks.
        let [ill, _] = shares(&edge, &servers, 10).await;
        assert_eq!(ill, if all_answer { 5 } else { 0 });
    }
    // Two targets that refuse everything: traffic may eject one of them.
    let [well] = servers::<1>().await;
    for (tags, out) in [(vec!["max-ejection:50"], 1), (vec![], 2)] {
        let dead = [common::nowhere(), common::nowhere()];
        let addresses = [(well.address, &[] as &[&str]), (dead[0], &[]), (dead[1], &[])];
        let (config, upstream) = tagged(&addresses, |upstream| {
            upstream.tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
            upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
        });
        let edge = edge(config, |_| {});
        for _ in 0..12 {
            edge.get("/").await.assert_ok("ok");
        }
        let all = endpoints(&edge, &upstream).endpoints();
        assert_eq!(all.iter().filter(|endpoint| !endpoint.health().is_available()).count(), out, "{tags:?}");
    }
}

/// A service of the upstream below `/NAME`, for this subset of its targets.
fn for_subset(config: Config, name: &str) -> Config {
    let mut service = Service::new(name, "group");
    service.tags = Some(vec![format!("subset:{name}")]);
    let mut route = Route::new(name).to(&service);
    route.paths = Some(vec![format!("/{name}")]);
    config.with(service).with(route)
}

/// How many of so many requests for `path` each gets.
async fn shares_of<const N: usize>(edge: &Edge, path: &str, servers: &[Scripted; N]) -> [usize; N] {
    let before = servers.each_ref().map(|server| server.seen().len());
    for _ in 0..12 {
        edge.get(path).await.assert_ok("ok");
    }
    let mut after = servers.each_ref().map(|server| server.seen().len());
    after.iter_mut().zip(before).for_each(|(after, before)| *after -= before);
    after
}

#[tokio::test]
async fn a_service_may_use_a_subset_of_the_targets_which_share_their_health() {
    let servers = servers::<4>().await;
    let tags: [&[&str]; 4] = [&["subset:v1"], &["subset:v1"], &["subset:v2"], &["subset:v2", "subset:v1"]];
    let [a, b, c, d] = servers.each_ref().map(|server| server.address);
    let tagged_so = |tags: [&[&'static str]; 4]| {
        let (config, upstream) = tagged(&[(a, tags[0]), (b, tags[1]), (c, tags[2]), (d, tags[3])], |_| {});
        let config = ["v1", "v2", "v3"].into_iter().fold(config, for_subset);
        (config, upstream)
    };
    let (config, upstream) = tagged_so(tags);
    let edge = edge(config.clone(), |_| {});
    assert_eq!(shares_of(&edge, "/", &servers).await, [3, 3, 3, 3]);
    assert_eq!(shares_of(&edge, "/v1", &servers).await, [4, 4, 0, 4]);
    assert_eq!(shares_of(&edge, "/v2", &servers).await, [0, 0, 6, 6]);
    edge.get("/v3").await.assert_failed(503, "failure to get a peer from the ring-balancer", "no_targets");
    let report = edge.gateway.explain(&Question::new("http://a/v2")).unwrap();
    let picked: BTreeSet<_> = report.endpoints.iter().filter_map(|it| it.address).collect();
    assert_eq!(picked, BTreeSet::from([c, d]));

    // Health belongs to the target, whoever finds it out: all who use it follow.
    set_health(&edge, &upstream, &servers[3], false);
    assert_eq!(shares_of(&edge, "/v1", &servers).await, [6, 6, 0, 0]);
    assert_eq!(shares_of(&edge, "/v2", &servers).await, [0, 0, 12, 0]);
    set_health(&edge, &upstream, &servers[2], false);
    assert_eq!(edge.get("/v2").await.header("x-gateway-reason"), "all_unhealthy");
    assert_eq!(shares_of(&edge, "/", &servers).await, [6, 6, 0, 0]);

    // A target that changes its subset keeps its health.
    edge.gateway.reload(&tagged_so([&["subset:v1"], &["subset:v2"], tags[2], tags[3]]).0).unwrap();
    assert_eq!(shares_of(&edge, "/v1", &servers).await, [12, 0, 0, 0]);
    assert_eq!(shares_of(&edge, "/v2", &servers).await, [0, 12, 0, 0]);

    // And so does a service.
    let mut other =
        Service::clone(config.services.values().find(|it| it.name.as_deref() == Some("v1")).unwrap());
    other.tags = Some(vec!["subset:v2".to_owned()]);
    edge.gateway.reload(&config.clone().with(other)).unwrap();
    set_health(&edge, &upstream, &servers[3], true);
    assert_eq!(shares_of(&edge, "/v1", &servers).await, [0, 0, 0, 12]);

    let strict = self::edge(config, |settings| settings.rules.compat = Compat::Kong39Strict);
    assert_eq!(shares_of(&strict, "/v3", &servers).await, [3, 3, 3, 3]);
}

#[tokio::test]
async fn what_fails_in_a_subset_is_tried_again_there_and_comes_back_there() {
    let servers = servers::<2>().await;
    let dead = common::nowhere();
    let [a, b] = servers.each_ref().map(|server| server.address);
    let all: [(SocketAddr, &[&str]); 3] = [(a, &["subset:v1"]), (b, &["subset:v2"]), (dead, &["subset:v2"])];
    let (config, upstream) = tagged(&all, |upstream| {
        upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
        upstream.tags = Some(vec!["ejection-time:0.1".to_owned()]);
    });
    let edge = edge(for_subset(config, "v2"), |_| {});
    assert_eq!(shares_of(&edge, "/v2", &servers).await, [0, 12]);
    let of_dead = || {
        let all = endpoints(&edge, &upstream).endpoints();
        all.into_iter().find(|endpoint| endpoint.address() == dead).unwrap().health().is_available()
    };
    assert!(!of_dead());
    // Somebody listens there again: the requests of the subset alone find that out.
    let listener = tokio::net::TcpListener::bind(dead).await.unwrap();
    let back = Scripted::on(listener, |_| ok("ok"));
    tokio::time::timeout(Duration::from_secs(10), async {
        while !of_dead() {
            edge.get("/v2").await.assert_ok("ok");
        }
    })
    .await
    .unwrap();
    assert!(!back.seen().is_empty());
}
