//! Targets that are unwell get no requests: by what traffic shows (compat H13 to H19, H22, S10, S12, P3, P37), by what
//! probes show (H1 to H11, H20), and back again (D20).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use common::{
    Edge, Scripted, Step, config as single, eventually, nowhere,
    scripted::ok,
    settings,
    tls::{Authority, Secured},
};
use gateway_core::{
    Gateway, Reason,
    config::{CheckType, Config, Service, Target, Upstream},
    explain::Question,
    health::{Recovery, State},
    sanitize::Compat,
    upstream::Endpoint,
};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::sleep};

const NO_PEER: &str = "failure to get a peer from the ring-balancer";

/// An upstream whose answer can be changed: a status, or 0 for a reset.
struct Moody {
    status: Arc<AtomicU16>,
    server: Scripted,
}

impl Moody {
    async fn new() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let mood = Arc::clone(&status);
        let server = Scripted::on(listener, move |_| match mood.load(Relaxed) {
            0 => vec![Step::Body, Step::Reset],
            1 => vec![Step::Body, Step::Hang],
            status => {
                let head = format!("HTTP/1.1 {status} Mood\r\ncontent-length: 0\r\n\r\n");
                vec![Step::Body, Step::Send(head.into_bytes())]
            }
        });
        Self { status, server }
    }

    fn turn(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    /// Requests that arrived on `path`.
    fn asked(&self, path: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.path() == path).count()
    }
}

fn upstream(change: impl FnOnce(&mut Upstream)) -> Upstream {
    let mut upstream = Upstream::new("group");
    change(&mut upstream);
    upstream
}

/// No retries: what a request meets is what it gets.
fn config(upstream: &Upstream, targets: &[std::net::SocketAddr]) -> Config {
    patient(upstream, targets, 60_000)
}

/// The same, for answers that come within so many milliseconds.
fn patient(upstream: &Upstream, targets: &[std::net::SocketAddr], read_timeout: u32) -> Config {
    let mut service = Service::new("tested", "group");
    (service.retries, service.read_timeout) = (0, read_timeout);
    let all = single(service).with(upstream.clone());
    targets.iter().fold(all, |all, target| all.with(Target::new(upstream, &target.to_string())))
}

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

fn endpoints(edge: &Edge) -> Vec<Arc<Endpoint>> {
    edge.gateway.snapshot().upstream(Upstream::new("group").id).unwrap().endpoints()
}

fn health(edge: &Edge, of: std::net::SocketAddr) -> State {
    endpoints(edge).iter().find(|endpoint| endpoint.address() == of).unwrap().health()
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

fn active(change: impl FnOnce(&mut Upstream)) -> Upstream {
    upstream(|upstream| {
        let active = &mut upstream.healthchecks.active;
        active.http_path = "/probe".into();
        (active.healthy.interval, active.unhealthy.interval) = (0.05, 0.05);
        (active.healthy.successes, active.timeout) = (2, 2.0);
        let unhealthy = &mut active.unhealthy;
        (unhealthy.http_failures, unhealthy.tcp_failures, unhealthy.timeouts) = (2, 2, 2);
        change(upstream);
    })
}

#[tokio::test]
async fn probes_take_a_target_out_and_bring_it_back_h7_to_h11() {
    let (good, moody) = (Moody::new().await, Moody::new().await);
    let checks = active(|upstream| {
        upstream.host_header = Some("probed.example".into());
        let headers = [("x-probe".to_owned(), vec!["yes".to_owned()])];
        upstream.healthchecks.active.headers = Some(headers.into_iter().collect());
        // One of them hangs below.
        upstream.healthchecks.active.timeout = 1.0;
    });
    let edge = Edge::new(config(&checks, &[good.server.address, moody.server.address]));
    // Without any request: probes begin with the server.
    eventually("both are probed", || good.asked("/probe") > 0 && moody.asked("/probe") > 0).await;
    let probe = moody.server.seen()[0].clone();
    assert_eq!(
        (probe.method(), probe.header("host"), probe.header("x-probe")),
        ("GET", "probed.example", "yes")
    );
    for mood in [500, 0, 1] {
        moody.turn(mood);
        eventually("it is out", || health(&edge, moody.server.address) == State::Unhealthy).await;
        for _ in 0..4 {
            assert_eq!(edge.get("/asked").await.status, 200);
        }
        assert_eq!(moody.asked("/asked"), 0);
        moody.turn(200);
        eventually("it is back", || health(&edge, moody.server.address) == State::Healthy).await;
    }
    for _ in 0..4 {
        edge.get("/asked").await;
    }
    assert!(moody.asked("/asked") > 0);
}

#[tokio::test]
async fn probes_end_with_their_upstream() {
    let moody = Moody::new().await;
    let checks = active(|_| {});
    let edge = Edge::new(config(&checks, &[moody.server.address]));
    eventually("it is probed", || moody.asked("/probe") > 1).await;
    // The probe under way hangs, and ends too.
    moody.turn(1);
    eventually("one hangs", || moody.server.open() > 0).await;
    edge.gateway.reload(&Config::default()).unwrap();
    eventually("it is given up", || moody.server.open() == 0).await;
    let asked = moody.asked("/probe");
    sleep(Duration::from_millis(250)).await;
    assert_eq!(moody.asked("/probe"), asked);
}

#[tokio::test]
async fn frequent_reloads_keep_probes_in_time() {
    let moody = Moody::new().await;
    let mut checks = active(|upstream| upstream.healthchecks.active.healthy.interval = 0.2);
    let edge = Edge::new(config(&checks, &[moody.server.address]));
    let mut reloads = 0;
    while moody.asked("/probe") < 3 {
        // Sooner than any probe is due, were it to start over.
        sleep(Duration::from_millis(30)).await;
        reloads += 1;
        checks.healthchecks.threshold = f64::from(reloads % 2);
        edge.gateway.reload(&config(&checks, &[moody.server.address])).unwrap();
        assert!(reloads < 300, "{} probes", moody.asked("/probe"));
    }
}

#[tokio::test]
async fn a_target_of_weight_zero_is_not_probed_h21() {
    let (probed, drained) = (Moody::new().await, Moody::new().await);
    let checks = active(|_| {});
    let mut target = Target::new(&checks, &drained.server.address.to_string());
    target.weight = 0;
    let edge = Edge::new(config(&checks, &[probed.server.address]).with(target));
    eventually("one is probed", || probed.asked("/probe") > 4).await;
    assert!(drained.server.seen().is_empty());
    assert_eq!(endpoints(&edge).len(), 2);
}

#[tokio::test]
async fn a_tcp_probe_asks_for_a_connection_only_h1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let moody = Moody::on(listener);
    let checks = active(|upstream| upstream.healthchecks.active.kind = CheckType::Tcp);
    let dead = nowhere();
    let edge = Edge::new(config(&checks, &[moody.server.address, dead]));
    // A connection is made before the other one has accepted and counted it.
    eventually("it is out", || health(&edge, dead) == State::Unhealthy && moody.server.connections() > 0)
        .await;
    assert_eq!(health(&edge, moody.server.address), State::Healthy);
    assert!(moody.server.seen().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_holds_nothing() {
    // A good head, and then a body that never ends.
    let flood = Scripted::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        vec![
            Step::Send(head),
            Step::Flood(b"1000\r\n".iter().copied().chain([b'x'; 0x1000]).chain(*b"\r\n").collect()),
        ]
    })
    .await;
    // A head that never ends.
    let drip = Scripted::start(|_| {
        vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Step::Flood(b"a: b\r\n".to_vec())]
    })
    .await;
    // A redirect, which is not followed.
    let moved = Scripted::start(|_| {
        vec![Step::Send(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_vec())]
    })
    .await;
    let edge = Edge::new(config(&active(|_| {}), &[flood.address, drip.address, moved.address]));
    eventually("all are probed", || [&flood, &drip, &moved].iter().all(|it| it.seen().len() > 3)).await;
    eventually("the endless head is out", || health(&edge, drip.address) == State::Unhealthy).await;
    assert_eq!(health(&edge, flood.address), State::Healthy);
    assert_eq!(health(&edge, moved.address), State::Healthy);
    assert!(moved.seen().iter().all(|seen| seen.path() == "/probe"));
    eventually("no probe stays open", || flood.open() <= 1 && drip.open() <= 1).await;
}

/// A gRPC health service that serves while `serving` holds.
async fn grpc(serving: Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let serving = Arc::clone(&serving);
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                // SERVING, or NOT_SERVING.
                let status = if serving.load(Relaxed) { 1 } else { 2 };
                let message = Frame::data(Bytes::from(vec![0, 0, 0, 0, 2, 0x08, status]));
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                let frames = [Ok::<_, Infallible>(message), Ok(Frame::trailers(trailers))];
                let body = StreamBody::new(futures_util::stream::iter(frames));
                let response = Response::builder().header("content-type", "application/grpc").body(body);
                async move { Ok::<_, Infallible>(response.unwrap()) }
            });
            let connection = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[tokio::test]
async fn a_grpc_probe_asks_the_health_service_h1() {
    let serving = Arc::new(AtomicBool::new(true));
    let address = grpc(Arc::clone(&serving)).await;
    let checks = active(|upstream| upstream.healthchecks.active.kind = CheckType::Grpc);
    let no_grpc = Scripted::start(|_| ok("no grpc")).await;
    let edge = Edge::new(config(&checks, &[address, no_grpc.address]));
    eventually("it is no gRPC", || health(&edge, no_grpc.address) == State::Unhealthy).await;
    assert_eq!(health(&edge, address), State::Healthy);
    serving.store(false, Relaxed);
    eventually("it does not serve", || health(&edge, address) == State::Unhealthy).await;
    serving.store(true, Relaxed);
    eventually("it serves again", || health(&edge, address) == State::Healthy).await;
}

#[tokio::test]
async fn an_https_probe_verifies_unless_told_not_to_h5_h6() {
    let authority = Authority::new("nobody's");
    let server = Secured::start(&authority.leaf("probe.example"), None).await;
    let https = |verify: bool| {
        active(|upstream| {
            let active = &mut upstream.healthchecks.active;
            active.kind = CheckType::Https;
            active.https_sni = Some("probe.example".into());
            active.https_verify_certificate = verify;
        })
    };
    let edge = Edge::new(config(&https(true), &[server.address]));
    eventually("its certificate is refused", || health(&edge, server.address) == State::Unhealthy).await;
    edge.gateway.reload(&config(&https(false), &[server.address])).unwrap();
    eventually("nobody looks at it", || health(&edge, server.address) == State::Healthy).await;
    assert!(server.names().iter().all(|name| name.as_deref() == Some("probe.example")));
}
