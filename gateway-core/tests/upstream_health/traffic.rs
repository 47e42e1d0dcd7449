//! By what traffic shows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use gateway_core::{
    Gateway, Reason,
    config::{Config, Upstream},
    explain::Question,
    health::{Recovery, State},
    sanitize::Compat,
};
use tokio::{io::AsyncWriteExt, time::sleep};

use crate::{
    Moody,
    common::{Edge, Scripted, Step, eventually, nowhere, settings},
    config, endpoints, health, patient, upstream,
};

const NO_PEER: &str = "failure to get a peer from the ring-balancer";

fn passive(change: impl FnOnce(&mut gateway_core::config::PassiveUnhealthy)) -> Upstream {
    upstream(|upstream| change(&mut upstream.healthchecks.passive.unhealthy))
}

/// Ejections that last so long.
fn recovering(config: Config, base: Duration) -> Edge {
    let mut settings = settings();
    let mut recovery = Recovery::default();
    recovery.base_ejection = base;
    settings.recovery = Some(recovery);
    Edge::of(Gateway::builder().config(config).settings(settings).build().unwrap())
}

#[tokio::test]
async fn a_refused_target_is_unhealthy_after_tcp_failures_p37_h15() {
    let (good, dead) = (Moody::new().await, nowhere());
    let checks = passive(|unhealthy| unhealthy.tcp_failures = 2);
    let edge = Edge::new(config(&checks, &[good.server.address, dead]));
    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(edge.get("/").await.status != 200);
    }
    assert_eq!((failed, health(&edge, dead)), (2, State::Unhealthy));
}

#[tokio::test]
async fn statuses_and_timeouts_have_counters_of_their_own_h14_h17() {
    for (mood, status, read_timeout) in [(500, 500, 60_000), (1, 504, 1_000)] {
        let moody = Moody::new().await;
        let checks = passive(|unhealthy| {
            unhealthy.http_failures = 2;
            unhealthy.timeouts = 2;
        });
        let edge = Edge::new(patient(&checks, &[moody.server.address], read_timeout));
        moody.turn(mood);
        assert_eq!(edge.get("/").await.status, status);
        assert_eq!(health(&edge, moody.server.address), State::MostlyHealthy);
        assert_eq!(edge.get("/").await.status, status);
        // All unhealthy: Kong's words, and our reason (compat P3).
        edge.get("/").await.assert_failed(503, NO_PEER, "ejected");
        assert_eq!(moody.server.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_status_in_neither_list_and_the_gateways_own_say_nothing_h19() {
    let moody = Moody::new().await;
    let checks = passive(|unhealthy| {
        (unhealthy.http_failures, unhealthy.tcp_failures, unhealthy.timeouts) = (1, 1, 1);
    });
    let edge = Edge::new(config(&checks, &[moody.server.address]));
    for status in [404, 502, 504, 400] {
        moody.turn(status);
        assert_eq!(edge.get("/").await.status, status);
        assert_eq!(health(&edge, moody.server.address), State::Healthy, "{status}");
    }
}

#[tokio::test]
async fn what_the_client_does_never_counts() {
    let moody = Moody::new().await;
    let checks = passive(|unhealthy| {
        (unhealthy.http_failures, unhealthy.tcp_failures, unhealthy.timeouts) = (1, 1, 1);
    });
    let edge = Edge::new(config(&checks, &[moody.server.address]));
    // A client that leaves while it is waited for.
    moody.turn(1);
    let mut client = edge.connect().await;
    client.write_all(b"GET /left HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    eventually("it arrives", || moody.asked("/left") == 1).await;
    drop(client);
    eventually("it is given up", || moody.server.open() == 0).await;
    // A long body that breaks its framing half-way.
    moody.turn(200);
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let broken = [head.as_bytes(), b"20000\r\n", &[b'x'; 0x20000], b"\r\nno chunk\r\n"].concat();
    edge.raw(broken).await;
    // A request that is refused before it is forwarded.
    edge.raw("GET / HTTP/1.1\r\nhost: a/b\r\nconnection: close\r\n\r\n").await;
    assert_eq!(health(&edge, moody.server.address), State::Healthy);
    assert_eq!(edge.get("/").await.status, 200);
}

#[tokio::test]
async fn below_the_threshold_nobody_is_served_s10() {
    let (good, dead) = (Moody::new().await, nowhere());
    let checks = upstream(|upstream| {
        upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
        upstream.healthchecks.threshold = 50.0;
    });
    let edge = Edge::new(config(&checks, &[good.server.address, dead]));
    let mut last = edge.get("/").await;
    for _ in 0..3 {
        last = edge.get("/").await;
    }
    // Half of the weight is not more than half.
    last.assert_failed(503, NO_PEER, "below_threshold");
}

#[tokio::test]
async fn an_ejected_target_comes_back_by_one_request_that_tries_it_d20() {
    let moody = Moody::new().await;
    let checks = passive(|unhealthy| unhealthy.http_failures = 1);
    let edge = recovering(config(&checks, &[moody.server.address]), Duration::from_secs(2));
    moody.turn(500);
    assert_eq!(edge.get("/").await.status, 500);
    edge.get("/").await.assert_failed(503, NO_PEER, "ejected");
    // The first trial fails, and it is out for twice as long.
    sleep(Duration::from_millis(2_050)).await;
    assert_eq!(edge.get("/trial").await.status, 500);
    edge.get("/").await.assert_failed(503, NO_PEER, "ejected");
    moody.turn(200);
    sleep(Duration::from_millis(4_050)).await;
    assert_eq!(edge.get("/trial").await.status, 200);
    assert_eq!(health(&edge, moody.server.address), State::Healthy);
    assert_eq!((edge.get("/").await.status, moody.asked("/trial")), (200, 2));
}

#[tokio::test]
async fn an_idle_connection_that_has_died_is_no_outcome_of_a_trial() {
    let status = Arc::new(AtomicU16::new(500));
    let mood = Arc::clone(&status);
    // Each connection takes one request, and is reset at the next.
    let server = Scripted::start(move |seen| match seen.request {
        0 => {
            let head = format!("HTTP/1.1 {} Mood\r\ncontent-length: 0\r\n\r\n", mood.load(Relaxed));
            vec![Step::Body, Step::Send(head.into_bytes())]
        }
        _ => vec![Step::Body, Step::Reset],
    })
    .await;
    let checks = passive(|unhealthy| unhealthy.http_failures = 1);
    let edge = recovering(config(&checks, &[server.address]), Duration::from_millis(200));
    assert_eq!(edge.get("/").await.status, 500);
    eventually("its connection is idle", || endpoints(&edge)[0].idle() == 1).await;
    status.store(200, Relaxed);
    sleep(Duration::from_millis(250)).await;
    assert_eq!((edge.get("/").await.status, health(&edge, server.address)), (200, State::Healthy));
}

#[tokio::test]
async fn in_strict_compatibility_it_never_recovers_alone_h22_d20() {
    let moody = Moody::new().await;
    let checks = passive(|unhealthy| unhealthy.http_failures = 1);
    let mut settings = settings();
    settings.rules.compat = Compat::Kong39Strict;
    let mut recovery = Recovery::default();
    recovery.base_ejection = Duration::from_millis(20);
    settings.recovery = Some(recovery);
    let gateway = Gateway::builder().config(config(&checks, &[moody.server.address])).settings(settings);
    let edge = Edge::of(gateway.build().unwrap());
    moody.turn(500);
    edge.get("/").await;
    moody.turn(200);
    sleep(Duration::from_millis(100)).await;
    edge.get("/").await.assert_failed(503, NO_PEER, "all_unhealthy");
    // A hand brings it back.
    let upstream = edge.gateway.snapshot().upstream(checks.id).unwrap().clone();
    assert_eq!(upstream.outage(), Some(Reason::AllUnhealthy));
    upstream.set_health(&endpoints(&edge)[0], true).unwrap();
    assert_eq!(edge.get("/").await.status, 200);
}

#[tokio::test]
async fn with_a_panic_threshold_health_is_not_looked_at() {
    let moody = Moody::new().await;
    let checks = passive(|unhealthy| unhealthy.http_failures = 1);
    let mut settings = settings();
    let mut recovery = Recovery::default();
    recovery.panic_threshold = 50;
    settings.recovery = Some(recovery);
    let gateway = Gateway::builder().config(config(&checks, &[moody.server.address])).settings(settings);
    let edge = Edge::of(gateway.build().unwrap());
    moody.turn(500);
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.status, 500);
    }
    assert_eq!(health(&edge, moody.server.address), State::Unhealthy);
}

#[tokio::test]
async fn explain_says_who_is_unhealthy_where_that_counts() {
    let both = [Moody::new().await, Moody::new().await].map(|moody| moody.server.address);
    let checks = passive(|unhealthy| unhealthy.http_failures = 1);
    for (panic_threshold, wanted) in [(0, [true, false]), (100, [true, true])] {
        let mut settings = settings();
        settings.recovery.as_mut().unwrap().panic_threshold = panic_threshold;
        let builder = Gateway::builder().config(config(&checks, &both)).settings(settings);
        let edge = Edge::of(builder.build().unwrap());
        let snapshot = edge.gateway.snapshot();
        let upstream = snapshot.upstream(checks.id).unwrap();
        let other = upstream.endpoints().into_iter().find(|it| it.address() == both[1]).unwrap();
        upstream.set_health(&other, false).unwrap();
        let report = edge.gateway.explain(&Question::new("http://a/asked")).unwrap();
        let eligible = both.map(|of| {
            let candidate = report.endpoints.iter().find(|it| it.address == Some(of)).unwrap();
            candidate.eligible == Some(true)
        });
        assert_eq!(eligible, wanted, "{:?}", report.endpoints);
    }
}

#[tokio::test]
async fn health_stays_over_every_reload_that_keeps_the_target() {
    let (good, bad) = (Moody::new().await, Moody::new().await);
    let checks = passive(|unhealthy| unhealthy.http_failures = 1);
    let both = [good.server.address, bad.server.address];
    let edge = Edge::new(config(&checks, &both));
    bad.turn(500);
    edge.get("/").await;
    edge.get("/").await;
    assert_eq!(health(&edge, both[1]), State::Unhealthy);
    // Another target, another host header, other limits: the target is the same.
    let third = Moody::new().await;
    let mut changed = checks.clone();
    changed.host_header = Some("other.example".into());
    changed.healthchecks.passive.unhealthy.http_failures = 3;
    edge.gateway.reload(&config(&changed, &[both[0], both[1], third.server.address])).unwrap();
    assert_eq!(health(&edge, both[1]), State::Unhealthy);
    for _ in 0..6 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    assert_eq!(bad.server.seen().len(), 1);
    // Gone and back again: a new target, and well.
    edge.gateway.reload(&config(&changed, &both[..1])).unwrap();
    edge.gateway.reload(&config(&changed, &both)).unwrap();
    assert_eq!(health(&edge, both[1]), State::Healthy);
}
