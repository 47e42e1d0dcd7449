// The testing kit, phase by phase and function by function; and the testbed, where a built plugin is asked for.

use std::{cell::RefCell, rc::Rc, time::Duration};

use plugin_sdk::{
    contract::Call as _,
    log::Level,
    serde_json::Value,
    testing::{Gateway, Request as Get, Response as Scripted, json},
};
use trial::Front;

fn front(config: Value) -> Gateway {
    Gateway::new::<Front>(config).unwrap()
}

#[test]
fn who_is_known_is_introduced_to_the_upstream() {
    let mut gateway = front(json!({}))
        .consumer("alice", |alice| alice.custom_id("a-1").key("abc"))
        .consumer("bob", |bob| bob.key("xyz"));
    let spoofed = |key| {
        let request = Get::get("/").header("apikey", key).header("x-consumer-custom-id", "spoofed");
        request.header("x-anonymous-consumer", "true").header("x-internal", "1")
    };
    let answer = gateway.send(spoofed("abc"));
    let upstream = answer.upstream();
    assert_eq!(upstream.header("x-consumer-username"), Some("alice"));
    assert_eq!(upstream.header("x-consumer-custom-id"), Some("a-1"));
    assert_eq!(upstream.header("x-consumer-id").map(str::len), Some(36));
    assert_eq!(upstream.header("x-credential-identifier").map(str::len), Some(36));
    assert_eq!(upstream.header("x-anonymous-consumer"), None);
    assert_eq!(upstream.header("x-internal"), None);
    assert_eq!(upstream.header("content-length"), None, "what frames a message is the gateway's");
    let answer = gateway.send(spoofed("xyz"));
    assert_eq!(answer.upstream().header("x-consumer-username"), Some("bob"));
    assert_eq!(answer.upstream().header("x-consumer-custom-id"), None, "bob has none");
    let answer = gateway.send(spoofed("wrong"));
    assert_eq!(answer.upstream().header("x-consumer-custom-id"), None, "nobody is known");
    assert_eq!(gateway.metric("seen"), Some(3));
}

#[test]
fn a_refusal_has_the_gateways_form_and_goes_through_the_answers_phases() {
    let mut gateway = front(json!({ "group": "admins" }))
        .consumer("alice", |alice| alice.key("abc").group("admins"))
        .consumer("bob", |bob| bob.key("xyz").group("users"));
    assert_eq!(gateway.send(Get::get("/").header("apikey", "abc")).status(), 200);
    let answer = gateway.send(Get::get("/private").header("apikey", "xyz"));
    assert_eq!((answer.status(), answer.is_forwarded()), (403, false));
    let text = answer.text();
    assert!(text.contains(r#""MESSAGE":"YOU CANNOT CONSUME THIS SERVICE""#), "{text}");
    assert!(text.contains(r#""REQUEST_ID":""#), "{text}");
    assert_eq!((answer.header("x-why"), answer.header("x-front")), (Some("acl"), Some("seen")));
    assert_eq!(gateway.lines().last().unwrap(), &(Level::Info, "/private 403 403".to_owned()));
}

#[test]
fn a_limit_is_kept_until_the_clock_says_otherwise() {
    for config in [json!({ "minute": 2 }), json!({ "redis": 2 })] {
        let mut gateway = front(config);
        let remaining = |gateway: &mut Gateway, ip| {
            let answer = gateway.send(Get::get("/").client_ip(ip));
            (answer.status(), answer.header("ratelimit-remaining").unwrap().to_owned())
        };
        assert_eq!(remaining(&mut gateway, "10.0.0.1"), (200, "1".to_owned()));
        assert_eq!(remaining(&mut gateway, "10.0.0.1"), (200, "0".to_owned()));
        assert_eq!(remaining(&mut gateway, "2001:db8::1"), (200, "1".to_owned()), "somebody else");
        gateway.pass(Duration::from_secs(15));
        let answer = gateway.send(Get::get("/").client_ip("10.0.0.1"));
        assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("45")));
        gateway.pass(Duration::from_secs(45));
        assert_eq!(remaining(&mut gateway, "10.0.0.1"), (200, "1".to_owned()));
    }
}

#[test]
fn bodies_are_seen_piece_by_piece_and_may_be_held() {
    let seen = Rc::new(RefCell::new(String::new()));
    let upstream = Rc::clone(&seen);
    let mut gateway = front(json!({})).upstream(move |request| {
        *upstream.borrow_mut() = request.text();
        Scripted::new(201).pieces(["abc", "de"]).header("x-front", "upstream")
    });
    let answer = gateway.send(Get::put("/", "").pieces(["on", "e"]));
    assert_eq!(*seen.borrow(), "ONE");
    assert_eq!((answer.status(), answer.text().as_str()), (201, "ABCDE"));
    assert_eq!(answer.headers().filter(|(name, _)| *name == "x-front").count(), 2);
    assert_eq!(gateway.send(Get::post("/", "two")).upstream().text(), "TWO");
    let answer = gateway.send(Get::put("/", "").pieces([""; 0]));
    assert_eq!((answer.status(), answer.is_forwarded()), (411, false), "a body phase may answer");
}

#[test]
fn configurations_are_refused_as_the_gateway_refuses_them() {
    for (config, refused) in [
        (json!({ "minute": 11 }), "config.minute: value should be between 1 and 10"),
        (
            json!({ "minutes": 1, "redis": 0 }),
            "config.minutes: unknown field\nconfig.redis: value must be greater than 0",
        ),
        (
            json!({ "minute": 1, "redis": 1 }),
            "these sets are mutually exclusive: ('config.minute'), ('config.redis')",
        ),
        (json!({ "group": "nobody" }), "config: group: nobody is in it"),
    ] {
        assert_eq!(Gateway::new::<Front>(config).unwrap_err(), refused);
    }
}

#[test]
fn ticks_come_as_time_passes() {
    let mut gateway = front(json!({ "tick": 20 }));
    // The gateway ticks from the first request on.
    gateway.send(Get::get("/"));
    gateway.pass(Duration::from_secs(50));
    let ticks = gateway.lines().into_iter().filter(|(_, line)| line == "tick");
    assert_eq!(ticks.count(), 2);
}

#[test]
fn an_upstream_that_fails_is_a_bad_gateway() {
    let answer = front(json!({})).upstream(|_| Scripted::failure()).send(Get::get("/"));
    assert_eq!((answer.status(), answer.header("x-front")), (502, Some("seen")));
}

#[test]
fn a_function_that_a_test_scripts_takes_the_place_of_the_kits_own() {
    use plugin_sdk::contract::consumer::Groups;
    assert_eq!(Groups::NAME, "gateway.consumer.groups");
    let mut gateway = front(json!({ "group": "admins" })).function(|_: Groups| vec!["users", "admins"]);
    assert_eq!(gateway.send(Get::get("/")).status(), 200);
}
