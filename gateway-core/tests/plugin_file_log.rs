//! `file-log` in a running gateway: what stands in the file (compat O3), and that no request waits for it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::PathBuf};

use common::{Edge, Scripted, Step, config, echo::echo, eventually, nowhere, service};
use gateway_core::{
    Gateway,
    config::{Config, Plugin},
};
use serde_json::{Value, json};

/// A file of its own that goes with the test.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("file-log-{}", uuid::Uuid::new_v4())))
    }

    fn plugin(&self) -> Plugin {
        Plugin::new("file-log", json!({ "path": self.0, "reopen": false }))
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines, once there are so many.
    async fn wait(&self, count: usize) -> Vec<Value> {
        eventually("lines", || self.lines().len() >= count).await;
        self.lines()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_line_tells_of_both_messages_and_every_try() {
    let (file, upstream, dead) = (File::new(), echo().await, nowhere());
    let (config, _) = common::balanced(&[dead, upstream]);
    let edge = Edge::new(config.with(file.plugin()));
    let sent = "GET /a?b=1 HTTP/1.1\r\nhost: h.example\r\nauthorization: Bearer s3cret\r\nx-a: 1\r\nconnection: close\r\n\r\n";
    // The one of two targets that does not listen is asked first by one of two requests.
    edge.raw(sent).await;
    edge.raw(sent).await;
    let lines = file.wait(2).await;
    let retried = lines.iter().find(|line| line["tries"].as_array().unwrap().len() == 2).unwrap();
    assert_eq!(
        (&retried["tries"][0]["state"], &retried["tries"][0]["port"]),
        (&json!("failed"), &json!(dead.port()))
    );
    assert_eq!(
        (&retried["tries"][1]["code"], &retried["tries"][1]["ip"]),
        (&json!(200), &json!("127.0.0.1"))
    );
    assert_eq!(retried["upstream_status"], "502, 200");
    let line = &lines[0];
    assert_eq!((&line["request"]["uri"], &line["upstream_uri"]), (&json!("/a?b=1"), &json!("/a?b=1")));
    assert_eq!(line["request"]["querystring"], json!({ "b": "1" }));
    assert_eq!(
        (&line["request"]["headers"]["authorization"], &line["request"]["headers"]["x-a"]),
        (&json!("REDACTED"), &json!("1"))
    );
    assert_eq!(line["response"]["headers"]["x-kong-request-id"], line["request"]["id"]);
    assert!(line["response"]["headers"]["via"].is_string() && line["response"]["size"].as_u64() > Some(0));
    assert_eq!((&line["route"]["name"], &line["service"]["name"]), (&json!("all"), &json!("tested")));
    assert_eq!((&line["source"], &line["client_ip"]), (&json!("service"), &json!("127.0.0.1")));
    assert!(!fs::read_to_string(&file.0).unwrap().contains("s3cret"));
}

#[tokio::test]
async fn a_request_that_another_plugin_answers_is_logged_with_its_head() {
    let (file, upstream) = (File::new(), echo().await);
    let limit = json!({ "allowed_payload_size": 1, "size_unit": "bytes", "require_content_length": false });
    let edge = Edge::new(
        config(service(upstream)).with(file.plugin()).with(Plugin::new("request-size-limiting", limit)),
    );
    assert_eq!(edge.post("/up", "x-b: 2\r\n", "too much").await.status, 413);
    let line = &file.wait(1).await[0];
    assert_eq!((&line["response"]["status"], &line["source"]), (&json!(413), &json!("exit")));
    assert_eq!((&line["request"]["headers"]["x-b"], &line["tries"]), (&json!("2"), &json!([])));
    assert_eq!(line["upstream_status"], "");
}

#[tokio::test]
async fn an_upstream_that_fails_and_a_client_that_leaves_are_logged() {
    let file = File::new();
    let upstream = Scripted::start(|seen| match seen.path() {
        "/hang" => vec![Step::Hang],
        _ => vec![Step::Close],
    })
    .await;
    let edge = Edge::new(config(service(upstream.address)).with(file.plugin()));
    assert_eq!(edge.get("/broken").await.status, 502);
    let line = &file.wait(1).await[0];
    assert_eq!((&line["source"], &line["response"]["status"]), (&json!("error"), &json!(502)));
    assert!(line["reason"].is_string());
    let mut client = edge.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut client, b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    eventually("the request arrived", || upstream.seen().iter().any(|seen| seen.path() == "/hang")).await;
    drop(client);
    assert_eq!(file.wait(2).await[1]["reason"], "client_closed");
}

#[tokio::test]
async fn a_file_moved_away_is_made_anew_where_reopen_is_on() {
    let (file, moved, upstream) = (File::new(), File::new(), echo().await);
    let plugin = Plugin::new("file-log", json!({ "path": file.0, "reopen": true }));
    let edge = Edge::new(config(service(upstream)).with(plugin));
    edge.get("/one").await;
    file.wait(1).await;
    fs::rename(&file.0, &moved.0).unwrap();
    edge.get("/two").await;
    assert_eq!(file.wait(1).await[0]["request"]["uri"], "/two");
    assert_eq!(moved.lines().len(), 1);
}

#[tokio::test]
async fn what_was_logged_before_a_change_takes_the_log_away_is_in_the_file() {
    let (file, upstream) = (File::new(), echo().await);
    let plain = config(service(upstream));
    let edge = Edge::new(plain.clone().with(file.plugin()));
    for _ in 0..50 {
        edge.get("/").await;
    }
    edge.gateway.reload(&plain).unwrap();
    edge.get("/unlogged").await;
    assert_eq!(file.wait(50).await.len(), 50);
}

#[test]
fn lua_and_a_file_that_cannot_be_are_refused_with_their_field() {
    let refused = |config: Value| {
        let plugin = Plugin::new("file-log", config);
        let problems = Gateway::builder().config(Config::default().with(plugin)).build().err().unwrap();
        problems.to_string()
    };
    for (config, why) in [
        (json!({ "path": "/nowhere/at/all.log", "reopen": false }), "/nowhere/at/all.log"),
        (json!({ "path": "a*b", "reopen": false }), "not a valid filename"),
        (json!({ "reopen": false }), "required field missing"),
        (json!({ "path": "/tmp/x", "custom_fields_by_lua": { "a": "return 1" } }), "there is no Lua here"),
    ] {
        let refusal = refused(config);
        assert!(refusal.contains(why), "{why} in {refusal}");
    }
}
