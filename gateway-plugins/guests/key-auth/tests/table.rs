//! What clients and upstreams see of key-auth (compat P16, P17).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use key_auth::KeyAuth;
use plugin_sdk::testing::{Answer, Gateway, Request, json};

fn gateway(config: serde_json::Value) -> Gateway {
    let gateway = Gateway::new::<KeyAuth>(config).unwrap();
    let alice = |alice: plugin_sdk::testing::Consumer| alice.key("abc").key("a b").custom_id("a-1");
    gateway.consumer("alice", alice).consumer("nobody", |nobody| nobody)
}

fn get(target: &str) -> Request {
    Request::get(target)
}

/// The status, what a refusal says and asks for; of what went through, who the upstream takes it to be from.
fn told(answer: &Answer) -> (u16, String, String) {
    let asks = answer.header("www-authenticate").unwrap_or_default().to_owned();
    let said = match answer.is_forwarded() {
        true => answer.upstream().header("x-consumer-username").unwrap_or_default().to_owned(),
        false => answer.message().unwrap_or_default(),
    };
    (answer.status(), said, asks)
}

const NONE: &str = "No API key found in request";
const WRONG: &str = "Unauthorized";
const TWICE: &str = "Duplicate API key found";

#[test]
fn keys_are_looked_for_and_refused_as_in_kong() {
    let all = json!({ "key_names": ["apikey", "X-Key"], "key_in_body": true });
    let form = |body: &str| {
        Request::post("/", body).header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    };
    let document = |body: &str| Request::post("/", body).header("content-type", "application/json");
    for (config, request, status, said) in [
        (json!({}), get("/"), 401, NONE),
        (json!({}), get("/").header("apikey", ""), 401, NONE),
        (json!({}), get("/?apikey="), 401, NONE),
        (json!({}), get("/?apikey"), 401, NONE),
        (json!({}), get("/").header("apikey", "wrong"), 401, WRONG),
        (json!({}), get("/").header("apikey", "abcd"), 401, WRONG),
        (json!({}), get("/?apikey=wrong"), 401, WRONG),
        (json!({}), get("/").header("apikey", "abc").header("apikey", "abc"), 401, TWICE),
        (json!({}), get("/?apikey=abc&apikey=abc"), 401, TWICE),
        (json!({}), get("/").header("apikey", "abc"), 200, "alice"),
        (json!({}), get("/").header("ApiKey", "abc"), 200, "alice"),
        (json!({}), get("/?x=1&apikey=a+b"), 200, "alice"),
        (json!({}), get("/?x=1&%61pikey=a%20b"), 200, "alice"),
        (json!({}), get("/?APIKEY=abc"), 401, NONE),
        // The field counts before the query.
        (json!({}), get("/?apikey=wrong").header("apikey", "abc"), 200, "alice"),
        (json!({}), get("/?apikey=abc").header("apikey", ""), 401, NONE),
        (json!({ "key_in_header": false }), get("/").header("apikey", "abc"), 401, NONE),
        (json!({ "key_in_header": false }), get("/?apikey=abc").header("apikey", "wrong"), 200, "alice"),
        (json!({ "key_in_query": false }), get("/?apikey=abc"), 401, NONE),
        // The first name that has a key counts.
        (all.clone(), get("/").header("x-key", "abc"), 200, "alice"),
        (all.clone(), get("/").header("x-key", "abc").header("apikey", "wrong"), 401, WRONG),
        (all.clone(), get("/?X-Key=abc"), 200, "alice"),
        (all.clone(), get("/?apikey").header("x-key", "abc"), 200, "alice"),
        (all.clone(), form("a=1&apikey=a+b"), 200, "alice"),
        (all.clone(), form("apikey=abc&apikey=abc"), 401, TWICE),
        (all.clone(), form("a=1"), 401, NONE),
        (all.clone(), document(r#"{"apikey":"abc"}"#), 200, "alice"),
        (all.clone(), document(r#"{"apikey":["abc"]}"#), 401, TWICE),
        (all.clone(), document(r#"{"apikey":7,"X-Key":"abc"}"#), 200, "alice"),
        (all.clone(), document("{"), 401, NONE),
        (all.clone(), Request::post("/", "apikey=abc"), 401, NONE),
        (all.clone(), form("apikey=wrong").header("apikey", "abc"), 200, "alice"),
        (json!({}), form("apikey=abc"), 401, NONE),
        (json!({}), Request::new("OPTIONS", "/"), 401, NONE),
        (json!({ "run_on_preflight": false }), Request::new("OPTIONS", "/"), 200, ""),
        (json!({ "run_on_preflight": false }), get("/"), 401, NONE),
    ] {
        let answer = gateway(config.clone()).send(request.clone());
        let asks = if status == 401 { "Key" } else { "" };
        assert_eq!(told(&answer), (status, said.to_owned(), asks.to_owned()), "{config} {request:?}");
    }
}

#[test]
fn refusals_name_the_realm_and_are_in_the_gateways_own_form() {
    let answer = gateway(json!({ "realm": "myrealm" })).send(get("/"));
    assert_eq!(answer.header("www-authenticate"), Some("Key realm=\"myrealm\""));
    assert!(answer.text().contains("request_id"));
    let answer = gateway(json!({ "realm": "a \"b\"" })).send(get("/"));
    assert_eq!(answer.header("www-authenticate"), Some(r#"Key realm="a \"b\"""#));
}

#[test]
fn the_upstream_is_told_who_calls() {
    let answer =
        gateway(json!({})).send(get("/").header("apikey", "abc").header("x-consumer-username", "bob"));
    let upstream = answer.upstream();
    assert_eq!(upstream.header("x-consumer-username"), Some("alice"));
    assert_eq!(upstream.header("x-consumer-custom-id"), Some("a-1"));
    for field in ["x-consumer-id", "x-credential-identifier"] {
        assert_eq!(upstream.header(field).map(str::len), Some(36), "{field}");
    }
    assert_eq!(upstream.header("x-anonymous-consumer"), None);
    assert_eq!(upstream.header("apikey"), Some("abc"), "it is not hidden");
}

#[test]
fn credentials_are_hidden_wherever_they_stand() {
    let hides = || gateway(json!({ "hide_credentials": true, "key_in_body": true }));
    let answer = hides().send(get("/x?a=b%20c&apikey=1&d").header("apikey", "abc"));
    assert_eq!(answer.upstream().header("apikey"), None);
    assert_eq!(answer.upstream().path_and_query(), "/x?a=b+c&d");
    let answer = hides().send(get("/x?apikey=abc"));
    assert_eq!(answer.upstream().path_and_query(), "/x");
    let answer = hides().send(get("/x?a=b%20c").header("apikey", "abc"));
    assert_eq!(answer.upstream().path_and_query(), "/x?a=b%20c", "what holds no key is left as it is");

    let form =
        Request::post("/", "a=%20&apikey=abc").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(hides().send(form).upstream().text(), "a=+");
    let pieces = Request::post("/", "").pieces([r#"{"api"#, r#"key":"abc","n":1.50}"#]);
    let answer = hides().send(pieces.header("content-type", "application/json"));
    assert_eq!(answer.upstream().text(), r#"{"n":1.50}"#);
    let other = Request::post("/?apikey=abc", "apikey=abc").header("content-type", "text/plain");
    assert_eq!(hides().send(other).upstream().text(), "apikey=abc", "a body that is not read is not changed");
}

#[test]
fn somebody_may_stand_in() {
    let mut open = gateway(json!({ "anonymous": "nobody", "hide_credentials": true }));
    for request in [get("/"), get("/").header("apikey", "wrong"), get("/?apikey=abc&apikey=abc")] {
        let answer = open.send(request);
        assert_eq!(answer.upstream().header("x-consumer-username"), Some("nobody"));
        assert_eq!(answer.upstream().header("x-anonymous-consumer"), Some("true"));
        assert_eq!(answer.upstream().header("x-credential-identifier"), None);
        assert_eq!(answer.upstream().header("apikey"), None);
        assert!(!answer.upstream().path_and_query().contains("apikey"), "nor one of two");
    }
    let answer = open.send(get("/").header("apikey", "abc"));
    assert_eq!(answer.upstream().header("x-consumer-username"), Some("alice"));
    assert_eq!(answer.upstream().header("x-anonymous-consumer"), None);

    let answer = gateway(json!({ "anonymous": "who" })).send(get("/"));
    let message = "anonymous consumer who is configured but doesn't exist";
    assert_eq!((answer.status(), answer.message().as_deref()), (500, Some(message)));
}

/// Several plugins with `anonymous` are alternatives.
#[test]
fn nothing_is_asked_of_who_is_known_already() {
    use plugin_sdk::contract::consumer::{Current, Identity};
    let known = |credential| Identity { consumer: [1; 16], username: None, custom_id: None, credential };
    let gateway = |credential, anonymous: &str| {
        let config = if anonymous.is_empty() { json!({}) } else { json!({ "anonymous": anonymous }) };
        gateway(config).function(move |_: Current| Some(known(credential)))
    };
    let answer = gateway(Some([2; 16]), "nobody").send(get("/").header("apikey", "wrong"));
    assert_eq!((answer.status(), answer.upstream().header("x-consumer-username")), (200, None));
    // Without `anonymous` every plugin must find out.
    assert_eq!(gateway(Some([2; 16]), "").send(get("/")).status(), 401);
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for (config, said) in [
        (
            json!({ "key_names": ["a b"] }),
            "key_names[0]: bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'",
        ),
        (json!({ "key_names": null }), "config.key_names: required field missing"),
        (json!({ "key_in_header": "yes" }), "config.key_in_header: expected a boolean"),
        (json!({ "realm": "a\nb" }), "realm: control characters cannot stand in a header field"),
        (json!({ "header": "x" }), "config.header: unknown field"),
    ] {
        let refusal = Gateway::new::<KeyAuth>(config).err().unwrap_or_default();
        assert!(refusal.ends_with(said), "{refusal}");
    }
}
