//! `proxy-cache` in a running gateway: what is stored, for whom, and for how long (compat P29; docs/threat-model.md, C1
//! to C4).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    BOUND, Edge, Reply, Script, Scripted, Step, config,
    scripted::{Seen, send},
    service,
};
use gateway_core::{
    Gateway,
    config::{Config, Plugin},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, time::timeout};

/// An answer with these fields, whose text tells how many there were before.
fn text(fields: &str, seen: &Seen) -> Script {
    let text = format!("answer {}", seen.connection);
    let body = if seen.method() == "HEAD" { "" } else { &text };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n{fields}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    vec![Step::Body, send(head), Step::Close]
}

struct Cached {
    edge: Edge,
    upstream: Scripted,
}

impl Cached {
    async fn new(more: Value, script: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        let upstream = Scripted::start(script).await;
        let edge = Edge::new(config(service(upstream.address)).with(plugin(&more)));
        Self { edge, upstream }
    }

    async fn get(&self, path: &str, fields: &str) -> Reply {
        self.ask("GET", path, fields, "").await
    }

    async fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> Reply {
        let host = if fields.contains("host:") { "" } else { "host: a\r\n" };
        let request = format!("{method} {path} HTTP/1.1\r\n{host}connection: close\r\n{fields}\r\n{body}");
        Reply::to(method, &self.edge.raw(request).await)
    }

    /// What the cache says it did with each of these requests.
    async fn statuses(&self, requests: &[(&str, &str)]) -> Vec<String> {
        let mut statuses = Vec::new();
        for (path, fields) in requests {
            statuses.push(self.get(path, fields).await.header("x-cache-status").to_owned());
        }
        statuses
    }
}

fn plugin(more: &Value) -> Plugin {
    let mut config = json!({ "strategy": "memory" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Plugin::new("proxy-cache", config)
}

#[tokio::test]
async fn compat_p29_the_second_answer_comes_from_memory() {
    let cached = Cached::new(json!({}), |seen| text("x-up: 1\r\nset-cookie: a=b\r\n", seen)).await;
    let first = cached.get("/a?x=1&y=2", "").await;
    assert_eq!((first.text(), first.header("x-cache-status")), ("answer 0", "Miss"));
    assert!(!first.headers.contains_key("age"));
    let key = first.header("x-cache-key").to_owned();
    assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // The order of arguments does not matter, nor do a client's directives and credentials.
    for fields in ["", "cache-control: no-cache\r\n", "authorization: Basic x\r\n"] {
        let hit = cached.get("/a?y=2&x=1", fields).await;
        assert_eq!((hit.text(), hit.header("x-cache-status"), hit.whole), ("answer 0", "Hit", true));
        assert_eq!((hit.header("x-up"), hit.header("set-cookie")), ("1", "a=b"));
        assert_eq!((hit.header("age"), hit.header("x-cache-key")), ("0", key.as_str()));
        assert_eq!(hit.header("content-type"), "text/plain; charset=UTF-8");
    }
    assert_eq!(cached.get("/a", "").await.header("x-cache-status"), "Miss");
    assert_eq!(cached.upstream.seen().len(), 2);
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_asked_for_each_time() {
    let cached = Cached::new(json!({}), |seen| match seen.path() {
        "/html" => text("content-type: text/html\r\n", seen),
        "/error" => vec![send("HTTP/1.1 500 No\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n")],
        "/broken" => vec![Step::Close],
        _ => text("", seen),
    })
    .await;
    for path in ["/html", "/error", "/broken"] {
        assert_eq!(cached.statuses(&[(path, ""), (path, "")]).await, ["Bypass", "Bypass"], "{path}");
    }
    let post = cached.ask("POST", "/a", "content-length: 1\r\n", "x").await;
    assert_eq!((post.header("x-cache-status"), post.header("x-cache-key")), ("Bypass", ""));
}

#[tokio::test]
async fn an_answer_that_is_cut_or_not_read_to_its_end_is_not_stored() {
    let cached = Cached::new(json!({}), |seen| match (seen.path(), seen.connection) {
        ("/cut", 0) => vec![
            send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nhalf"),
            Step::Close,
        ],
        ("/left", 2) => vec![
            send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nhalf"),
            Step::Hang,
        ],
        _ => text("", seen),
    })
    .await;
    cached.edge.raw("GET /cut HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(cached.statuses(&[("/cut", ""), ("/cut", "")]).await, ["Miss", "Hit"]);
    let mut client = cached.edge.connect().await;
    client.write_all(b"GET /left HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    timeout(BOUND, common::read_until(&mut client, b"half")).await.unwrap();
    drop(client);
    assert_eq!(cached.statuses(&[("/left", ""), ("/left", "")]).await, ["Miss", "Hit"]);
}

#[tokio::test]
async fn a_chunked_answer_is_stored_and_a_head_keeps_its_length() {
    let cached = Cached::new(json!({}), |seen| match seen.path() {
        "/chunked" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
            vec![send(head), send("3\r\nabc\r\n"), send("3\r\ndef\r\n0\r\n\r\n")]
        }
        _ => text("", seen),
    })
    .await;
    for status in ["Miss", "Hit"] {
        let reply = cached.get("/chunked", "").await;
        assert_eq!((reply.text(), reply.header("x-cache-status"), reply.whole), ("abcdef", status, true));
        let head = cached.ask("HEAD", "/a", "", "").await;
        assert_eq!((head.header("x-cache-status"), head.header("content-length")), (status, "8"));
    }
}

#[tokio::test]
async fn an_answer_that_is_older_than_its_time_is_fetched_again() {
    let cached = Cached::new(json!({ "cache_ttl": 1, "storage_ttl": 60 }), |seen| text("", seen)).await;
    assert_eq!(cached.statuses(&[("/", ""), ("/", "")]).await, ["Miss", "Hit"]);
    let fresh = async {
        loop {
            let reply = cached.get("/", "").await;
            if reply.header("x-cache-status") != "Hit" {
                return reply;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let reply = timeout(BOUND, fresh).await.unwrap();
    assert_eq!((reply.header("x-cache-status"), reply.text()), ("Refresh", "answer 1"));
    assert_eq!(cached.statuses(&[("/", "")]).await, ["Hit"]);
}

#[tokio::test]
async fn with_cache_control_both_sides_have_a_say() {
    let cached = Cached::new(json!({ "cache_control": true }), |seen| match seen.path() {
        "/silent" => text("", seen),
        "/private" => text("cache-control: private, max-age=60\r\n", seen),
        "/old" => text("cache-control: max-age=60\r\nage: 60\r\n", seen),
        "/aged" => text("cache-control: max-age=60\r\nage: 50\r\n", seen),
        _ => text("cache-control: max-age=60\r\n", seen),
    })
    .await;
    for path in ["/silent", "/private", "/old"] {
        assert_eq!(cached.statuses(&[(path, ""), (path, "")]).await, ["Bypass", "Bypass"], "{path}");
    }
    assert_eq!(
        cached
            .statuses(&[
                ("/a", ""),
                ("/a", ""),
                ("/a", "cache-control: no-cache\r\n"),
                ("/a", "authorization: Basic x\r\n"),
                ("/a", "cache-control: min-fresh=61\r\n"),
                ("/a", "cache-control: only-if-cached\r\n"),
            ])
            .await,
        ["Miss", "Hit", "Bypass", "Bypass", "Refresh", "Hit"]
    );
    cached.get("/aged", "").await;
    assert!(cached.get("/aged", "").await.header("age").parse::<u64>().unwrap() >= 50);
    let absent = cached.get("/absent", "cache-control: only-if-cached\r\n").await;
    assert_eq!((absent.status, absent.text()), (504, ""));
}

#[tokio::test]
async fn with_cache_control_a_client_that_has_the_answer_gets_304() {
    let fields = "cache-control: max-age=60\r\netag: \"v1\"\r\n";
    let cached = Cached::new(json!({ "cache_control": true }), move |seen| text(fields, seen)).await;
    cached.get("/", "").await;
    let same = cached.get("/", "if-none-match: W/\"v1\"\r\n").await;
    assert_eq!((same.status, same.header("etag"), same.header("x-cache-status")), (304, "\"v1\"", "Hit"));
    assert_eq!(cached.get("/", "if-none-match: \"v2\"\r\n").await.status, 200);
}

#[tokio::test]
async fn with_cache_control_a_change_forgets_what_it_changes() {
    let cached = Cached::new(json!({ "cache_control": true }), |seen| match seen.header("x-fail") {
        "" => text("cache-control: max-age=60\r\n", seen),
        _ => vec![Step::Body, send("HTTP/1.1 409 No\r\ncontent-length: 0\r\n\r\n")],
    })
    .await;
    assert_eq!(cached.statuses(&[("/", ""), ("/", "")]).await, ["Miss", "Hit"]);
    cached.ask("PUT", "/", "x-fail: 1\r\ncontent-length: 1\r\n", "x").await;
    assert_eq!(cached.statuses(&[("/", "")]).await, ["Hit"]);
    cached.ask("PUT", "/", "content-length: 1\r\n", "x").await;
    assert_eq!(cached.statuses(&[("/", "")]).await, ["Miss"]);
}

#[tokio::test]
async fn c1_and_c3_what_the_upstream_sees_or_names_tells_answers_apart() {
    let cached = Cached::new(json!({}), |seen| match seen.path() {
        "/star" => text("vary: *\r\n", seen),
        _ => text("vary: accept-language\r\n", seen),
    })
    .await;
    let (de, en) = ("accept-language: de\r\n", "accept-language: en\r\n");
    assert_eq!(
        cached.statuses(&[("/", de), ("/", en), ("/", de), ("/", en), ("/", "")]).await,
        ["Miss", "Miss", "Hit", "Hit", "Miss"]
    );
    assert_eq!(cached.statuses(&[("/star", ""), ("/star", "")]).await, ["Bypass", "Bypass"]);
    assert_eq!(
        cached.statuses(&[("/h", ""), ("/h", "host: evil\r\n"), ("/h", "")]).await,
        ["Miss", "Miss", "Hit"]
    );
}

#[tokio::test]
async fn c2_a_body_where_none_belongs_passes_the_cache_by() {
    let cached = Cached::new(json!({}), |seen| text("", seen)).await;
    let fat = cached.ask("GET", "/", "content-length: 3\r\n", "x=1").await;
    assert_eq!(fat.header("x-cache-status"), "Bypass");
    assert_eq!(cached.statuses(&[("/", "")]).await, ["Miss"]);
}

#[tokio::test]
async fn c4_each_client_gets_what_plugins_say_to_it_and_not_to_the_first() {
    let upstream = Scripted::start(|seen| text("", seen)).await;
    let cors = Plugin::new("cors", json!({ "origins": ["https://a.example", "https://b.example"] }));
    let edge = Edge::new(config(service(upstream.address)).with(cors).with(plugin(&json!({}))));
    let cached = Cached { edge, upstream };
    let (a, b) = ("https://a.example", "https://b.example");
    for (origin, allowed, status) in [(a, a, "Miss"), (b, b, "Hit"), ("https://c.example", "", "Hit")] {
        let reply = cached.get("/", &format!("origin: {origin}\r\n")).await;
        assert_eq!(reply.header("access-control-allow-origin"), allowed);
        assert_eq!(reply.header("x-cache-status"), status);
        assert_eq!(reply.headers.get_all("vary").iter().count(), 1, "fields do not pile up");
    }
}

#[tokio::test]
async fn a_change_of_config_keeps_what_is_stored_and_switches_count() {
    let cached = Cached::new(json!({}), |seen| text("", seen)).await;
    cached.get("/", "").await;
    let quiet =
        json!({ "response_headers": { "age": false, "X-Cache-Status": false, "X-Cache-Key": false } });
    let next = config(service(cached.upstream.address)).with(plugin(&quiet));
    cached.edge.gateway.reload(&next).unwrap();
    let reply = cached.get("/", "").await;
    assert_eq!(reply.text(), "answer 0");
    for name in ["age", "x-cache-status", "x-cache-key"] {
        assert!(!reply.headers.contains_key(name), "{name}");
    }
}

#[test]
fn wrong_values_are_refused_in_kongs_words() {
    for (more, why) in [
        (json!({ "strategy": null }), "required field missing"),
        (json!({ "strategy": "redis" }), "expected one of: memory"),
        (json!({ "cache_ttl": 0 }), "value must be greater than 0"),
        (json!({ "response_code": [] }), "length must be at least 1"),
        (json!({ "response_code": [99] }), "value should be between 100 and 900"),
        (json!({ "response_code": [206] }), "never stored"),
        (json!({ "request_method": ["DELETE"] }), "expected one of: HEAD, GET, POST, PATCH, PUT"),
    ] {
        let config = Config::default().with(plugin(&more));
        let problems = Gateway::builder().config(config).build().err().unwrap().to_string();
        assert!(problems.contains(why), "{why} in {problems}");
    }
}
