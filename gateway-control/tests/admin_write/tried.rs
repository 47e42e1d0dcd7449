//! What is only tried, and what has to be right though it takes no effect.

use gateway_control::store::Revision;
use serde_json::json;

use crate::kit::Node;

#[test]
fn what_is_only_tried_changes_nothing_and_says_all() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let before = node.control.revision();
    let tried = node.made(200, "PATCH", "/services/s?dry_run=1", &json!({ "port": 81 }));
    assert_eq!(
        (&tried["dry_run"], &tried["status"], &tried["body"]["port"]),
        (&json!(true), &json!(200), &json!(81))
    );
    let id = tried["body"]["id"].clone();
    let port = json!({ "name": "port", "values": [80, 81] });
    let change = json!({ "what": "changes", "kind": "services", "id": id, "name": "s", "fields": [port] });
    assert_eq!(tried["differences"], json!([change]));
    let route = json!({ "paths": ["/a"], "hosts": ["a.t"] });
    node.made(201, "POST", "/services/s/routes", &route);
    let twin = node.made(200, "POST", "/services/s/routes?dry_run=1", &route);
    assert!(!twin["lint"].as_array().unwrap().is_empty(), "a twin is doubtful: {twin}");
    let refused = node.send("POST", "/services?dry_run=1", &json!({}));
    assert_eq!(refused.status, 400);
    let file = "_format_version: '3.0'\n";
    let all = node.post("/config?dry_run=1", "text/yaml", file).json();
    assert_eq!(all["differences"].as_array().unwrap().len(), 2);
    assert_eq!(node.get("/services/s").json()["port"], 80);
    assert_eq!(node.control.revision().map(Revision::get), before.map(|before| before.get() + 1));
}

#[test]
fn a_change_whose_dry_run_is_mistyped_is_not_made() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let before = node.control.revision();
    let batch = json!({ "operations": [{ "method": "DELETE", "path": "/services/s" }] });
    for value in ["", "2", "-58800", "yes", "TRUE"] {
        for (method, path, body) in [
            ("POST", "/services", json!({ "host": "h" })),
            ("PATCH", "/services/s", json!({ "port": 81 })),
            ("DELETE", "/services/s", json!({})),
            ("POST", "/batch", batch.clone()),
            ("POST", "/rollback/0", json!({})),
            ("POST", "/config", json!({ "_format_version": "3.0" })),
        ] {
            let answer = node.send(method, &format!("{path}?dry_run={value}"), &body);
            let message = "dry_run must be one of: 0, 1, false, true";
            assert_eq!((answer.status, &answer.json()["message"]), (400, &json!(message)), "{method} {path}");
        }
    }
    for value in ["1", "true"] {
        let tried = node.made(200, "DELETE", &format!("/services/s?dry_run={value}"), &json!({}));
        assert_eq!((&tried["dry_run"], &tried["status"]), (&json!(true), &json!(204)));
    }
    assert_eq!(node.control.revision(), before);
    node.made(200, "PATCH", "/services/s?dry_run=0", &json!({ "port": 81 }));
    assert_eq!(node.send("DELETE", "/services/s?dry_run=false", &json!({})).status, 204);
}

#[test]
fn what_takes_no_effect_has_to_be_right_all_the_same() {
    let node = Node::stored();
    let id = node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }))["id"].clone();
    for fields in [json!({ "updated_at": "" }), json!({ "updated_at": -1 }), json!({ "id": "x" })] {
        let mut whole = fields.clone();
        whole["host"] = "h".into();
        assert_eq!(node.send("PATCH", "/services/s", &fields).status, 400, "{fields}");
        assert_eq!(node.send("PUT", "/services/s", &whole).status, 400, "{fields}");
        assert_eq!(node.send("POST", "/services", &whole).status, 400, "{fields}");
    }
    let other = json!({ "id": "0c5e7d2e-5d36-4a4c-9a5e-0d8a3c1b2f4d", "updated_at": 1, "created_at": 5 });
    let changed = node.made(200, "PATCH", "/services/s", &other);
    assert_eq!((&changed["id"], &changed["created_at"]), (&id, &json!(5)));
    assert!(changed["updated_at"].as_u64().unwrap() > 1);
    node.made(201, "POST", "/consumers", &json!({ "username": "c" }));
    for (method, path, fields) in [
        ("POST", "/consumers/c/acls", json!({ "group": "g", "consumer": 5 })),
        ("POST", "/consumers/c/acls", json!({ "group": "g", "consumer": {} })),
        ("PUT", "/consumers/c/acls/g", json!({ "group": ["g"] })),
        ("PUT", "/services/s", json!({ "name": 5, "host": "h" })),
        ("PUT", "/services/s", json!({ "name": "a b", "host": "h" })),
    ] {
        let refused = node.send(method, path, &fields);
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(2)), "{method} {path} {fields}");
    }
    let fields = json!({ "group": "other", "consumer": "nobody" });
    let group = node.made(200, "PUT", "/consumers/c/acls/g", &fields);
    assert_eq!(group["group"], "g", "the path says it");
    let tags = json!({ "tags": ["a", "b", "a"], "created_at": null });
    let changed = node.made(200, "PATCH", "/services/s", &tags);
    assert_eq!((&changed["tags"], &changed["created_at"]), (&json!(["a", "b"]), &json!(5)));
}
