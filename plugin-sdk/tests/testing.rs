//! The testing kit, phase by phase and function by function.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::{cell::RefCell, rc::Rc, time::Duration};

use plugin_sdk::{
    contract::Call as _,
    log::Level,
    metrics::Counter,
    prelude::*,
    ratelimit::{Algorithm, Limiter, Period, Store, Window},
    testing::{Gateway, Request as Get, Response as Scripted, json},
};

/// Everything that a test may want to see.
#[config(mutually_exclusive = ["minute", "redis"])]
pub struct Config {
    /// Requests a minute.
    #[field(between = (1, 10))]
    minute: Option<u64>,
    /// The same, counted elsewhere.
    #[field(greater_than = 0)]
    redis: Option<u64>,
    /// A group.
    group: Option<String>,
    /// Seconds between ticks.
    #[field(default = 0)]
    tick: u64,
}

pub struct Front {
    config: Config,
    limiter: Option<Limiter>,
    seen: Counter,
}

#[plugin(name = "front", priority = 900)]
impl Front {
    fn configure(config: Config) -> Result<Self, String> {
        let window = |limit| vec![Window { period: Period::Minute, limit }];
        let limiter = |limit, store| Limiter::new("requests", Algorithm::Fixed, window(limit), store);
        let redis = plugin_sdk::ratelimit::Redis {
            host: "redis",
            port: 6379,
            timeout: 1000,
            username: None,
            password: None,
            database: 0,
            tls: false,
            verify: true,
            server_name: None,
            sync: None,
        };
        let limiter = match (config.minute, config.redis) {
            (Some(limit), _) => Some(limiter(limit, Store::Local).map_err(|error| error.to_string())?),
            (_, Some(limit)) => Some(limiter(limit, Store::Redis(redis)).map_err(|error| error.to_string())?),
            _ => None,
        };
        if config.group.as_deref() == Some("nobody") {
            return Err("config.group: nobody is in it".to_owned());
        }
        if config.tick > 0 {
            time::tick_every(Duration::from_secs(config.tick));
        }
        Ok(Self { config, limiter, seen: Counter::new("seen").map_err(|error| error.to_string())? })
    }

    async fn on_request(&self, request: &mut Request) -> Result<(), Reply> {
        self.seen.increment();
        request.remove_header("x-internal");
        request.set_header("content-length", "9");
        let key = request.header("apikey").unwrap_or_default();
        let known = consumer::by_key(consumer::Kind::Key, &key).unwrap();
        if let Some(group) = &self.config.group
            && !consumer::groups().unwrap().contains(group)
        {
            let status = if known.is_some() { 403 } else { 401 };
            return Err(Reply::refuse(status, "You cannot consume this service").header("x-why", "acl"));
        }
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let decision = limiter.check(&request.client_ip(), 1).await.unwrap().unwrap();
        let window = decision.windows[0];
        request.set_response_header("ratelimit-remaining", &window.remaining.to_string());
        if !decision.allowed {
            let reset = window.reset.to_string();
            return Err(Reply::refuse(429, "API rate limit exceeded").header("retry-after", reset));
        }
        Ok(())
    }

    fn on_request_body(&self, _: &mut Request, body: &mut Chunk) -> Flow {
        if !body.is_end() {
            return Flow::Hold;
        }
        let upper = body.bytes().to_ascii_uppercase();
        if upper.is_empty() {
            return Reply::new(411).into();
        }
        body.replace(&upper);
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response) {
        response.add_header("via", "front");
        let _ = var::set("status", response.status().to_string().as_bytes());
    }

    fn on_response_body(&self, _: &mut Response, body: &mut Chunk) {
        let reversed: Vec<u8> = body.bytes().into_iter().rev().collect();
        body.replace(&reversed);
    }

    fn on_log(&self, log: &Log) {
        let status = String::from_utf8(var::get("status").unwrap().unwrap()).unwrap();
        info!("{} {status} {}", log.request_header(":path").unwrap(), log.status());
    }

    fn on_tick(&self) {
        info!("tick at {}", time::now().as_secs() % 60);
    }
}

fn front(config: serde_json::Value) -> Gateway {
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
    assert_eq!(answer.upstream().header("x-consumer-custom-id"), Some("spoofed"), "nobody is known");
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
    let body: Vec<u8> = answer.body().iter().rev().copied().collect();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["message"], "You cannot consume this service");
    assert_eq!(body["request_id"].as_str().map(str::len), Some(32));
    assert_eq!((answer.header("x-why"), answer.header("via")), (Some("acl"), Some("front")));
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
        Scripted::new(201).pieces(["abc", "de"]).header("via", "upstream")
    });
    let answer = gateway.send(Get::put("/", "").pieces(["on", "e"]));
    assert_eq!(*seen.borrow(), "ONE");
    assert_eq!((answer.status(), answer.text().as_str()), (201, "cbaed"));
    assert_eq!(answer.headers().filter(|(name, _)| *name == "via").count(), 2);
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
            "config: these sets are mutually exclusive: ('minute'), ('redis')",
        ),
        (json!({ "group": "nobody" }), "config.group: nobody is in it"),
    ] {
        assert_eq!(Gateway::new::<Front>(config).unwrap_err(), refused);
    }
}

#[test]
fn ticks_come_as_time_passes() {
    let mut gateway = front(json!({ "tick": 20 }));
    gateway.pass(Duration::from_secs(50));
    let lines: Vec<_> = gateway.lines().into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["tick at 20", "tick at 40"]);
}

#[test]
fn an_upstream_that_fails_is_a_bad_gateway() {
    let answer = front(json!({})).upstream(|_| Scripted::failure()).send(Get::get("/"));
    assert_eq!((answer.status(), answer.header("via")), (502, Some("front")));
}

#[test]
fn a_function_that_a_test_scripts_takes_the_place_of_the_kits_own() {
    use plugin_sdk::contract::consumer::Groups;
    assert_eq!(Groups::NAME, "gateway.consumer.groups");
    let mut gateway = front(json!({ "group": "admins" })).function(|_: Groups| vec!["users", "admins"]);
    assert_eq!(gateway.send(Get::get("/")).status(), 200);
}
