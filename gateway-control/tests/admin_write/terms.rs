//! Credentials that count for a time: once it is over they are gone, for all who ask.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gateway_control::Expire;
use serde_json::{Value, json};

use crate::kit::Node;

const GONE: &str = "00000000-0000-4000-8000-000000000001";

/// One whose time is over, and one that has 600 seconds left.
fn file() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    format!(
        "_format_version: '3.0'\nconsumers:\n- username: alice\n  keyauth_credentials:\n  \
         - {{id: {GONE}, key: gone, ttl: 2, created_at: 1700000000}}\n  \
         - {{key: lives, ttl: 1000, created_at: {}}}\n",
        now - 400
    )
}

fn node() -> Node {
    let node = Node::stored();
    let loaded = node.post("/config", "text/yaml", &file());
    assert_eq!(loaded.status, 201, "{}", loaded.text);
    node
}

fn keys(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect()
}

#[track_caller]
fn counts_down(row: &Value, from: u64) {
    let left = row["ttl"].as_u64().unwrap();
    assert!(left <= from && left > from - 60, "{row}");
}

#[test]
fn one_whose_time_is_over_is_not_shown_a8() {
    for node in [node(), Node::serving(&file())] {
        for path in ["/key-auths/gone", "/consumers/alice/key-auth/gone", &format!("/key-auths/{GONE}")] {
            assert_eq!(node.get(path).status, 404, "{path}");
        }
        for path in ["/key-auths", "/consumers/alice/key-auth", "/key-auths?size=1"] {
            let page = node.get(path).json();
            assert_eq!((keys(&page), &page["next"]), (vec!["lives"], &Value::Null), "{path}");
            counts_down(&page["data"][0], 600);
        }
        counts_down(&node.get("/key-auths/lives").json(), 600);
    }
}

#[test]
fn its_key_and_its_id_are_free() {
    let node = node();
    assert_eq!(node.send("PATCH", "/key-auths/gone", &json!({ "ttl": 9 })).status, 404);
    node.gone("/key-auths/gone");
    let made = node.made(201, "POST", "/consumers/alice/key-auth", &json!({ "key": "gone", "ttl": 500 }));
    counts_down(&made, 500);
    assert_ne!(made["id"], GONE);
    assert_eq!(node.send("POST", "/consumers/alice/key-auth", &json!({ "key": "gone" })).status, 409);
    assert_eq!(node.control.config().credentials.len(), 2, "the one before is taken out");

    let node = self::node();
    let made = node.made(201, "POST", "/consumers/alice/key-auth", &json!({ "id": GONE, "key": "k" }));
    assert_eq!((&made["id"], &made["ttl"]), (&json!(GONE), &Value::Null));
    assert!(made["created_at"].as_u64().unwrap() > 1_700_000_000, "{made}");
    let node = self::node();
    let put = node.made(200, "PUT", "/consumers/alice/key-auth/gone", &json!({}));
    assert!(put["created_at"].as_u64().unwrap() > 1_700_000_000, "{put}");
}

#[test]
fn a_ttl_counts_from_when_it_is_said() {
    let node = node();
    let before = node.get("/key-auths/lives");
    let tag = before.header("etag").unwrap().to_owned();
    assert_eq!(node.get("/key-auths/lives").header("etag"), Some(tag.as_str()), "it is about what is kept");
    counts_down(&node.made(200, "PATCH", "/key-auths/lives", &json!({ "ttl": 100 })), 100);
    counts_down(&node.get("/key-auths/lives").json(), 100);
    counts_down(&node.made(200, "PATCH", "/key-auths/lives", &json!({ "tags": ["a"] })), 100);
    let stays = node.made(200, "PATCH", "/key-auths/lives", &json!({ "ttl": null }));
    assert_eq!((&stays["ttl"], &stays["created_at"]), (&Value::Null, &before.json()["created_at"]));
}

#[test]
fn a_ttl_has_a_most_and_no_key_outlives_it_by_being_made_in_the_future() {
    let node = node();
    let most = "value should be between 0 and 100000000";
    let far = json!({ "ttl": 9, "created_at": 4_000_000_000_u64 });
    let future = "must not be in the future where there is a ttl";
    for (body, field, message) in [(json!({ "ttl": 100_000_001 }), "ttl", most), (far, "created_at", future)]
    {
        let refused = node.send("POST", "/consumers/alice/key-auth", &body);
        assert_eq!((refused.status, &refused.json()["fields"][field]), (400, &json!(message)), "{body}");
    }
    let refused = node.send("PATCH", "/key-auths/lives", &json!({ "created_at": 4_000_000_000_u64 }));
    assert_eq!((refused.status, &refused.json()["fields"]["created_at"]), (400, &json!(future)));
    node.made(200, "PATCH", "/key-auths/lives", &json!({ "ttl": null, "created_at": 4_000_000_000_u64 }));
    node.made(201, "POST", "/consumers/alice/key-auth", &json!({ "key": "longest", "ttl": 100_000_000 }));
}

#[test]
fn one_of_long_ago_that_is_given_a_ttl_can_be_imported_again() {
    let node = node();
    node.made(
        201,
        "POST",
        "/consumers/alice/key-auth",
        &json!({ "key": "old", "created_at": 1_300_000_000 }),
    );
    counts_down(&node.made(200, "PATCH", "/key-auths/old", &json!({ "ttl": 100 })), 100);
    let export = node.get("/config").json();
    let again = self::node();
    let loaded = again.post("/config", "text/yaml", export["config"].as_str().unwrap());
    assert_eq!(loaded.status, 201, "{}", loaded.text);
    counts_down(&again.get("/key-auths/old").json(), 100);
}

#[test]
fn it_is_taken_out_of_the_store() {
    let patience = Duration::from_secs(30);
    let node = node();
    node.made(201, "POST", "/consumers/alice/key-auth", &json!({ "key": "short", "ttl": 1 }));
    let (sender, told) = mpsc::channel();
    let expire = Expire::start(Arc::clone(&node.control), move |result| drop(sender.send(result))).unwrap();
    let mut taken = 0;
    while taken < 2 {
        taken += told.recv_timeout(patience).unwrap().unwrap();
    }
    drop(expire);
    assert_eq!((taken, node.control.config().credentials.len()), (2, 1));
    assert_eq!(node.control.gateway().snapshot().config().credentials.len(), 1);
    let newest = &node.get("/history?size=1").json()["data"][0];
    assert_eq!((&newest["who"], &newest["what"]), (&json!("ttl"), &json!("its time is over")));
}
