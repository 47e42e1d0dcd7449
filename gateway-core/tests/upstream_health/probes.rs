//! By what probes show.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{
    config::{CheckType, Config, Target, Upstream},
    health::State,
};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    Moody,
    common::{
        Edge, Scripted, Step, eventually, nowhere,
        scripted::ok,
        tls::{Authority, Secured},
    },
    config, endpoints, health, upstream,
};

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
