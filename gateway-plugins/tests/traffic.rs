//! The bundled plugins of traffic and transformation in a gateway on a real socket: what the testbed of their own tests
//! does not have, which is routes, services, a Redis server, and the gateway's own check of configurations.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;
#[path = "../src/redis/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{net::SocketAddr, sync::LazyLock};

use gateway_core::{
    Gateway,
    config::{Config, Plugin, Route},
    plugin::Registry,
    server::{Running, Server, Settings},
};
use gateway_plugins::Plugins;
use http::{HeaderValue, Request};
use serde_json::{Value, json};

use kit::{Answer, ask, echo, empty, request, serve, to, whole};

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Plugins::new().unwrap().bundled(Registry::empty()).unwrap());

/// A gateway with plugins on its one route, and an upstream that says what it was sent.
struct Front {
    address: SocketAddr,
    _running: Running,
}

async fn front(path: &str, plugins: &[(&str, Value)]) -> Front {
    let mut service = to("echo", serve(echo).await);
    service.path = Some("/base".to_owned());
    let mut route = Route::new("all").to(&service);
    route.paths = Some(vec![path.into()]);
    let config = Config::default().with(service).with(route);
    let config =
        plugins.iter().fold(config, |config, (name, own)| config.with(Plugin::new(name, own.clone())));
    let gateway = Gateway::builder().config(config).plugins(REGISTRY.clone()).build();
    let gateway = gateway.unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut settings = Settings::default();
    settings.workers = 1;
    let bound = Server::new(settings).listen(([127, 0, 0, 1], 0).into()).bind().unwrap();
    let address = bound.addresses()[0];
    let running = bound.start(move |worker| gateway.serve(worker)).unwrap();
    Front { address, _running: running }
}

impl Front {
    async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path)).await
    }

    async fn ask(&self, request: http::request::Builder) -> Answer {
        let request: Request<_> = request.body(empty()).unwrap();
        tokio::time::timeout(kit::PATIENCE, ask(self.address, request)).await.unwrap()
    }
}

/// What the gateway says of a configuration that it refuses.
fn refused(name: &str, config: Value) -> String {
    let config = Config::default().with(Plugin::new(name, config));
    let built = Gateway::builder().config(config).plugins(REGISTRY.clone()).build();
    let problems = built.map(drop).unwrap_err();
    problems.to_string()
}

#[tokio::test]
async fn limits_are_told_and_kept() {
    // compat P18, P19
    let front = front("/", &[("rate-limiting", json!({ "day": 2, "year": 9 }))]).await;
    for remaining in ["1", "0"] {
        let answer = front.get("/").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-day"), "2");
        assert_eq!(answer.header("x-ratelimit-remaining-day"), remaining);
        assert_eq!(answer.header("ratelimit-remaining"), remaining);
        assert!((1..=86_400).contains(&answer.header("ratelimit-reset").parse::<u32>().unwrap()));
    }
    let answer = front.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-remaining-year")), (429, "7"));
    assert!(answer.text.contains("API rate limit exceeded") && answer.text.contains("request_id"));
    assert_eq!(answer.header("retry-after"), answer.header("ratelimit-reset"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_kept_in_a_redis_server_by_its_old_names_too() {
    let Some(mut server) = server::RedisServer::start(&[]) else { return };
    let config = |tolerant| {
        json!({ "year": 2, "policy": "redis", "redis_host": "127.0.0.1", "redis_port": server.port,
            "redis_timeout": 2_000, "fault_tolerant": tolerant })
    };
    let (one, other) = (config(true), config(false));
    let one = front("/", &[("rate-limiting", one)]).await;
    let strict = front("/", &[("rate-limiting", other)]).await;
    assert_eq!(one.get("/").await.header("x-ratelimit-remaining-year"), "1");
    assert_eq!(one.get("/").await.header("x-ratelimit-remaining-year"), "0");
    assert_eq!(one.get("/").await.status, 429);
    assert_eq!(keys(server.port).await, ["year"], "those of Kong, so that its nodes count in the same");
    server.kill();
    let answer = one.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.header("ratelimit-limit")), (200, ""));
    assert_eq!(strict.get("/").await.status, 500);
}

/// The periods of all keys, each of which is one of Kong's for the client of this test.
async fn keys(port: u16) -> Vec<String> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let none = "00000000-0000-0000-0000-000000000000";
    let period = |key: String| {
        let rest = key.strip_prefix(&format!("ratelimit:{none}:{none}:127.0.0.1:"));
        let (start, period) = rest.and_then(|rest| rest.split_once(':')).unwrap_or_else(|| panic!("{key}"));
        assert!(start.ends_with("00000"), "{start}: milliseconds");
        period.to_owned()
    };
    keys.into_iter().map(period).collect()
}

#[tokio::test]
async fn a_large_body_has_the_time_it_takes() {
    let front = front("/", &[("request-transformer", json!({ "remove": { "body": ["role"] } }))]).await;
    let body = format!(r#"{{"role":"admin","x":[{}1]}}"#, "1,".repeat(500_000));
    let posted = request("POST", "/").header("content-type", "application/json").body(whole(&body)).unwrap();
    let answer = tokio::time::timeout(kit::PATIENCE, ask(front.address, posted)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(!answer.text.contains("role"), "what is removed does not go up with a large body");
}

#[tokio::test]
async fn a_body_of_nothing_but_lists_costs_no_instance() {
    let lists = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let body = |times| format!(r#"{{"role":"admin","x":[{}{lists}]}}"#, format!("{lists},").repeat(times));
    let whole_of = body(4_000);
    assert!(whole_of.len() > 900_000 && whole_of.len() < 1 << 20);
    let post = async |front: &Front, body: &str| {
        let posted = request("POST", "/").header("content-type", "application/json").body(whole(body));
        tokio::time::timeout(kit::PATIENCE, ask(front.address, posted.unwrap())).await.unwrap()
    };
    let transform = json!({ "remove": { "body": ["role"] } });
    let transformed = post(&front("/", &[("request-transformer", transform)]).await, &whole_of).await;
    assert_eq!(transformed.status, 200);
    assert!(transformed.text.contains(&lists) && !transformed.text.contains("role"));

    let echo = front("/", &[("request-termination", json!({ "echo": true, "status_code": 200 }))]).await;
    // It is shown twice, and an answer has a bound.
    let shown = post(&echo, &body(1_900)).await;
    assert_eq!((shown.status.as_u16(), shown.text.contains(&lists)), (200, true));
    let refused = post(&echo, &whole_of).await;
    assert_eq!((refused.status.as_u16(), &*refused.text), (500, "An unexpected error occurred"));
}

#[tokio::test]
async fn a_body_that_cannot_be_written_does_not_go_up_as_it_was() {
    let more = format!("more:{}", "m".repeat(60_000));
    let config = json!({ "remove": { "body": ["role"] }, "add": { "body": [more] } });
    let front = front("/", &[("request-transformer", config)]).await;
    let body = format!(r#"{{"role":"admin","x":"{}"}}"#, "x".repeat(1_000_000));
    let posted = request("POST", "/").header("content-type", "application/json").body(whole(&body)).unwrap();
    let answer = tokio::time::timeout(kit::PATIENCE, ask(front.address, posted)).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text.contains("role")), (500, false));
}

#[tokio::test]
async fn a_field_that_is_not_utf_8_is_there_all_the_same() {
    let bad = |text: &[u8]| HeaderValue::from_bytes(text).unwrap();
    let replace = json!({ "replace": { "headers": ["x-role:guest"] }, "remove": { "body": ["role"] } });
    let transformed = front("/", &[("request-transformer", replace)]).await;
    let asked = request("POST", "/").header("x-role", bad(b"\xff")).header("x-role", "admin");
    let asked = asked.header("content-type", bad(b"application/json; a=\"\xe9\""));
    let answer = ask(transformed.address, asked.body(whole(r#"{"role":"admin"}"#)).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.sent("x-role")), (200, vec!["guest"]));
    assert!(!answer.text.contains("admin"), "{}", answer.text);

    let front = front("/", &[("bot-detection", json!({ "deny": ["^BadBot"] }))]).await;
    assert_eq!(front.ask(request("GET", "/").header("user-agent", bad(b"BadBot\xff"))).await.status, 403);
}

#[tokio::test]
async fn what_an_operator_grants_stands_in_any_plugins_configuration() {
    let front = front("/", &[("key-auth", json!({ "host": { "on_error": 503 } }))]).await;
    assert_eq!(front.get("/").await.status, 401);
    let said = refused("key-auth", json!({ "host": { "on_error": "maybe" } }));
    assert!(said.contains("host.on_error") && said.contains("deny, allow"), "{said}");
    let own = |config| {
        let config = Config::default().with(Plugin::new("key-auth", config));
        let gateway = Gateway::builder().config(config).plugins(REGISTRY.clone()).build().unwrap();
        gateway.snapshot().config().plugins.values().next().unwrap().config.get("host").cloned()
    };
    assert_eq!(own(json!({})), None, "nothing is shown that Kong does not show");
    let granted = own(json!({ "host": { "secrets": ["{vault://env/a}"] } })).unwrap();
    assert_eq!(granted["secrets"], json!(["{vault://env/a}"]));
}

#[tokio::test]
async fn what_the_route_captured_and_joined_is_there_for_templates() {
    // compat P30
    let transform = json!({
        "replace": { "uri": "/new/$(uri_captures.id)/$(uri_captures[2])" },
        "add": { "headers": ["x-tpl:$(headers.host)"], "querystring": ["c:3"] },
    });
    let captured = front(r"~/users/(?<id>\d+)/(\w+)$", &[("request-transformer", transform)]).await;
    let answer = captured.get("/users/7/all?b=2&a=%20").await;
    assert!(answer.text.starts_with("GET /new/7/all?a=+&b=2&c=3\n"), "{}", answer.text);
    assert_eq!(answer.sent("x-tpl"), ["a.example"]);

    let query = json!({ "add": { "querystring": ["c:3"] } });
    let front = front("/users", &[("request-transformer", query)]).await;
    let answer = front.get("/users/7?b=2").await;
    assert!(answer.text.starts_with("GET /base/7?b=2&c=3\n"), "{}", answer.text);
}

#[tokio::test]
async fn header_rules_leave_bodies_as_they_are() {
    let config = json!({ "remove": { "headers": ["date"] }, "add": { "headers": ["x-region:eu"] } });
    let front = front("/", &[("response-transformer", config)]).await;
    let answer = front.get("/").await;
    assert_eq!(answer.header("x-region"), "eu");
    assert_eq!(answer.header("content-length"), answer.text.len().to_string());
}

#[tokio::test]
async fn refusals_and_answers_are_kongs() {
    // compat P24, P26
    for (name, config, status, text) in [
        ("ip-restriction", json!({ "deny": ["127.0.0.0/8"] }), 403, "IP address not allowed: 127.0.0.1"),
        ("bot-detection", json!({}), 403, "Forbidden"),
        ("request-termination", json!({}), 503, r#"{"message":"Service unavailable"}"#),
    ] {
        let front = front("/", &[(name, config)]).await;
        let answer = front.ask(request("GET", "/").header("user-agent", "Googlebot/2.1")).await;
        assert_eq!(answer.status.as_u16(), status, "{name}");
        assert!(answer.text.contains(text), "{name}: {}", answer.text);
        assert_eq!(answer.text.contains("request_id"), name != "request-termination");
    }
}

#[tokio::test]
async fn a_redirect_says_nothing_of_its_type() {
    // compat P32
    let front =
        front("/", &[("redirect", json!({ "location": "https://b.example", "status_code": 302 }))]).await;
    let answer = front.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "https://b.example"));
    assert_eq!((answer.text.as_str(), answer.headers.get("content-type")), ("redirecting", None));
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    // compat A38
    for (name, config, message) in [
        (
            "rate-limiting",
            json!({}),
            "at least one of these fields must be non-empty: 'config.second', 'config.minute', 'config.hour', \
             'config.day', 'config.month', 'config.year'",
        ),
        ("rate-limiting", json!({ "minute": 0 }), "value must be greater than 0"),
        (
            "rate-limiting",
            json!({ "minute": 10, "second": 20 }),
            "The limit for minute(10.0) cannot be lower than the limit for second(20.0)",
        ),
        ("rate-limiting", json!({ "minute": 1, "policy": "redis" }), "required field missing"),
        ("rate-limiting", json!({ "minute": 1, "policy": "cluster" }), "expected one of: local, redis"),
        (
            "rate-limiting",
            json!({ "minute": 1, "redis_port": 65_536 }),
            "value should be between 0 and 65535",
        ),
        (
            "rate-limiting",
            json!({ "minute": 1, "header_name": "x y" }),
            "bad header name 'x y', allowed characters are A-Z, a-z, 0-9, '_', and '-'",
        ),
        ("response-transformer", json!({ "add": { "headers": ["x"] } }), "invalid value: x"),
        (
            "response-transformer",
            json!({ "rename": { "headers": ["x:y z"] } }),
            "'y z' is not a valid header",
        ),
        ("request-transformer", json!({ "add": { "querystring": ["x:"] } }), "key 'x' has no value"),
        ("request-transformer", json!({ "http_method": "put" }), "invalid value: put"),
        (
            "request-transformer",
            json!({ "add": { "body": ["x:$(os.exit())"] } }),
            "value '$(os.exit())' is not in supported format, error:",
        ),
        (
            "ip-restriction",
            json!({}),
            "at least one of these fields must be non-empty: 'config.allow', 'config.deny'",
        ),
        ("ip-restriction", json!({ "deny": ["10.0.0.0/33"] }), "invalid ip or cidr range: '10.0.0.0/33'"),
        ("bot-detection", json!({ "deny": ["a("] }), "not a valid regex: a("),
        ("request-termination", json!({ "content_type": "text/plain" }), "content_type requires a body"),
        ("redirect", json!({}), "required field missing"),
        ("redirect", json!({ "location": "nowhere" }), "missing host in url"),
    ] {
        let said = refused(name, config.clone());
        assert!(said.contains(message), "{name} {config}: {said}");
    }
}
