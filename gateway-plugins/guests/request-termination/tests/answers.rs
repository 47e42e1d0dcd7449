//! What is answered, by the rows of docs/compat/proxy.md.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use plugin_sdk::{
    serde_json::{self, Value},
    testing::{Answer, Gateway, Request, json},
};
use request_termination::RequestTermination;

fn send(config: Value, request: Request) -> Answer {
    Gateway::new::<RequestTermination>(config).unwrap().send(request)
}

#[test]
fn the_answer_is_the_configurations() {
    // compat P26
    let json = "application/json; charset=utf-8";
    for (config, status, kind, body) in [
        (json!({}), 503, json, r#"{"message":"Service unavailable"}"#),
        (json!({ "status_code": 404 }), 404, json, r#"{"message":"Not found"}"#),
        (json!({ "status_code": 418 }), 418, "", ""),
        (json!({ "message": "Be \"right\" back" }), 503, json, r#"{"message":"Be \"right\" back"}"#),
        (
            json!({ "body": "<p>x</p>", "content_type": "text/html", "status_code": 200 }),
            200,
            "text/html; charset=UTF-8",
            "<p>x</p>",
        ),
        (json!({ "body": "{}", "content_type": "application/json" }), 503, "application/json", "{}"),
        (json!({ "body": "x" }), 503, "", "x"),
    ] {
        let answer = send(config.clone(), Request::get("/"));
        assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{config}");
        assert_eq!(
            (answer.header("content-type").unwrap_or_default(), answer.is_forwarded()),
            (kind, false),
            "{config}"
        );
    }
}

#[test]
fn only_requests_with_the_trigger_are_answered() {
    let config = || json!({ "trigger": "X-Stop" });
    assert_eq!(send(config(), Request::get("/")).status(), 200);
    assert_eq!(send(config(), Request::get("/").header("x-stop", "")).status(), 503);
    assert_eq!(send(config(), Request::get("/?X-Stop")).status(), 503);
    assert_eq!(send(config(), Request::get("/?x=X-Stop")).status(), 200);
}

#[test]
fn an_echo_shows_the_request() {
    let request = Request::post("/a?b=1&b=2&c", "x=1&y=z")
        .header("content-type", "application/x-www-form-urlencoded")
        .host("a.example:8000");
    let answer = send(json!({ "echo": true, "status_code": 200, "message": "seen" }), request);
    let shown: Value = serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!(shown["message"], "seen");
    let request = &shown["request"];
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/a")));
    assert_eq!((&request["host"], &request["port"]), (&json!("a.example"), &json!(8000)));
    assert_eq!(request["query"], json!({ "b": ["1", "2"], "c": true }));
    assert_eq!(request["body"], json!({ "x": "1", "y": "z" }));
    assert_eq!(request["raw_body"], "x=1&y=z");
    assert_eq!(request["headers"]["content-type"], "application/x-www-form-urlencoded");
}

#[test]
fn what_cannot_stand_together_is_refused_in_kongs_words() {
    for (config, refused) in [
        (json!({ "message": "a", "body": "b" }), "message cannot be used with content_type or body"),
        (json!({ "content_type": "text/plain" }), "content_type requires a body"),
        (json!({ "echo": true, "body": "b" }), "echo cannot be used with content_type and body"),
        (json!({ "status_code": 99 }), "config.status_code: value should be between 100 and 599"),
    ] {
        let said = Gateway::new::<RequestTermination>(config).unwrap_err();
        assert!(said.ends_with(refused), "{said}");
    }
}
