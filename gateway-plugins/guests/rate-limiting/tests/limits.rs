//! Limits and what clients are told of them, by the rows of docs/compat/proxy.md.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use plugin_sdk::{
    contract::ratelimit::{Check, Decision, State},
    testing::{Answer, Gateway, Request, json},
};
use rate_limiting::RateLimiting;

fn gateway(config: plugin_sdk::serde_json::Value) -> Gateway {
    Gateway::new::<RateLimiting>(config).unwrap()
}

fn told(answer: &Answer) -> Vec<(String, String)> {
    let fields = answer.headers().filter(|(name, _)| name.contains("ratelimit") || *name == "retry-after");
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_is_left_is_told_with_each_answer() {
    // compat P18
    let mut gateway = gateway(json!({ "minute": 3, "hour": 10 }));
    gateway.pass(Duration::from_secs(48));
    let answer = gateway.send(Request::get("/"));
    assert_eq!(answer.status(), 200);
    assert_eq!(
        told(&answer),
        fields(&[
            ("x-ratelimit-limit-minute", "3"),
            ("x-ratelimit-remaining-minute", "2"),
            ("x-ratelimit-limit-hour", "10"),
            ("x-ratelimit-remaining-hour", "9"),
            ("ratelimit-limit", "3"),
            ("ratelimit-remaining", "2"),
            ("ratelimit-reset", "12"),
        ])
    );
}

#[test]
fn what_is_refused_says_when_to_come_back_and_counts_in_no_window() {
    // compat P19
    let mut gateway = gateway(json!({ "minute": 1, "hour": 3 }));
    gateway.pass(Duration::from_secs(48));
    gateway.send(Request::get("/"));
    let answer = gateway.send(Request::get("/"));
    assert_eq!((answer.status(), answer.is_forwarded()), (429, false));
    assert_eq!(answer.message().as_deref(), Some("API rate limit exceeded"));
    assert!(answer.text().contains("request_id"), "{}", answer.text());
    assert_eq!(
        told(&answer),
        fields(&[
            ("x-ratelimit-limit-minute", "1"),
            ("x-ratelimit-remaining-minute", "0"),
            ("x-ratelimit-limit-hour", "3"),
            ("x-ratelimit-remaining-hour", "2"),
            ("ratelimit-limit", "1"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "12"),
            ("retry-after", "12"),
        ])
    );
    gateway.pass(Duration::from_secs(12));
    let answer = gateway.send(Request::get("/"));
    assert_eq!((answer.status(), answer.header("x-ratelimit-remaining-hour")), (200, Some("1")));
}

#[test]
fn every_window_counts() {
    let config = json!({ "second": 1, "minute": 2, "hour": 3, "day": 4, "month": 5, "year": 6 });
    let mut gateway = gateway(config);
    let answer = gateway.send(Request::get("/"));
    for (window, limit) in [("second", 1), ("minute", 2), ("hour", 3), ("day", 4), ("month", 5), ("year", 6)]
    {
        let field = |word: &str| answer.header(&format!("x-ratelimit-{word}-{window}")).unwrap().to_owned();
        assert_eq!((field("limit"), field("remaining")), (limit.to_string(), (limit - 1).to_string()));
    }
    assert_eq!(answer.header("ratelimit-limit"), Some("1"));
}

#[test]
fn every_window_ends_with_the_clocks() {
    // 2026-12-31T23:59:59Z
    const LAST: u64 = 1_798_761_599;
    for window in ["second", "minute", "hour", "day", "month", "year"] {
        let mut gateway = gateway(json!({ window: 1 })).at(LAST);
        assert_eq!(gateway.send(Request::get("/")).header("ratelimit-reset"), Some("1"), "{window}");
        let answer = gateway.send(Request::get("/"));
        assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("1")), "{window}");
        gateway.pass(Duration::from_secs(1));
        assert_eq!(gateway.send(Request::get("/")).status(), 200, "{window}");
    }
}

#[test]
fn refusals_say_what_the_configuration_says_and_clients_may_be_told_nothing() {
    // compat P19
    let config =
        json!({ "minute": 1, "error_code": 418, "error_message": "Later", "hide_client_headers": true });
    let mut gateway = gateway(config);
    let answer = gateway.send(Request::get("/"));
    assert_eq!((answer.status(), told(&answer)), (200, vec![]));
    let answer = gateway.send(Request::get("/"));
    assert_eq!((answer.status(), answer.message().as_deref()), (418, Some("Later")));
    assert_eq!(told(&answer), []);
}

#[test]
fn a_status_that_no_refusal_has_is_an_error() {
    let mut gateway = gateway(json!({ "minute": 1, "error_code": 200 }));
    gateway.send(Request::get("/"));
    assert_eq!(gateway.send(Request::get("/")).status(), 500);
}

#[test]
fn requests_are_counted_by_what_the_configuration_says() {
    let get = || Request::get("/a");
    for (config, one, other, same) in [
        (
            json!({ "limit_by": "ip" }),
            get().client_ip("10.0.0.1"),
            get().client_ip("10.0.0.2"),
            get().client_ip("10.0.0.1").header("x-user", "b"),
        ),
        (
            json!({ "limit_by": "header", "header_name": "X-User" }),
            get().header("x-user", "a"),
            get().header("x-user", "b"),
            get().header("x-user", "a").client_ip("10.0.0.2"),
        ),
        (
            // Without the field, by address.
            json!({ "limit_by": "header", "header_name": "X-User" }),
            get().client_ip("2001:db8::1"),
            get().client_ip("2001:db8:0:1::1"),
            get().client_ip("2001:db8::2"),
        ),
        (
            json!({ "limit_by": "path", "path": "/a" }),
            get(),
            Request::get("/b"),
            Request::get("/a?b").client_ip("10.0.0.2"),
        ),
        (
            // Nobody is known here, so by address, too.
            json!({ "limit_by": "consumer" }),
            get().client_ip("10.0.0.1"),
            get().client_ip("10.0.0.2"),
            get().client_ip("10.0.0.1"),
        ),
    ] {
        let mut whole = json!({ "minute": 1 });
        whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let mut gateway = gateway(whole);
        assert_eq!(gateway.send(one).status(), 200, "{config}");
        assert_eq!(gateway.send(other).status(), 200, "{config}");
        assert_eq!(gateway.send(same).status(), 429, "{config}");
    }
}

#[test]
fn consumers_and_credentials_are_counted_wherever_they_come_from() {
    use plugin_sdk::contract::consumer::{Current, Identity};
    for (limit_by, refused) in [("consumer", true), ("credential", false)] {
        let mut number = 0_u8;
        let mut gateway =
            gateway(json!({ "minute": 1, "limit_by": limit_by })).function(move |_: Current| {
                number += 1;
                Some(Identity {
                    consumer: [7; 16],
                    username: None,
                    custom_id: None,
                    credential: Some([number; 16]),
                })
            });
        assert_eq!(gateway.send(Request::get("/").client_ip("10.0.0.1")).status(), 200);
        let status = gateway.send(Request::get("/").client_ip("10.0.0.2")).status();
        assert_eq!(status == 429, refused, "{limit_by}");
    }
}

#[test]
fn services_are_counted_by_their_ids() {
    let mut gateway =
        gateway(json!({ "minute": 1, "limit_by": "service" })).property(&["service", "id"], "a");
    assert_eq!(gateway.send(Request::get("/").client_ip("10.0.0.1")).status(), 200);
    assert_eq!(gateway.send(Request::get("/").client_ip("10.0.0.2")).status(), 429);
}

#[test]
fn a_redis_server_is_asked_for_each_request_unless_counts_are_kept_here() {
    for (rate, waits) in [(json!(-1), true), (json!(0.5), false), (json!(2), false)] {
        let config = json!({ "minute": 2, "policy": "redis", "redis_host": "cache", "sync_rate": rate });
        let late = Duration::from_millis(5);
        let decision = Decision { allowed: true, windows: vec![State { limit: 2, remaining: 1, reset: 9 }] };
        let mut gateway =
            gateway(config.clone()).slow_function(late, move |_: Check<'static>| Some(decision.clone()));
        // What comes late is not waited for where counts are kept here.
        let answer = gateway.send(Request::get("/"));
        assert_eq!((answer.status(), !told(&answer).is_empty()), (200, waits), "{config}");
    }
}

#[test]
fn what_cannot_be_counted_passes_or_not_as_the_configuration_says() {
    for (tolerant, status) in [(true, 200), (false, 500)] {
        let config = json!({ "minute": 1, "policy": "redis", "redis": { "host": "cache" }, "fault_tolerant": tolerant });
        let mut gateway = gateway(config).slow_function(Duration::from_millis(5), |_: Check<'static>| None);
        let answer = gateway.send(Request::get("/"));
        assert_eq!((answer.status(), told(&answer)), (status, vec![]));
        assert_eq!(answer.is_forwarded(), tolerant);
    }
}

#[test]
fn the_window_with_the_least_left_is_told_of_and_of_two_the_longer() {
    let states = |minute, hour| {
        vec![
            State { limit: 9, remaining: minute, reset: 12 },
            State { limit: 90, remaining: hour, reset: 1_200 },
        ]
    };
    for (minute, hour, limit) in [(3, 5, "9"), (5, 3, "90"), (4, 4, "90")] {
        let decision = Decision { allowed: true, windows: states(minute, hour) };
        let mut gateway = gateway(json!({ "minute": 9, "hour": 90 }))
            .function(move |_: Check<'static>| Some(decision.clone()));
        assert_eq!(gateway.send(Request::get("/")).header("ratelimit-limit"), Some(limit));
    }
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    // compat A38
    for (config, refused) in [
        (json!({}), "at least one of these fields must be non-empty: "),
        (json!({ "minute": 0 }), "config.minute: value must be greater than 0"),
        (
            json!({ "minute": 10, "second": 20 }),
            "The limit for minute(10.0) cannot be lower than the limit for second(20.0)",
        ),
        (
            json!({ "minute": 10.25, "year": 10.2 }),
            "The limit for year(10.2) cannot be lower than the limit for minute(10.2)",
        ),
        (json!({ "minute": 1, "policy": "cluster" }), "config.policy: expected one of: local, redis"),
        (json!({ "minute": 1, "policy": "redis" }), "redis.host: required field missing"),
        (json!({ "minute": 1, "limit_by": "header" }), "header_name: required field missing"),
        (json!({ "minute": 1, "limit_by": "path" }), "path: required field missing"),
        (json!({ "minute": 1, "redis_port": 65_536 }), "value should be between 0 and 65535"),
    ] {
        let said = Gateway::new::<RateLimiting>(config.clone()).unwrap_err();
        assert!(said.contains(refused), "{config}: {said}");
    }
}
