//! `http-log` in a running gateway: what a log server gets, in spite of failures, restarts and changes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use common::{
    BOUND, Edge, Scripted, Step, config,
    echo::echo,
    eventually, nowhere,
    scripted::{ok, send},
    service,
    tls::{Authority, server_config},
};
use gateway_core::{
    Gateway,
    config::{Config, Plugin},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

/// A gateway in front of an echo, with `http-log` to `endpoint`.
async fn logging_to(endpoint: &str, more: &Value) -> Edge {
    Edge::new(config(service(echo().await)).with(plugin(endpoint, more)))
}

fn plugin(endpoint: &str, more: &Value) -> Plugin {
    let mut config = json!({ "http_endpoint": endpoint });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Plugin::new("http-log", config)
}

fn url(server: &Scripted) -> String {
    format!("http://{}/in", server.address)
}

/// The targets of the requests that have been logged, once there are so many.
async fn logged(server: &Scripted, count: usize) -> Vec<String> {
    let targets = || -> Vec<String> {
        let bodies = server.seen().into_iter().filter_map(|seen| serde_json::from_slice(&seen.body).ok());
        let records = bodies.flat_map(|body: Value| match body {
            Value::Array(records) => records,
            record => vec![record],
        });
        records.map(|record| record["request"]["uri"].as_str().unwrap().to_owned()).collect()
    };
    eventually("records", || targets().len() >= count).await;
    targets()
}

#[tokio::test]
async fn each_request_is_a_record_of_its_own_on_one_connection() {
    let server = Scripted::start(|_| ok("thanks")).await;
    let endpoint = format!("http://user:pass@{}/in?key=1", server.address);
    let edge = logging_to(&endpoint, &json!({ "headers": { "X-Tenant": "a" }, "method": "PUT" })).await;
    for path in ["/a", "/b", "/c"] {
        assert_eq!(edge.get(path).await.status, 200);
    }
    assert_eq!(logged(&server, 3).await, ["/a", "/b", "/c"]);
    let seen = &server.seen()[0];
    assert_eq!((seen.method(), seen.path()), ("PUT", "/in?key=1"));
    assert_eq!((seen.header("content-type"), seen.header("x-tenant")), ("application/json", "a"));
    assert_eq!(seen.header("authorization"), "Basic dXNlcjpwYXNz");
    assert_eq!(seen.header("host"), server.address.to_string());
    let record: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!((&record["response"]["status"], &record["route"]["name"]), (&json!(200), &json!("all")));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn records_go_in_batches_where_that_is_wished() {
    let server = Scripted::start(|_| ok("")).await;
    let edge =
        logging_to(&url(&server), &json!({ "queue": { "max_batch_size": 3, "max_coalescing_delay": 3600 } }))
            .await;
    for path in ["/a", "/b", "/c"] {
        edge.get(path).await;
    }
    assert_eq!(logged(&server, 3).await, ["/a", "/b", "/c"]);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_fails_in_every_way_gets_each_record_in_the_end_and_in_order() {
    let asked = AtomicUsize::new(0);
    let server = Scripted::start(move |_| match asked.fetch_add(1, Relaxed) {
        0 => vec![Step::Body, send("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno")],
        1 => vec![Step::Body, Step::Close],
        2 => vec![Step::Reset],
        3 => vec![Step::Body, send("nonsense\r\n\r\n"), Step::Close],
        4 => vec![Step::Body, send("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")],
        _ => ok(""),
    })
    .await;
    let edge = logging_to(&url(&server), &json!({ "queue": { "initial_retry_delay": 0.001 } })).await;
    edge.get("/a").await;
    edge.get("/b").await;
    let logged = logged(&server, 6).await;
    assert_eq!(logged.last().unwrap(), "/b");
    assert_eq!(logged.iter().filter(|path| *path == "/b").count(), 1, "{logged:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_its_timeout() {
    let asked = AtomicUsize::new(0);
    let server = Scripted::start(move |_| match asked.fetch_add(1, Relaxed) {
        0 => vec![Step::Body, Step::Hang],
        _ => ok(""),
    })
    .await;
    // Long enough for the answer to the second attempt, however late.
    let edge =
        logging_to(&url(&server), &json!({ "timeout": 1000, "queue": { "initial_retry_delay": 0.001 } }))
            .await;
    edge.get("/a").await;
    assert_eq!(logged(&server, 2).await, ["/a", "/a"]);
}

#[tokio::test]
async fn records_wait_for_a_server_that_starts_later() {
    let address = nowhere();
    let endpoint = format!("http://{address}/in");
    let edge = logging_to(&endpoint, &json!({ "queue": { "max_retry_delay": 0.02 } })).await;
    edge.get("/a").await;
    edge.get("/b").await;
    let server = Scripted::on(TcpListener::bind(address).await.unwrap(), |_| ok(""));
    assert_eq!(logged(&server, 2).await, ["/a", "/b"]);
}

#[tokio::test]
async fn a_full_queue_drops_the_oldest_and_no_request_waits() {
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let server = Scripted::start(move |_| match gate.load(Relaxed) {
        true => ok(""),
        false => vec![Step::Body, send("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")],
    })
    .await;
    let queue = json!({ "max_entries": 2, "max_retry_delay": 0.02 });
    let edge = logging_to(&url(&server), &json!({ "queue": queue })).await;
    edge.get("/first").await;
    eventually("the first is under way", || !server.seen().is_empty()).await;
    for path in ["/a", "/b", "/c", "/d"] {
        assert_eq!(timeout(BOUND, edge.get(path)).await.unwrap().status, 200);
    }
    let before = server.seen().len();
    open.store(true, Relaxed);
    eventually("the last one", || {
        server.seen().iter().any(|seen| String::from_utf8_lossy(&seen.body).contains("\"/d\""))
    })
    .await;
    let mut after: Vec<_> = logged(&server, 3).await.into_iter().skip(before).collect();
    after.retain(|path| path != "/first");
    assert_eq!(after, ["/c", "/d"]);
}

#[tokio::test]
async fn what_is_queued_is_sent_when_a_change_takes_the_plugin_away() {
    let server = Scripted::start(|_| ok("")).await;
    let plain = config(service(echo().await));
    let slow = json!({ "queue": { "max_batch_size": 1000, "max_coalescing_delay": 3600 } });
    let edge = Edge::new(plain.clone().with(plugin(&url(&server), &slow)));
    edge.get("/a").await;
    edge.gateway.reload(&plain).unwrap();
    // What a snapshot holds is freed by the change after the requests that used it have ended.
    eventually("sent", || {
        edge.gateway.reload(&plain).unwrap();
        !server.seen().is_empty()
    })
    .await;
    assert_eq!(logged(&server, 1).await, ["/a"]);
}

#[tokio::test]
async fn what_is_queued_is_sent_when_the_gateway_goes() {
    let server = Scripted::start(|_| ok("")).await;
    let slow = json!({ "queue": { "max_batch_size": 1000, "max_coalescing_delay": 3600 } });
    let edge = logging_to(&url(&server), &slow).await;
    edge.get("/a").await;
    // The end waits for what is under way, and the server runs here.
    tokio::task::spawn_blocking(move || drop(edge)).await.unwrap();
    assert_eq!(logged(&server, 1).await, ["/a"]);
}

#[tokio::test]
async fn a_server_whose_certificate_does_not_verify_gets_nothing() {
    let pair = Authority::new("unknown").leaf("127.0.0.1");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server_config(&pair, None)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}/in", listener.local_addr().unwrap());
    let edge = logging_to(&endpoint, &json!({ "queue": { "max_retry_time": -1 } })).await;
    edge.get("/a").await;
    let (stream, _) = timeout(BOUND, listener.accept()).await.unwrap().unwrap();
    let refused = timeout(BOUND, acceptor.accept(stream)).await.unwrap().err().unwrap();
    assert!(refused.to_string().contains("UnknownCA"), "{refused}");
}

#[test]
fn wrong_values_are_refused_in_kongs_words() {
    for (endpoint, more, why) in [
        ("nowhere", json!({}), "missing host in url"),
        ("http://h/", json!({ "headers": { "host": "x" } }), "cannot contain 'Host' header"),
        ("http://h/", json!({ "method": "GET" }), "expected one of: POST, PUT, PATCH"),
        ("http://h/", json!({ "queue": { "max_batch_size": 0 } }), "value should be between 1 and 1000000"),
        ("http://h/", json!({ "queue": { "concurrency_limit": 2 } }), "expected one of: 1, -1"),
        ("http://h/", json!({ "queue": { "name": "x" } }), "unknown field"),
        ("http://h/", json!({ "custom_fields_by_lua": { "a": "return 1" } }), "there is no Lua here"),
        ("http://u:p@h/", json!({ "headers": { "Authorization": "x" } }), "is not allowed"),
    ] {
        let config = Config::default().with(plugin(endpoint, &more));
        let problems = Gateway::builder().config(config).build().err().unwrap().to_string();
        assert!(problems.contains(why), "{why} in {problems}");
    }
}
