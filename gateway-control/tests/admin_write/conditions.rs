//! `If-Match` and `If-None-Match` (RFC 9110 13.1): nobody overwrites what they have not seen.

use gateway_control::store::Revision;
use serde_json::{Value, json};

use crate::kit::{Answer, KONG, Node};

fn matching(node: &Node, method: &str, path: &str, condition: &str, body: &Value) -> Answer {
    let fields = format!("Host: {}\r\nContent-Type: application/json\r\n{condition}\r\n", node.address);
    node.ask_with(method, path, &fields, &body.to_string())
}

#[test]
fn a_change_is_made_only_on_top_of_what_was_seen() {
    let node = Node::stored();
    let made = node.send("POST", "/services", &json!({ "name": "s", "host": "h" }));
    let tag = made.header("etag").unwrap().to_owned();
    assert_eq!(made.header("gateway-revision"), Some("1"));
    assert_eq!(node.get("/services/s").header("etag"), Some(tag.as_str()));
    node.made(201, "POST", "/services", &json!({ "name": "other", "host": "h" }));

    let seen = format!("If-Match: {tag}");
    let changed = matching(&node, "PATCH", "/services/s", &seen, &json!({ "port": 81 }));
    assert_eq!(changed.status, 200, "others do not matter: {}", changed.text);
    let late = matching(&node, "PATCH", "/services/s", &seen, &json!({ "port": 82 }));
    assert_eq!(late.status, 412, "{}", late.text);
    assert_eq!(node.get("/services/s").json()["port"], 81);
    let whole = node.get("/services").header("etag").unwrap().to_owned();
    assert_eq!(whole, "\"3\"");
    let whole = format!("If-Match: {whole}");
    assert_eq!(matching(&node, "POST", "/services", &whole, &json!({ "host": "h" })).status, 201);
    assert_eq!(matching(&node, "DELETE", "/services/other", &whole, &json!({})).status, 412);
    let new = "If-None-Match: *";
    assert_eq!(matching(&node, "PUT", "/services/s", new, &json!({ "host": "h" })).status, 412);
    assert_eq!(matching(&node, "PUT", "/services/t", new, &json!({ "host": "h" })).status, 200);
}

#[test]
fn what_is_wrong_is_told_before_what_has_changed() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let stale = |method: &str, path: &str, body: &Value| {
        matching(&node, method, path, "If-Match: \"0\"", body).status
    };
    assert_eq!(stale("PATCH", "/services/s", &json!({ "port": "x" })), 400, "RFC 9110 13.2.1");
    assert_eq!(stale("PATCH", "/services/none", &json!({ "port": 81 })), 404);
    assert_eq!(stale("PATCH", "/services/s", &json!({ "port": 81 })), 412);
    assert_eq!(stale("POST", "/batch", &json!({ "operations": [{ "method": "GET", "path": "/" }] })), 404);
    assert_eq!(stale("POST", "/batch", &json!({ "operations": [] })), 412);
    assert_eq!(stale("DELETE", "/services/s", &json!({})), 412);
    let service = node.get("/services/s").json();
    assert_eq!((&service["port"], node.control.revision().map(Revision::get)), (&json!(80), Some(1)));
}

#[test]
fn whatever_is_there_will_do_and_nothing_will_not() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    node.made(201, "POST", "/services/s/routes", &json!({ "name": "r", "paths": ["/r"] }));
    node.made(201, "POST", "/consumers", &json!({ "username": "alice" }));
    node.made(201, "POST", "/consumer_groups", &json!({ "name": "g" }));
    let any =
        |method: &str, path: &str, body: &Value| matching(&node, method, path, "If-Match: *", body).status;
    let file = json!({ "_format_version": "3.0", "services": [{ "name": "s", "host": "h" }] });
    let operation =
        |path: &str| json!({ "method": "PUT", "path": path, "body": { "host": "h" }, "if_match": "*" });
    for (method, path, body, status) in [
        ("PATCH", "/services/s", json!({ "port": 81 }), 200),
        ("PATCH", "/routes/r/service", json!({ "port": 82 }), 200),
        ("PUT", "/services/none", json!({ "host": "h" }), 412),
        ("DELETE", "/services/none", json!({}), 412),
        ("POST", "/services", json!({ "name": "t", "host": "h" }), 201),
        ("DELETE", "/consumer_groups/g/consumers/alice", json!({}), 412),
        ("POST", "/consumer_groups/g/consumers", json!({ "consumer": "alice" }), 201),
        ("DELETE", "/consumer_groups/g/consumers/alice", json!({}), 204),
        ("POST", "/batch", json!({ "operations": [operation("/services/s")] }), 200),
        ("POST", "/batch", json!({ "operations": [operation("/services/none")] }), 412),
        ("POST", "/config", file, 201),
        ("POST", "/rollback/1", json!({}), 200),
        ("POST", "/rollback/99", json!({}), 404),
    ] {
        assert_eq!(any(method, path, &body), status, "{method} {path}");
    }
    let absent = matching(&node, "POST", "/batch", "If-None-Match: *", &json!({ "operations": [] }));
    assert_eq!(absent.status, 412, "everything is always there: {}", absent.text);
}

#[test]
fn one_of_several_tags_will_do_and_a_weak_one_is_for_what_must_not_be() {
    let node = Node::stored();
    let made = node.send("POST", "/services", &json!({ "name": "s", "host": "h" }));
    let tag = made.header("etag").unwrap();
    let patch = |condition: &str| {
        let answer = matching(&node, "PATCH", "/services/s?dry_run=1", condition, &json!({ "port": 81 }));
        (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    for condition in [
        format!("If-Match: \"x,y\", {tag}"),
        format!("If-Match: \"x\"\r\nIf-Match: {tag}"),
        "If-Match: W/\"1\" , \"1\"".to_owned(),
        "If-None-Match: \"x\", \"y\"".to_owned(),
    ] {
        assert_eq!(patch(&condition).0, 200, "{condition}");
    }
    for (condition, status, message) in [
        (format!("If-Match: W/{tag}"), 412, "it has changed meanwhile: the newest revision is 1"),
        ("If-Match:".to_owned(), 412, "it has changed meanwhile: the newest revision is 1"),
        (format!("If-None-Match: W/{tag}"), 412, "it has not changed: the newest revision is 1"),
        ("If-None-Match: *".to_owned(), 412, "it is there already: the newest revision is 1"),
        ("If-Match: 1".to_owned(), 400, "if-match has to be * or tags in quotes, as \"1\""),
    ] {
        assert_eq!(patch(&condition), (status, message.to_owned()), "{condition}");
    }
}

#[test]
fn everything_has_a_tag_with_a_store_and_without() {
    for node in [Node::stored(), Node::serving(KONG)] {
        let file = json!({ "_format_version": "3.0", "services": [{ "name": "s", "host": "h" }] });
        let seen = node.get("/config").header("etag").unwrap().to_owned();
        let load = |tag: &str, query: &str| {
            matching(&node, "POST", &format!("/config{query}"), &format!("If-Match: {tag}"), &file)
        };
        assert_eq!(load(&seen, "?dry_run=1").status, 200);
        assert_eq!(load("*", "?dry_run=1").status, 200);
        let made = load(&seen, "");
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(node.get("/config").header("etag"), made.header("etag"));
        let late = load(&seen, "");
        assert_eq!(late.status, 412, "{}", late.text);
        assert_eq!(load(&seen, "?dry_run=1").status, 412);
        let wrong = format!("If-Match: {seen}");
        let refused = matching(&node, "POST", "/config", &wrong, &json!({ "services": 7 }));
        assert_eq!(refused.status, 400, "what is wrong is told first: {}", refused.text);
    }
}

#[test]
fn who_has_it_already_is_not_told_it_again() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    node.made(201, "POST", "/services/s/routes", &json!({ "name": "r", "paths": ["/r"] }));
    node.made(201, "POST", "/consumer_groups", &json!({ "name": "g" }));
    let read =
        |method: &str, path: &str, condition: &str| matching(&node, method, path, condition, &json!({}));
    for path in ["/services/s", "/services", "/routes/r/service", "/config"] {
        let tag = node.get(path).header("etag").unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let again = read("GET", path, &format!("If-None-Match: {known}"));
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}: {known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        assert_eq!(read("HEAD", path, &format!("If-None-Match: {tag}")).status, 304);
        assert_eq!(read("GET", path, "If-None-Match: \"x\"").status, 200);
        assert_eq!(read("GET", path, &format!("If-Match: {tag}")).status, 200);
        assert_eq!(read("GET", path, "If-Match: \"x\"").status, 412);
        assert_eq!(read("GET", path, "If-None-Match: x").status, 400);
    }
    assert_eq!(read("GET", "/services/none", "If-None-Match: x").status, 404, "RFC 9110 13.2.1");
    let group = node.get("/consumer_groups/g").header("etag").unwrap().to_owned();
    let again = read("GET", "/consumer_groups/g", &format!("If-None-Match: {group}"));
    assert_eq!(again.status, 200, "the members that it shows may be others");
    assert_eq!(read("GET", "/status", "If-None-Match: *").status, 200, "it has no tag");
}
