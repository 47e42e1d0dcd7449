//! What becomes of answers.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use plugin_sdk::{
    serde_json::{self, Value},
    testing::{Answer, Gateway, Request, Response, json},
};
use response_transformer::ResponseTransformer;

fn send(config: &Value, answer: Response) -> Answer {
    let mut gateway =
        Gateway::new::<ResponseTransformer>(config.clone()).unwrap().upstream(move |_| answer.clone());
    gateway.send(Request::get("/"))
}

fn upstream() -> Response {
    Response::new(200).header("x-a", "1").header("x-a", "2").header("x-b", "3")
}

/// The fields that rules are about here; the gateway writes others.
const OWN: [&str; 3] = ["x-a", "x-b", "x-c"];

#[test]
fn header_fields_are_removed_renamed_replaced_added_and_appended_in_this_order() {
    // compat A10
    for (config, expected) in [
        (json!({ "remove": { "headers": ["X-A", "none"] } }), vec![("x-b", "3")]),
        (json!({ "rename": { "headers": ["x-a:X-C"] } }), vec![("x-b", "3"), ("x-c", "1"), ("x-c", "2")]),
        (json!({ "rename": { "headers": ["none:x-b"] } }), vec![("x-a", "1"), ("x-a", "2"), ("x-b", "3")]),
        (json!({ "replace": { "headers": ["x-a:9", "x-c:9"] } }), vec![("x-a", "9"), ("x-b", "3")]),
        (
            json!({ "add": { "headers": ["x-a:9", "x-c:12:30"] } }),
            vec![("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-c", "12:30")],
        ),
        (
            json!({ "append": { "headers": ["x-b:9"] } }),
            vec![("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-b", "9")],
        ),
        (
            json!({
                "remove": { "headers": ["x-a"] }, "rename": { "headers": ["x-b:x-a"] },
                "replace": { "headers": ["x-a:4"] }, "add": { "headers": ["x-b:5"] }, "append": { "headers": ["x-a:6"] },
            }),
            vec![("x-a", "4"), ("x-a", "6"), ("x-b", "5")],
        ),
    ] {
        let answer = send(&config, upstream());
        let mut fields: Vec<_> = answer.headers().filter(|(name, _)| OWN.contains(name)).collect();
        fields.sort();
        assert_eq!(fields, expected, "{config}");
    }
}

#[test]
fn an_answer_to_head_does_not_tell_the_length_of_a_body_that_would_be_changed() {
    let length = |config: Value, kind: &str| {
        let answer = Response::new(200).header("content-type", kind).header("content-length", "7");
        let mut gateway =
            Gateway::new::<ResponseTransformer>(config).unwrap().upstream(move |_| answer.clone());
        gateway.send(Request::new("HEAD", "/")).header("content-length").map(str::to_owned)
    };
    assert_eq!(length(json!({ "add": { "json": ["b:1"] } }), "application/json"), None);
    assert_eq!(length(json!({ "add": { "json": ["b:1"] } }), "text/plain").as_deref(), Some("7"));
    assert_eq!(length(json!({ "add": { "headers": ["b:1"] } }), "application/json").as_deref(), Some("7"));
}

fn changed(config: &Value, body: &str) -> String {
    let answer = Response::new(200).header("content-type", "application/json; charset=utf-8").body(body);
    send(config, answer).text()
}

#[test]
fn members_of_json_objects_are_changed_in_the_same_order() {
    let body = r#"{"a":"1","b":[1],"c":true,"d":2}"#;
    for (config, expected) in [
        (json!({ "remove": { "json": ["a", "none"] } }), json!({ "b": [1], "c": true, "d": 2 })),
        (json!({ "rename": { "json": ["a:b", "none:d"] } }), json!({ "b": "1", "c": true, "d": 2 })),
        (
            json!({ "replace": { "json": ["a:x:y", "none:1"] } }),
            json!({ "a": "x:y", "b": [1], "c": true, "d": 2 }),
        ),
        (
            json!({ "add": { "json": ["a:9", "e:9", "f:1.5", "g:true", "h:7", "i:x"],
                "json_types": ["string", "string", "number", "boolean", "number", "number"] } }),
            json!({ "a": "1", "b": [1], "c": true, "d": 2, "e": "9", "f": 1.5, "g": true, "h": 7 }),
        ),
        (
            json!({ "append": { "json": ["a:9", "b:9", "d:9", "e:9"] } }),
            json!({ "a": ["1", "9"], "b": [1, "9"], "c": true, "d": ["9"], "e": ["9"] }),
        ),
    ] {
        let text = changed(&config, body);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{config}");
    }
}

#[test]
fn what_is_no_json_object_stays_as_it_is() {
    let config = json!({ "add": { "json": ["a:1"] } });
    for body in ["[1]", "{", "null", "\"x\""] {
        assert_eq!(changed(&config, body), body);
    }
    for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
        let answer =
            Response::new(200).header(name, value).header("content-type", "application/json").body("{}");
        let answer = send(&config, answer);
        assert_eq!(answer.text(), "{}", "{name}");
    }
}

#[test]
fn json_in_pieces_is_put_together() {
    let answer = Response::new(200).header("content-type", "application/json").pieces(["{\"a\"", ":1", "}"]);
    assert_eq!(send(&json!({ "add": { "json": ["b:2"] } }), answer).text(), r#"{"a":1,"b":"2"}"#);
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    let refused =
        Gateway::new::<ResponseTransformer>(json!({ "add": { "json_types": ["date"] } })).unwrap_err();
    assert_eq!(refused, "config.add.json_types[0]: expected one of: boolean, number, string");
}
