//! Batches, the history, the way back, a whole file as one change.

use std::sync::Arc;

use gateway_control::{
    Control,
    store::{Memory, Note, Revision, Store as _},
};
use gateway_core::{
    Gateway,
    config::{Change, Service},
};
use serde_json::{Value, json};

use crate::{feed::events, kit::Node};

#[test]
fn a_batch_is_made_as_a_whole_or_not_at_all() {
    let node = Node::stored();
    let operation =
        |method: &str, path: &str, body: Value| json!({ "method": method, "path": path, "body": body });
    let good = json!({ "operations": [
        operation("PUT", "/services/s", json!({ "host": "h" })),
        operation("PUT", "/services/s/routes/r", json!({ "paths": ["/r"] })),
        operation("POST", "/routes/r/plugins", json!({ "name": "cors" })),
        operation("DELETE", "/services/none", json!({})),
    ] });
    let answer = node.send("POST", "/batch", &good);
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    let statuses: Vec<_> =
        body["results"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [200, 200, 201, 204]);
    assert_eq!(answer.header("gateway-revision"), Some("1"), "one revision for all");

    let bad = json!({ "operations": [
        operation("PATCH", "/services/s", json!({ "port": 81 })),
        operation("POST", "/services", json!({ "name": "s", "host": "h" })),
    ] });
    let refused = node.send("POST", "/batch", &bad);
    let body = refused.json();
    assert_eq!(
        (refused.status, &body["index"], &body["body"]["code"]),
        (409, &json!(1), &json!(5)),
        "{body}"
    );
    assert_eq!(node.get("/services/s").json()["port"], 80);
    assert_eq!(node.control.revision().unwrap().get(), 1);
    for body in
        [json!({}), json!({ "operations": [{ "method": "PUT" }] }), json!({ "operations": [], "x": 1 })]
    {
        assert_eq!(node.send("POST", "/batch", &body).status, 400, "{body}");
    }
    let many: Vec<_> = (0..=10_000).map(|_| operation("DELETE", "/services/none", json!({}))).collect();
    node.send("POST", "/batch", &json!({ "operations": many }))
        .is(400, &json!({ "message": "a batch has at most 10000 operations" }));
    let nowhere = json!({ "operations": [operation("POST", "/status", json!({}))] });
    assert_eq!(node.send("POST", "/batch", &nowhere).status, 404);
}

#[test]
fn every_change_is_remembered_and_can_be_undone() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    node.made(200, "PATCH", "/services/s", &json!({ "port": 81 }));
    node.gone("/services/s");
    let history = node.get("/history").json();
    let data = history["data"].as_array().unwrap();
    let told: Vec<_> = data
        .iter()
        .map(|one| (one["revision"].clone(), one["what"].clone(), one["entities"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(3), json!("DELETE /services/s"), json!(1)),
            (json!(2), json!("PATCH /services/s"), json!(1)),
            (json!(1), json!("POST /services"), json!(1)),
        ]
    );
    assert_eq!(data[0]["who"], "127.0.0.1");
    let page = node.get("/history?size=2").json();
    assert_eq!(page["next"], "/history?before=2&size=2");
    let last = node.get("/history?before=2&size=2").json();
    assert_eq!((&last["data"][0]["revision"], &last["next"]), (&json!(1), &Value::Null));
    let half = node.get("/history?before=3&size=1").json();
    assert_eq!(half["next"], "/history?before=2&size=1");
    assert_eq!(node.get("/history?before=2&size=1").json()["next"], Value::Null, "a full page, and the last");
    let second = node.get("/history/2").json();
    assert_eq!(second["differences"][0]["fields"], json!([{ "name": "port", "values": [80, 81] }]));
    assert_eq!(node.get("/history/9").status, 404);

    let back = node.send("POST", "/rollback/2", &json!({}));
    assert_eq!((back.status, back.header("gateway-revision")), (200, Some("4")), "{}", back.text);
    assert_eq!(node.get("/services/s").json()["port"], 81);
    assert_eq!(node.control.gateway().snapshot().config().services.len(), 1);
    assert_eq!(node.send("POST", "/rollback/9", &json!({})).status, 404);
    let tried = node.made(200, "POST", "/rollback/0?dry_run=1", &json!({}));
    assert_eq!(tried["differences"][0]["what"], "goes");
    assert_eq!(node.get("/services/s").status, 200);
}

#[test]
fn history_feed_and_trial_tell_no_secret() {
    let node = Node::stored();
    node.made(201, "POST", "/consumers", &json!({ "username": "alice" }));
    node.made(200, "PUT", "/consumers/alice/key-auth/s3cret-key", &json!({}));
    let basic = json!({ "username": "al", "password": "s3cret-word" });
    let basic = node.made(201, "POST", "/consumers/alice/basic-auth", &basic);
    node.made(200, "PATCH", "/key-auths/s3cret-key", &json!({ "key": "s3cret-other" }));
    let hash = basic["password"].as_str().unwrap();
    let tried = node.made(200, "DELETE", "/key-auths/s3cret-other?dry_run=1", &json!({}));
    let mut told = vec![tried.to_string(), node.get("/history").text];
    told.extend((1..=4).map(|revision| node.get(&format!("/history/{revision}")).text));
    told.extend(events(&node, "?since=0", 4).into_iter().map(|(_, event)| event.to_string()));
    for text in told {
        assert!(!text.contains("s3cret") && !text.contains(hash), "{text}");
    }
}

#[test]
fn a_file_takes_the_place_of_everything_in_one_revision() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "old", "host": "h" }));
    let loaded = node.post("/config", "text/yaml", crate::kit::KONG);
    assert_eq!((loaded.status, loaded.header("gateway-revision")), (201, Some("2")), "{}", loaded.text);
    assert_eq!(loaded.json()["services"].as_object().unwrap().len(), 2);
    assert_eq!(node.get("/services/old").status, 404);
    let made = node.get("/services/users").json();
    assert!(made["created_at"].as_u64().unwrap() > 1_700_000_000, "a file says no times");
    let again = node.post("/config", "text/yaml", crate::kit::KONG);
    assert_eq!((again.status, again.header("gateway-revision")), (201, Some("2")), "the same is no change");
    let checked = node.post("/config?check_hash=1", "text/yaml", crate::kit::KONG);
    assert_eq!((checked.status, checked.text.as_str()), (304, ""), "M7");
    let port = crate::kit::KONG.replace("9101/base", "9109/base");
    assert_eq!(node.post("/config", "text/yaml", &port).status, 201);
    let changed = node.get("/services/users").json();
    assert_eq!((&changed["port"], &changed["created_at"]), (&json!(9109), &made["created_at"]));
    let refused = node.post("/config", "text/yaml", "_format_version: '3.0'\nservices: [{name: x}]\n");
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(14)));
    assert_eq!(node.control.revision().unwrap().get(), 3);
    let shown = node.get("/config").json()["config"].as_str().unwrap().to_owned();
    assert_eq!(
        node.post("/config", "text/yaml", &shown).header("gateway-revision"),
        Some("3"),
        "it round-trips"
    );
}

#[test]
fn the_last_page_of_a_history_that_has_forgotten_leads_nowhere() {
    let (store, mut revision) = (Memory::new(), Revision::new(0));
    let mut service = Service::new("s", "h");
    for port in 1..=1_003 {
        service.port = port;
        let mut change = Change::default();
        change.services.insert(service.id, Some(service.clone().into()));
        revision = store.write(revision, &change, &Note::new("a test", "one more")).unwrap();
    }
    let node = Node::over(Arc::new(store));
    let mut next = json!("/history?size=100");
    let mut seen = 0;
    while let Some(path) = next.as_str() {
        let page = node.get(path).json();
        let data = page["data"].as_array().unwrap();
        assert!(!data.is_empty(), "{path} leads to an empty page");
        seen += data.len();
        next = page["next"].clone();
    }
    assert_eq!(seen, 1_000);
}

#[test]
fn without_a_store_there_is_no_batch_history_or_feed() {
    let node = Node::of(Control::new(Gateway::builder().build().unwrap()));
    for (method, path) in [
        ("POST", "/batch"),
        ("GET", "/history"),
        ("GET", "/history/1"),
        ("POST", "/rollback/1"),
        ("GET", "/changes"),
    ] {
        let answer = node.send(method, path, &json!({ "operations": [] }));
        assert_eq!((answer.status, &answer.json()["code"]), (405, &json!(12)), "{method} {path}");
    }
}
