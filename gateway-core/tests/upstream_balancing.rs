//! Who gets a request, by each of Kong's algorithms, over real sockets (compat S4 to S9, P37, P47, P48).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use common::{Edge, Reply, Scripted, Step, config as single, nowhere, route, scripted::ok};
use gateway_core::config::{Algorithm, Config, HashOn, Service, Target, Upstream};
use tokio::io::AsyncWriteExt;

/// Targets that answer with their number.
async fn targets(count: usize) -> Vec<Scripted> {
    let mut targets = Vec::new();
    for number in 0..count {
        targets.push(Scripted::start(move |_| ok(&number.to_string())).await);
    }
    targets
}

/// A service in front of an upstream with these targets, each with its weight.
fn pool(targets: &[(SocketAddr, u16)], change: impl FnOnce(&mut Upstream)) -> Config {
    let mut upstream = Upstream::new("group");
    change(&mut upstream);
    let mut all = single(Service::new("tested", "group")).with(upstream.clone());
    for (address, weight) in targets {
        let mut target = Target::new(&upstream, &address.to_string());
        target.weight = *weight;
        all = all.with(target);
    }
    all
}

fn evenly(targets: &[Scripted]) -> Vec<(SocketAddr, u16)> {
    targets.iter().map(|target| (target.address, 100)).collect()
}

async fn ask(edge: &Edge, path: &str, fields: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n");
    Reply::to("GET", &edge.raw(request).await)
}

fn hashing(on: HashOn) -> impl FnOnce(&mut Upstream) {
    move |upstream| {
        upstream.algorithm = Algorithm::ConsistentHashing;
        upstream.hash_on = on;
    }
}

#[tokio::test]
async fn least_connections_alternates_when_idle_and_spares_the_busy_p37() {
    let slow = Scripted::start(|seen| match seen.path() {
        "/slow" => vec![Step::Body, Step::Hang],
        _ => ok("0"),
    })
    .await;
    let fast = Scripted::start(|seen| match seen.path() {
        "/slow" => vec![Step::Body, Step::Hang],
        _ => ok("1"),
    })
    .await;
    let least = |upstream: &mut Upstream| upstream.algorithm = Algorithm::LeastConnections;
    let edge = Edge::new(pool(&[(slow.address, 100), (fast.address, 100)], least));
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(edge.get("/").await.text().to_owned());
    }
    assert_eq!(idle[0], idle[2]);
    assert_ne!(idle[0], idle[1]);

    // One target has a request that does not end: the other one gets nearly all.
    let mut waiting = edge.connect().await;
    waiting.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    common::eventually("it arrives", || {
        slow.seen().iter().chain(&fast.seen()).any(|it| it.path() == "/slow")
    })
    .await;
    let busy = usize::from(fast.seen().iter().any(|seen| seen.path() == "/slow")).to_string();
    let mut to_busy = 0;
    for _ in 0..60 {
        to_busy += usize::from(edge.get("/").await.text() == busy);
    }
    // Only where its turn and the lot both fall on it: a quarter in the mean.
    assert!(to_busy < 30, "{to_busy} of 60");
}

#[tokio::test]
async fn latency_prefers_who_answers_sooner_s8() {
    let slow = Scripted::start(|_| {
        let mut script = vec![Step::Wait(Duration::from_millis(300))];
        script.extend(ok("slow"));
        script
    })
    .await;
    let fast = Scripted::start(|_| ok("fast")).await;
    let latency = |upstream: &mut Upstream| upstream.algorithm = Algorithm::Latency;
    let edge = Edge::new(pool(&[(slow.address, 100), (fast.address, 100)], latency));
    for _ in 0..24 {
        edge.get("/").await;
    }
    // Only where its turn and the lot both fall on it: a quarter in the mean.
    assert!(slow.seen().len() < 12, "{} of 24", slow.seen().len());
}

#[tokio::test]
async fn weights_hold_and_weight_zero_drains_s5() {
    let targets = targets(3).await;
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnections, Algorithm::Latency] {
        let weighed = [(targets[0].address, 30), (targets[1].address, 10), (targets[2].address, 0)];
        let edge = Edge::new(pool(&weighed, |upstream| upstream.algorithm = algorithm));
        let mut counts = HashMap::<String, usize>::new();
        for _ in 0..40 {
            *counts.entry(edge.get("/").await.text().to_owned()).or_default() += 1;
        }
        assert_eq!(counts.get("2"), None, "{algorithm:?}");
        if algorithm != Algorithm::Latency {
            assert_eq!((counts["0"], counts["1"]), (30, 10), "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn one_value_of_a_header_goes_to_one_target_p47_p48() {
    let targets = targets(4).await;
    let edge = Edge::new(pool(&evenly(&targets), |upstream| {
        hashing(HashOn::Header)(upstream);
        // With a dash, which Kong 3.9 never finds (D23).
        upstream.hash_on_header = Some("x-user-id".into());
        upstream.hash_fallback = HashOn::QueryArg;
        upstream.hash_fallback_query_arg = Some("user".into());
    }));
    let mut used = std::collections::HashSet::new();
    for user in 0..12 {
        let first = ask(&edge, "/", &format!("x-user-id: {user}\r\n")).await;
        for _ in 0..3 {
            let again = ask(&edge, "/x", &format!("X-User-Id: {user}\r\n")).await;
            assert_eq!(again.text(), first.text());
        }
        // The same value by the fallback is the same point of the ring.
        assert_eq!(ask(&edge, &format!("/?user={user}"), "").await.text(), first.text());
        used.insert(first.text().to_owned());
    }
    assert!(used.len() > 1);
    // Without any value requests take turns.
    let turns = [ask(&edge, "/", "").await, ask(&edge, "/", "").await];
    assert_ne!(turns[0].text(), turns[1].text());
}

#[tokio::test]
async fn a_missing_cookie_is_issued_and_then_sticks_s4() {
    let targets = targets(4).await;
    let edge = Edge::new(pool(&evenly(&targets), |upstream| {
        hashing(HashOn::Cookie)(upstream);
        upstream.hash_on_cookie = Some("sid".into());
        upstream.hash_on_cookie_path = "/shop".into();
    }));
    let first = ask(&edge, "/", "").await;
    let cookie = first.header("set-cookie");
    assert!(
        cookie.starts_with("sid=") && cookie.ends_with("; Path=/shop; Same-Site=Lax; HttpOnly"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap();
    for _ in 0..5 {
        let again = ask(&edge, "/", &format!("cookie: a=b; {pair}\r\n")).await;
        assert_eq!((again.text(), again.header("set-cookie")), (first.text(), ""));
    }
}

#[tokio::test]
async fn a_session_stays_with_its_target_whoever_comes_beside_it() {
    let targets = targets(4).await;
    let mut all = evenly(&targets);
    let of = |all: &[(SocketAddr, u16)]| {
        pool(all, |upstream| {
            upstream.tags = Some(vec!["sticky:sid".to_owned()]);
            upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
        })
    };
    let edge = Edge::new(of(&all[..2]));
    let first = edge.get("/").await;
    let given = first.header("set-cookie");
    let (cookie, attributes) = given.split_once(';').unwrap();
    assert!(cookie.starts_with("sid=") && cookie.len() == 12, "{cookie}");
    assert_eq!(attributes, " Path=/; SameSite=Lax; HttpOnly");
    let (name, field) = (first.text().to_owned(), format!("cookie: a=b; {cookie}\r\n"));
    // In turn for those without a session, and more targets: neither moves it.
    for count in [2, 4, 3] {
        edge.gateway.reload(&of(&all[..count])).unwrap();
        for _ in 0..6 {
            edge.get("/").await;
            let again = ask(&edge, "/", &field).await;
            assert_eq!((again.text(), again.header("set-cookie")), (&*name, ""), "{count} targets");
        }
    }
    // Drained, it gets nothing more: the session goes elsewhere, and is told so.
    all[name.parse::<usize>().unwrap()].1 = 0;
    edge.gateway.reload(&of(&all)).unwrap();
    let moved = ask(&edge, "/", &field).await;
    assert_ne!(moved.header("set-cookie"), "");
    // A cookie that names nobody is no harm.
    for strange in ["sid=", "sid=zzzzzzzz", "sid=+1234567", "sid=ffffffffffff", "sid=00000000"] {
        let reply = ask(&edge, "/", &format!("cookie: {strange}\r\n")).await;
        assert_eq!(reply.status, 200, "{strange}");
        assert_ne!(reply.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn a_capture_of_the_routes_expression_is_hashed_on() {
    let targets = targets(4).await;
    let mut config = pool(&evenly(&targets), |upstream| {
        hashing(HashOn::UriCapture)(upstream);
        upstream.hash_on_uri_capture = Some("user".into());
    });
    let service = Service::new("tested", "group");
    let mut by_user = route(&service);
    by_user.paths = Some(vec![r"~/users/(?<user>[^/]+)".into()]);
    config = config.with(by_user);
    let edge = Edge::new(config);
    let mut used = std::collections::HashSet::new();
    for user in 0..12 {
        let first = edge.get(&format!("/users/{user}/a")).await;
        let second = edge.get(&format!("/users/{user}/b")).await;
        assert_eq!(first.text(), second.text());
        used.insert(first.text().to_owned());
    }
    assert!(used.len() > 1);
}

#[tokio::test]
async fn a_target_that_fails_is_followed_by_the_next_down_the_ring() {
    let targets = targets(2).await;
    let mut all = evenly(&targets);
    all.push((nowhere(), 100));
    let edge = Edge::new(pool(&all, |upstream| {
        hashing(HashOn::Path)(upstream);
    }));
    for path in 0..20 {
        let path = format!("/{path}");
        let first = edge.get(&path).await;
        assert_eq!(first.status, 200);
        assert_eq!(edge.get(&path).await.text(), first.text());
    }
}

#[tokio::test]
async fn a_reload_that_keeps_the_targets_keeps_who_goes_where() {
    let targets = targets(4).await;
    let by_path = |upstream: &mut Upstream| hashing(HashOn::Path)(upstream);
    let edge = Edge::new(pool(&evenly(&targets), by_path));
    let mut before = Vec::new();
    for path in 0..20 {
        before.push(edge.get(&format!("/{path}")).await.text().to_owned());
    }
    // The same targets in another order.
    let mut more = evenly(&targets);
    more.reverse();
    edge.gateway.reload(&pool(&more, by_path)).unwrap();
    for (path, before) in before.iter().enumerate() {
        assert_eq!(edge.get(&format!("/{path}")).await.text(), before);
    }
}
