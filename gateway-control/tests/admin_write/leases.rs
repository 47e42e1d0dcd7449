//! Targets that register themselves, and go when nobody hears of them any more.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use gateway_control::{
    Expire, Refusal,
    store::{Memory, Revision},
};
use serde_json::{Value, json};

use crate::{kit::Node, stores::Failing};

const TARGETS: &str = "/upstreams/pool/targets";

fn with_pool(node: Node) -> Node {
    node.made(
        201,
        "POST",
        "/upstreams",
        &json!({
            "name": "pool", "healthchecks": { "passive": { "unhealthy": { "tcp_failures": 1 } } },
        }),
    );
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "pool" }));
    node.made(201, "POST", "/services/s/routes", &json!({ "name": "r", "paths": ["/r"] }));
    node
}

fn expire(node: &Node) -> (Expire, mpsc::Receiver<Result<usize, Refusal>>) {
    let (sender, receiver) = mpsc::channel();
    let expire = Expire::start(Arc::clone(&node.control), move |result| drop(sender.send(result))).unwrap();
    (expire, receiver)
}

fn is_there(node: &Node, target: &str) -> bool {
    node.get(&format!("{TARGETS}/{target}")).status == 200
}

/// Longer than any of these times.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn what_is_only_tried_or_refused_is_no_sign_of_life() {
    let node = with_pool(Node::stored());
    let body = json!({ "target": "127.0.0.1", "ttl": 1 });
    node.made(201, "POST", TARGETS, &body);
    let (_expire, told) = expire(&node);
    let try_it = || {
        let tried = node.made(200, "POST", &format!("{TARGETS}?dry_run=1"), &body);
        assert_eq!(tried["lint"], json!([]), "there is a store");
        let call = json!({ "method": "POST", "path": TARGETS, "body": body });
        let wrong = json!({ "method": "POST", "path": "/services", "body": {} });
        node.made(200, "POST", "/batch?dry_run=1", &json!({ "operations": [call] }));
        node.made(400, "POST", "/batch", &json!({ "operations": [call, wrong] }));
    };
    let begun = Instant::now();
    let taken = loop {
        assert!(begun.elapsed() < PATIENCE, "it is kept alive");
        try_it();
        if let Ok(taken) = told.recv_timeout(Duration::from_millis(100)) {
            break taken;
        }
    };
    assert!(matches!(taken, Ok(1)), "{taken:?}");
    assert!(!is_there(&node, "127.0.0.1:8000"));
}

#[test]
fn the_same_call_again_is_a_sign_of_life_and_nothing_else() {
    let node = with_pool(Node::stored());
    let body = json!({ "target": "127.0.0.1", "ttl": 30, "weight": 10 });
    let made = node.made(201, "POST", TARGETS, &body);
    assert_eq!((&made["ttl"], &made["target"]), (&json!(30), &json!("127.0.0.1:8000")));
    let put = node.ask("PUT", &format!("{TARGETS}/127.0.0.1:8000/unhealthy"), "", "");
    assert_eq!(put.status, 204, "{}", put.text);

    let revision = node.control.revision();
    let snapshot = node.control.gateway().snapshot();
    node.send("POST", TARGETS, &body).is(200, &made);
    node.made(200, "PUT", &format!("{TARGETS}/127.0.0.1:8000"), &json!({ "ttl": 30, "weight": 10 }));
    node.made(200, "PATCH", &format!("{TARGETS}/127.0.0.1:8000"), &json!({ "ttl": 30 }));
    let form = "target=127.0.0.1:8000&ttl=30&weight=10";
    node.ask("POST", TARGETS, "application/x-www-form-urlencoded", form).is(200, &made);
    let batch = json!({ "operations": [{ "method": "POST", "path": TARGETS, "body": body }] });
    assert_eq!(node.made(200, "POST", "/batch", &batch)["results"][0]["status"], 200);
    assert_eq!(node.control.revision(), revision, "no revision");
    assert!(Arc::ptr_eq(&snapshot, &node.control.gateway().snapshot()), "nothing is compiled");

    let other = node.made(200, "POST", TARGETS, &json!({ "target": "127.0.0.1", "ttl": 30, "weight": 20 }));
    assert_eq!((&other["id"], &other["weight"]), (&made["id"], &json!(20)));
    assert_eq!(node.control.revision(), revision.map(Revision::next), "what differs is a change");
    let health = node.get("/upstreams/pool/health").json();
    assert_eq!(health["data"][0]["health"], "UNHEALTHY", "it goes on as it was: {health}");
}

#[test]
fn targets_without_a_time_are_as_kongs() {
    let node = with_pool(Node::stored());
    let made = node.made(201, "POST", TARGETS, &json!({ "target": "127.0.0.1:1" }));
    assert_eq!(made.get("ttl"), None, "{made}");
    for body in [json!({ "target": "127.0.0.1:1" }), json!({ "target": "127.0.0.1:1", "ttl": 30 })] {
        let refused = node.made(409, "POST", TARGETS, &body);
        assert_eq!(refused["name"], "unique constraint violation", "nobody takes it over");
    }
    node.made(201, "POST", TARGETS, &json!({ "target": "127.0.0.1:2", "ttl": 30 }));
    let refused = node.made(409, "POST", TARGETS, &json!({ "target": "127.0.0.1:2" }));
    assert_eq!(refused["code"], 5);
    for (ttl, message) in
        [(json!(0), "value should be between 1 and 86400"), (json!("soon"), "expected an integer")]
    {
        let refused = node.made(400, "POST", TARGETS, &json!({ "target": "127.0.0.1:3", "ttl": ttl }));
        assert_eq!(refused["fields"], json!({ "ttl": message }));
    }
    let stays = node.made(200, "PATCH", &format!("{TARGETS}/127.0.0.1:2"), &json!({ "ttl": null }));
    assert_eq!(stays.get("ttl"), None, "{stays}");
    let fields = node.get("/schemas/targets").json()["fields"].as_array().unwrap().clone();
    let ttl = fields.iter().find_map(|field| field.get("ttl")).unwrap();
    assert_eq!((&ttl["between"], ttl.get("required")), (&json!([1, 86_400]), None));
}

#[test]
fn one_that_is_silent_goes_and_one_that_is_heard_stays() {
    let node = with_pool(Node::stored());
    let (_expire, expired) = expire(&node);
    let [silent, living] = ["127.0.0.1:1", "127.0.0.1:2"].map(|target| json!({ "target": target, "ttl": 1 }));
    node.made(201, "POST", TARGETS, &living);
    node.made(201, "POST", TARGETS, &silent);
    let end = Instant::now() + PATIENCE;
    while is_there(&node, "127.0.0.1:1") {
        assert!(Instant::now() < end, "it stays");
        node.made(200, "POST", TARGETS, &living);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(matches!(expired.recv_timeout(PATIENCE), Ok(Ok(1))));
    assert!(is_there(&node, "127.0.0.1:2"));
    let newest = &node.get("/history?size=1").json()["data"][0];
    assert_eq!((&newest["who"], &newest["what"]), (&json!("ttl"), &json!("no sign of life")));

    // Nobody speaks for it any more.
    assert!(matches!(expired.recv_timeout(PATIENCE), Ok(Ok(1))));
    assert!(!is_there(&node, "127.0.0.1:2"));
    // It comes back with its next sign, and with what was.
    node.made(201, "POST", TARGETS, &living);
    let before = newest["revision"].as_u64().unwrap() - 1;
    node.made(200, "POST", &format!("/rollback/{before}"), &Value::Null);
    assert!(is_there(&node, "127.0.0.1:1"));
    assert!(matches!(expired.recv_timeout(PATIENCE), Ok(Ok(1..=2))), "both have their time again");
}

#[test]
fn nothing_goes_while_the_store_cannot_be_written() {
    let store = Arc::new(Failing::default());
    let node = with_pool(Node::over(store.clone()));
    let (_expire, expired) = expire(&node);
    node.made(201, "POST", TARGETS, &json!({ "target": "127.0.0.1:1", "ttl": 1 }));
    store.fail(true);
    assert!(matches!(expired.recv_timeout(PATIENCE), Ok(Err(Refusal::Store(_)))));
    assert!(is_there(&node, "127.0.0.1:1"));
    store.fail(false);
    assert!(matches!(expired.recv_timeout(PATIENCE), Ok(Ok(1))));
    assert!(!is_there(&node, "127.0.0.1:1"));
}

#[test]
fn a_start_is_a_sign_and_a_stop_is_heard() {
    let store = Arc::new(Memory::new());
    let first = with_pool(Node::over(store.clone()));
    first.made(201, "POST", TARGETS, &json!({ "target": "127.0.0.1:1", "ttl": 1 }));
    first.made(201, "POST", TARGETS, &json!({ "target": "127.0.0.1:2", "ttl": 86_400 }));
    drop(first);
    let second = Node::over(store);
    let (expire, expired) = expire(&second);
    assert!(is_there(&second, "127.0.0.1:1"));
    assert!(matches!(expired.recv_timeout(PATIENCE), Ok(Ok(1))));
    drop(expire);
    assert!(!is_there(&second, "127.0.0.1:1") && is_there(&second, "127.0.0.1:2"));
}
