//! The plugin `retry` over real sockets: retries per route and on statuses, with an idempotency guard and a budget
//! (users' thread C16).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Edge, Reply, Script, Scripted, Step, balanced_with, config, nowhere, route,
    scripted::{last, ok, send},
    service,
};
use gateway_core::{
    config::{Config, Plugin, Service, derived_id},
    plugins,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const TIMING_OUT: &str = "The upstream server is timing out";

/// A plugin with these settings, as a file would have it.
fn plugin(name: &str, settings: &Value) -> Plugin {
    let text = json!({ "_format_version": "3.0", "plugins": [{ "name": name, "config": settings }] });
    let config = Config::parse(&text.to_string(), &plugins::bundled()).unwrap();
    let mut plugin = Plugin::clone(config.plugins.values().next().unwrap());
    plugin.id = derived_id("plugins", name);
    plugin
}

/// Retries without waits, unless the settings say otherwise.
fn retry(mut settings: Value) -> Plugin {
    let fields = settings.as_object_mut().unwrap();
    fields.entry("backoff_base").or_insert(json!(0));
    plugin("retry", &settings)
}

fn status(code: u16, fields: &str) -> Script {
    vec![Step::Body, send(format!("HTTP/1.1 {code} Oh\r\n{fields}content-length: 2\r\n\r\nno"))]
}

async fn always(script: Script) -> Scripted {
    Scripted::start(move |_| script.clone()).await
}

async fn good() -> Scripted {
    always(ok("good")).await
}

fn group(targets: &[&Scripted], settings: Value) -> Edge {
    let addresses: Vec<_> = targets.iter().map(|target| target.address).collect();
    Edge::new(balanced_with(&addresses, |_| {}).0.with(retry(settings)))
}

fn single(target: &Scripted, retries: u16, settings: Value) -> Edge {
    let mut service = service(target.address);
    service.retries = retries;
    Edge::new(config(service).with(retry(settings)))
}

#[tokio::test]
async fn a_status_is_tried_again_on_another_endpoint_c16_traefik_4578_12667() {
    let (ill, good) = (always(status(503, "")).await, good().await);
    let edge = group(&[&ill, &good], json!({ "budget_percent": 100 }));
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        for _ in 0..4 {
            assert_eq!(edge.ask(method, "/").await.status, 200, "{method}");
        }
    }
    assert_eq!(good.seen().len(), 20);
    assert!((10..=20).contains(&ill.seen().len()), "{}", ill.seen().len());
}

#[tokio::test]
async fn an_answer_that_is_tried_again_leaves_its_connection_usable() {
    let (ill, good) = (always(status(503, "")).await, good().await);
    let edge = group(&[&ill, &good], json!({}));
    for _ in 0..6 {
        edge.get("/").await.assert_ok("good");
    }
    assert!(ill.seen().len() >= 3);
    assert_eq!(ill.connections(), 1);
}

#[tokio::test]
async fn a_post_is_not_sent_again_unless_told_c16_apisix_11359() {
    let (ill, good) = (always(status(503, "")).await, good().await);
    let edge = group(&[&ill, &good], json!({}));
    let mut statuses = HashMap::<u16, usize>::new();
    for _ in 0..10 {
        *statuses.entry(edge.post("/", "", "hello").await.status).or_default() += 1;
    }
    assert_eq!((statuses[&200], statuses[&503]), (5, 5));
    let edge = group(&[&ill, &good], json!({ "methods": ["POST"], "budget_percent": 1000 }));
    for _ in 0..10 {
        edge.post("/", "", "hello").await.assert_ok("good");
    }
    assert!(good.seen().iter().all(|seen| seen.body == b"hello"));
}

#[tokio::test]
async fn a_post_that_was_not_written_is_sent_again() {
    let good = good().await;
    let (config, _) = balanced_with(&[nowhere(), good.address], |_| {});
    let edge = Edge::new(config.with(retry(json!({}))));
    for _ in 0..10 {
        edge.post("/", "", "hello").await.assert_ok("good");
    }
    assert_eq!(good.seen().len(), 10);
}

#[tokio::test]
async fn other_statuses_and_the_last_one_go_to_the_client() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/500" => status(500, ""),
        _ => status(502, "x-upstream: yes\r\n"),
    })
    .await;
    let edge = single(&upstream, 5, json!({ "retries": 2 }));
    assert_eq!(edge.get("/500").await.status, 500);
    assert_eq!(upstream.seen().len(), 1);
    let reply = edge.get("/502").await;
    assert_eq!((reply.status, reply.text(), reply.header("x-upstream")), (502, "no", "yes"));
    assert_eq!(upstream.seen().len(), 4);
}

#[tokio::test]
async fn without_a_number_of_its_own_kongs_retries_count() {
    let upstream = always(vec![Step::Reset]).await;
    for (retries, seen) in [(0, 1), (3, 5)] {
        let edge = single(&upstream, retries, json!({}));
        assert_eq!(edge.get("/").await.status, 502);
        assert_eq!(upstream.seen().len(), seen);
    }
}

#[tokio::test]
async fn only_the_causes_that_are_named() {
    let (reset, good) = (always(vec![Step::Body, Step::Reset]).await, good().await);
    let edge = group(&[&reset, &good], json!({ "causes": ["connect", "timeout"] }));
    let mut statuses = [edge.get("/").await.status, edge.get("/").await.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
}

#[tokio::test]
async fn a_try_that_takes_too_long_is_followed_by_another() {
    let (hung, good) = (always(vec![Step::Body, Step::Hang]).await, good().await);
    let edge = group(&[&hung, &good], json!({ "per_try_timeout": 1_500 }));
    for _ in 0..4 {
        edge.get("/").await.assert_ok("good");
    }
    let gets = hung.seen().len();
    assert!((2..=4).contains(&gets), "{gets}");
    let mut failed = 0;
    for _ in 0..4 {
        let reply = edge.post("/", "", "hello").await;
        if reply.status != 200 {
            reply.assert_failed(504, TIMING_OUT, "read_timeout");
            failed += 1;
        }
    }
    assert_eq!((failed, hung.seen().len()), (2, gets + 2));
}

#[tokio::test]
async fn the_limit_of_a_try_does_not_cut_an_answer_that_has_begun() {
    let slow = [
        Step::Body,
        send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngo"),
        Step::Wait(Duration::from_millis(1_500)),
        send("od"),
    ];
    let slow = always(slow.to_vec()).await;
    let edge = single(&slow, 0, json!({ "per_try_timeout": 600, "total_timeout": 600 }));
    edge.get("/").await.assert_ok("good");
}

#[tokio::test]
async fn all_tries_together_are_over_in_time_and_say_so() {
    let hung = always(vec![Step::Body, Step::Hang]).await;
    let edge = single(&hung, 50, json!({ "per_try_timeout": 400, "total_timeout": 1_500 }));
    edge.get("/").await.assert_failed(504, TIMING_OUT, "deadline");
    assert!((2..=4).contains(&hung.seen().len()), "{}", hung.seen().len());
}

#[tokio::test]
async fn deadlines_go_on_to_the_upstream_and_clients_may_only_shorten_them() {
    for (name, asked, told) in
        [("grpc-timeout", "1500m", "m"), ("x-timeout-ms", "1500", ""), ("x-timeout-ms", "60000", "")]
    {
        let hung = always(vec![Step::Body, Step::Hang]).await;
        let settings = json!({ "per_try_timeout": 1000, "total_timeout": 2500, "deadline_header": name });
        let edge = single(&hung, 50, settings);
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{name}: {asked}\r\n\r\n");
        let begun = std::time::Instant::now();
        Reply::to("GET", &edge.raw(request).await).assert_failed(504, TIMING_OUT, "deadline");
        // Fully used, and the longer one of what the client asks for and what it may is never reached.
        let limit = if asked == "60000" { 2_500 } else { 1_500 };
        assert!(begun.elapsed() >= Duration::from_millis(limit - 20), "{:?}", begun.elapsed());
        let left: Vec<u64> = hung
            .seen()
            .iter()
            .map(|seen| seen.header(name).strip_suffix(told).unwrap().parse().unwrap())
            .collect();
        assert!(left.len() >= 2 && left[0] == 1_000, "{left:?}");
        assert!(left.last().unwrap() <= &(limit % 1_000 + 5), "{left:?}");
    }
}

#[tokio::test]
async fn codes_of_grpc_are_tried_again_where_they_are_named() {
    let refuses = |code: u16| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: {code}\r\ncontent-length: 0\r\n\r\n"
        );
        vec![Step::Body, send(head)]
    };
    let upstream = Scripted::start(move |seen| match (seen.path(), seen.request) {
        ("/soon", 0) => refuses(14),
        ("/never", _) => refuses(5),
        _ => refuses(0),
    })
    .await;
    let edge = single(&upstream, 5, json!({ "grpc_statuses": ["UNAVAILABLE"] }));
    let call = |path: &'static str| edge.post(path, "content-type: application/grpc\r\n", "\0\0\0\0\0");
    assert_eq!(call("/soon").await.header("grpc-status"), "0");
    assert_eq!(upstream.seen().len(), 2);
    assert_eq!(call("/never").await.header("grpc-status"), "5");
    assert_eq!(upstream.seen().len(), 3);
    // Unnamed, a call is a POST like any other.
    let edge = single(&upstream, 5, json!({}));
    let refused = edge.post("/soon", "content-type: application/grpc\r\n", "\0\0\0\0\0").await;
    assert_eq!(refused.header("grpc-status"), "14");
}

#[tokio::test]
async fn a_client_that_sends_slowly_is_not_the_upstreams_failure() {
    let good = good().await;
    let mut service = service(good.address);
    service.retries = 0;
    let mut streamed = route(&service);
    streamed.request_buffering = false;
    let config = Config::default().with(service).with(streamed);
    let edge = Edge::new(config.with(retry(json!({ "per_try_timeout": 400 }))));
    let mut client = edge.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
    for part in [head, "a", "b"] {
        tokio::io::AsyncWriteExt::write_all(&mut client, part.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    Reply::to("POST", &common::until_closed(&mut client).await).assert_ok("good");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let upstream = Scripted::start(|seen| match (seen.path(), seen.request) {
        ("/soon", 0) => status(503, "retry-after: 1\r\n"),
        ("/late", _) => status(503, "retry-after: 30\r\n"),
        _ => ok("good"),
    })
    .await;
    let edge = single(&upstream, 5, json!({ "backoff_max": 1_500 }));
    let begun = std::time::Instant::now();
    edge.get("/soon").await.assert_ok("good");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let seen = upstream.seen().len();
    let reply = edge.get("/late").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "30"));
    assert_eq!(upstream.seen().len(), seen + 1);
}

#[tokio::test]
async fn a_dead_service_sees_a_fifth_more_requests_and_no_more() {
    let dead = always(status(503, "")).await;
    let edge = single(&dead, 5, json!({ "budget_per_second": 0 }));
    for _ in 0..100 {
        assert_eq!(edge.get("/").await.status, 503);
    }
    assert_eq!(dead.seen().len(), 120);
    let readings = edge.gateway.snapshot().readings();
    let of = |metric| readings.iter().find(|it| it.reading.metric == metric).unwrap().reading.value;
    assert_eq!((of("gateway_retries_total"), of("gateway_retries_over_budget_total") > 0), (20, true));
    // What is spent stays spent over a change of the settings.
    let mut service = service(dead.address);
    service.retries = 5;
    let changed = config(service).with(retry(json!({ "budget_per_second": 0, "retries": 4 })));
    edge.gateway.reload(&changed).unwrap();
    for _ in 0..4 {
        assert_eq!(edge.get("/").await.status, 503);
    }
    assert_eq!(dead.seen().len(), 124);
}

#[tokio::test]
async fn a_body_is_sent_again_up_to_its_bound() {
    let (reset, good) = (always(vec![Step::Body, Step::Reset]).await, good().await);
    for (bound, mut failures) in [(200_000, 0), (65_536, 2)] {
        let edge = group(&[&reset, &good], json!({ "body_size": bound }));
        let body = "x".repeat(100_000);
        for _ in 0..4 {
            let request = format!(
                "PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let reply = Reply::to("PUT", &edge.raw(request).await);
            match reply.status {
                200 => assert_eq!(good.seen().last().unwrap().body.len(), body.len()),
                _ => failures -= 1,
            }
        }
        assert_eq!(failures, 0, "{bound}");
    }
}

#[tokio::test]
async fn an_early_answer_to_an_upload_is_not_tried_again() {
    // It answers before it has read the body, which is gone with that.
    let hasty = always(last("HTTP/1.1 503 Oh\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")).await;
    let edge = single(&hasty, 5, json!({ "body_size": 0 }));
    let body = "x".repeat(3_000_000);
    let request =
        format!("PUT / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut client = edge.connect().await;
    let sending = async {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client, (request + &body).as_bytes()).await;
        common::until_closed(&mut client).await
    };
    let reply = Reply::to("PUT", &sending.await);
    assert_eq!((reply.status, hasty.seen().len()), (503, 1));
}

#[tokio::test]
async fn it_is_a_routes_own_or_a_services_c16_6853() {
    let (ill, good) = (always(status(503, "")).await, good().await);
    let (config, _) = balanced_with(&[ill.address, good.address], |_| {});
    let patient = route(&Service::new("tested", "group"));
    let (mut hasty, mut on_route) = (patient.clone(), retry(json!({})));
    (hasty.id, hasty.name) = (derived_id("routes", "hasty"), Some("hasty".into()));
    hasty.paths = Some(vec!["/hasty".into()]);
    on_route.route = Some(config.routes.values().next().unwrap().id.into());
    let mut service: Service = Service::clone(config.services.values().next().unwrap());
    service.retries = 5;
    hasty.service = Some(service.id.into());
    let edge = Edge::new(config.with(hasty).with(on_route));
    for _ in 0..4 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    let mut statuses = [edge.get("/hasty").await.status, edge.get("/hasty").await.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503]);
}

#[tokio::test]
async fn a_breaker_that_is_open_ends_the_tries() {
    let ill = always(status(503, "")).await;
    let mut service = service(ill.address);
    service.retries = 10;
    let breaker = plugin("circuit-breaker", &json!({ "consecutive_failures": 3, "open_time": 60_000 }));
    let edge = Edge::new(config(service).with(retry(json!({ "budget_percent": 1000 }))).with(breaker));
    // The breaker of the endpoint hears of each try. The client gets the last answer.
    assert_eq!(edge.get("/").await.status, 503);
    assert_eq!(ill.seen().len(), 3);
    assert_eq!(edge.get("/").await.header("x-gateway-reason"), "breaker_open");
    assert_eq!(ill.seen().len(), 3);
}

/// G12 and the figure, small: one of three upstreams goes wrong in each way in turn.
#[tokio::test]
async fn one_of_three_goes_wrong_and_no_idempotent_request_fails_nor_a_post_runs_twice() {
    for (name, fault) in [
        ("killed", vec![Step::Reset]),
        ("hung", vec![Step::Hang]),
        ("reset", vec![Step::Body, Step::Reset]),
        ("ill", status(503, "")),
        ("half an answer", last("HTTP/1.1 200 OK\r\ncont")),
    ] {
        let wrong = Arc::new(AtomicBool::new(false));
        let (mood, script) = (Arc::clone(&wrong), fault);
        let bad =
            Scripted::start(move |_| if mood.load(Relaxed) { script.clone() } else { ok("good") }).await;
        let (one, two) = (good().await, good().await);
        let targets = [bad.address, one.address, two.address];
        let config = balanced_with(&targets, |_| {}).0;
        let breaker = json!({ "apply_to": ["endpoint"], "consecutive_failures": 3, "open_time": 60_000 });
        let retry = retry(json!({ "per_try_timeout": 2_000, "budget_percent": 1000 }));
        let edge = Arc::new(Edge::new(config.with(retry).with(plugin("circuit-breaker", &breaker))));
        let mut clients = JoinSet::new();
        for client in 0..4 {
            let (edge, wrong) = (Arc::clone(&edge), Arc::clone(&wrong));
            clients.spawn(async move {
                let mut failed = 0;
                for id in 0..25 {
                    wrong.fetch_or(id == 8, Relaxed);
                    assert_eq!(edge.get("/").await.status, 200);
                    failed += usize::from(
                        edge.post("/", &format!("x-id: {client}-{id}\r\n"), "hello").await.status != 200,
                    );
                }
                failed
            });
        }
        let failed: usize = clients.join_all().await.into_iter().sum();
        let mut times = HashMap::<String, usize>::new();
        for seen in [&bad, &one, &two].into_iter().flat_map(Scripted::seen) {
            if seen.method() == "POST" {
                *times.entry(seen.header("x-id").to_owned()).or_default() += 1;
            }
        }
        assert!(times.len() == 100 && times.values().all(|times| *times == 1), "{name}: {times:?}");
        // Three failures in a row open the breaker, and four clients may be under way.
        assert!(failed <= 7, "{name}: {failed} failed");
    }
}
