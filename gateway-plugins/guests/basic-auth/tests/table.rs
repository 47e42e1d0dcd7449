//! What clients and upstreams see of basic-auth (compat P21).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::{cell::Cell, rc::Rc, time::Duration};

use basic_auth::BasicAuth;
use plugin_sdk::{
    consumer::Kind,
    contract::crypto::{Password, VerifyPassword},
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};

fn gateway(config: Value) -> Gateway {
    let gateway = Gateway::new::<BasicAuth>(config).unwrap();
    gateway.consumer("alice", |alice| alice.basic("al", "open:sesame")).consumer("nobody", |nobody| nobody)
}

const GOOD: &str = "Basic YWw6b3BlbjpzZXNhbWU=";
const WRONG: &str = "Basic YWw6d3Jvbmc=";
const STRANGER: &str = "Basic ZXZlOm9wZW46c2VzYW1l";

fn get() -> Request {
    Request::get("/")
}

fn told(answer: &Answer) -> (u16, String) {
    let who =
        |answer: &Answer| answer.upstream().header("x-consumer-username").unwrap_or_default().to_owned();
    let said = if answer.is_forwarded() { who(answer) } else { answer.message().unwrap_or_default() };
    (answer.status(), said)
}

#[test]
fn credentials_are_looked_for_and_refused_as_in_kong() {
    for (request, expected) in [
        (get(), (401, "Unauthorized")),
        (get().header("authorization", ""), (401, "Unauthorized")),
        (get().header("authorization", "Basic"), (401, "Unauthorized")),
        (get().header("authorization", "Basic !"), (401, "Unauthorized")),
        (get().header("authorization", "Bearer YWw6b3BlbjpzZXNhbWU="), (401, "Unauthorized")),
        (get().header("authorization", WRONG), (401, "Unauthorized")),
        (get().header("authorization", STRANGER), (401, "Unauthorized")),
        (get().header("authorization", GOOD), (200, "alice")),
        (get().header("proxy-authorization", GOOD), (200, "alice")),
        // Of two the first one whose user is known counts.
        (get().header("authorization", GOOD).header("proxy-authorization", STRANGER), (200, "alice")),
        (get().header("authorization", GOOD).header("proxy-authorization", WRONG), (401, "Unauthorized")),
        // The upstream might go by the other one.
        (get().header("authorization", GOOD).header("authorization", STRANGER), (401, "Unauthorized")),
    ] {
        let answer = gateway(json!({})).send(request.clone());
        assert_eq!(told(&answer), (expected.0, expected.1.to_owned()), "{request:?}");
        let asks = (expected.0 == 401).then_some("Basic realm=\"service\"");
        assert_eq!(answer.header("www-authenticate"), asks, "{request:?}");
        assert_eq!(answer.text().contains("request_id"), expected.0 == 401, "in the gateway's own form");
    }
    let answer = gateway(json!({ "realm": "mine" })).send(get());
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"mine\""));
}

#[test]
fn the_upstream_is_told_who_calls() {
    let answer = gateway(json!({})).send(get().header("authorization", GOOD));
    assert_eq!(answer.upstream().header("x-credential-identifier"), Some("al"));
    assert_eq!(answer.upstream().header("x-consumer-username"), Some("alice"));
    assert_eq!(answer.upstream().header("authorization"), Some(GOOD));
}

#[test]
fn credentials_are_hidden() {
    let mut hides = gateway(json!({ "hide_credentials": true }));
    let both = get().header("authorization", GOOD).header("proxy-authorization", STRANGER);
    let answer = hides.send(both);
    assert_eq!(answer.upstream().header("authorization"), None);
    assert_eq!(answer.upstream().header("proxy-authorization"), None);
}

#[test]
fn somebody_may_stand_in() {
    let mut open = gateway(json!({ "anonymous": "nobody" }));
    for request in [get(), get().header("authorization", WRONG)] {
        let answer = open.send(request);
        assert_eq!(answer.upstream().header("x-consumer-username"), Some("nobody"));
        assert_eq!(answer.upstream().header("x-anonymous-consumer"), Some("true"));
    }
    assert_eq!(told(&open.send(get().header("authorization", GOOD))), (200, "alice".to_owned()));
}

#[test]
fn slow_hashes_are_waited_for() {
    for (good, status) in [(true, 200), (false, 401)] {
        let verified = Password { credential: [7; 16], known: true, good };
        let verify = move |_: VerifyPassword<'static>| verified;
        let known =
            json!({ "id": "07070707-0707-0707-0707-070707070707", "username": "slow", "password": "?" });
        let gateway = gateway(json!({})).consumer("slow", |slow| slow.credential(Kind::Basic, known));
        let mut gateway = gateway.slow_function(Duration::from_millis(300), verify);
        assert_eq!(gateway.send(get().header("authorization", GOOD)).status(), status);
    }
}

/// Whoever sends two names learns nothing by how many passwords are verified: each may take long.
#[test]
fn one_password_is_verified_whoever_calls() {
    for first in [WRONG, STRANGER] {
        let asked = Rc::new(Cell::new(0));
        let counted = Rc::clone(&asked);
        let verify = move |_: VerifyPassword<'static>| {
            counted.set(counted.get() + 1);
            Password::default()
        };
        let both = get().header("proxy-authorization", first).header("authorization", STRANGER);
        assert_eq!(gateway(json!({})).function(verify).send(both).status(), 401);
        assert_eq!(asked.get(), 1, "{first}");
    }
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for (config, said) in [
        (json!({ "realm": null }), "config.realm: required field missing"),
        (json!({ "hide_credentials": 1 }), "config.hide_credentials: expected a boolean"),
        (json!({ "key_names": ["a"] }), "config.key_names: unknown field"),
    ] {
        let refusal = Gateway::new::<BasicAuth>(config).err().unwrap_or_default();
        assert!(refusal.ends_with(said), "{refusal}");
    }
}
