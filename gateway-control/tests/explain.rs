//! `POST /explain` over a real socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use kit::{KONG, Node};
use serde_json::json;

const JSON: &str = "application/json";

#[test]
fn the_running_configuration_explains_a_request() {
    let node = Node::serving(KONG);
    let question = json!({ "url": "http://a.example/users/7?x=1", "headers": { "x-version": "2" }, "source": "10.0.0.7" });
    let answer = node.post("/explain", JSON, &question.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text);
    let report = answer.json();
    assert_eq!(report["routing"]["taken"]["route"]["name"], "users");
    assert_eq!(report["routing"]["taken"]["path"], "/users");
    assert_eq!(report["upstream"]["url"], "http://127.0.0.1:9101/base/7?x=1");
    assert_eq!(report["request"]["client"], "10.0.0.7");
    assert_eq!(report["plugins"][0]["name"], "cors");
    assert_eq!(
        (&report["endpoints"][0]["eligible"], &report["endpoints"][0]["weight"]),
        (&json!(true), &json!(100))
    );

    let moved = KONG.replace("[/users]", "[/people]");
    assert_eq!(node.post("/config", "text/yaml", &moved).status, 201);
    let report = node.post("/explain", JSON, &question.to_string()).json();
    assert_eq!(
        (&report["outcome"]["routed"], &report["outcome"]["reason"]),
        (&json!(false), &json!("no_route"))
    );
    assert_eq!(report["routing"]["missed"][0]["failed"]["says"], "/people is not a prefix of /users/7");
}

#[test]
fn a_consumer_is_taken_by_name_and_has_to_be_there() {
    let node = Node::serving(KONG);
    let ask = |consumer: &str| {
        let question = json!({ "url": "a.example/users", "method": "PUT", "consumer": consumer });
        node.post("/explain", JSON, &question.to_string())
    };
    assert_eq!(ask("alice").json()["request"]["consumer"]["name"], "alice");
    ask("bob").is(400, &json!({ "message": "consumer: there is no consumer `bob`" }));
}

#[test]
fn what_is_no_question_is_400() {
    let node = Node::serving(KONG);
    node.post("/explain", JSON, "{").is(400, &json!({ "message": "Cannot parse JSON body" }));
    let message = |body: &str| {
        let answer = node.post("/explain", JSON, body);
        assert_eq!(answer.status, 400);
        answer.json()["message"].as_str().unwrap().to_owned()
    };
    assert!(message(r#"{"url": "ftp://a"}"#).starts_with("url: "));
    assert!(message(r#"{"verb": "GET"}"#).contains("unknown field `verb`"));
    assert!(message("{}").contains("missing field `url`"));
    assert_eq!(node.get("/explain").status, 405);
}
