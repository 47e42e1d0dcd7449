//! The bundled plugins that find out who calls, together and over real sockets.
#![allow(clippy::unwrap_used, clippy::panic)] // tests may

mod kit;

use std::{net::SocketAddr, sync::LazyLock, time::SystemTime};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use gateway_core::{Gateway, config::Checked, plugin::Registry, server::Running};
use gateway_plugins::{Area, Module, WasmPlugin};
use http::{HeaderMap, HeaderValue, StatusCode, request::Builder};
use kit::{Answer, ENGINE, PATIENCE, ask, chunks, empty, module, request, start, upstream};
use tokio::time::timeout;

const WHO: &str = "
consumers:
- username: alice
  keyauth_credentials: [{ key: abc }]
  acls: [{ group: staff }, { group: admin }]
- username: bob
  basicauth_credentials: [{ username: bob, password: secret }]
  hmacauth_credentials: [{ username: bob, secret: secret }]
- username: nobody
  acls: [{ group: guests }]
";

/// A gateway with these plugins on a route that takes `/orders` off.
struct Edge {
    address: SocketAddr,
    _running: Running,
}

/// What is bundled, compiled once.
static MODULES: LazyLock<[(&[u8], Module); 4]> = LazyLock::new(|| {
    [
        &include_bytes!("../bundled/acl.wasm")[..],
        include_bytes!("../bundled/basic-auth.wasm"),
        include_bytes!("../bundled/hmac-auth.wasm"),
        include_bytes!("../bundled/key-auth.wasm"),
    ]
    .map(|bytes| (bytes, module(bytes)))
});

async fn edge(plugins: &str) -> Edge {
    let registry = MODULES.iter().fold(Registry::empty(), |registry, (bytes, module)| {
        let plugin = WasmPlugin::described(bytes).unwrap().grant(Area::ALL).limits(kit::patient());
        registry.with(plugin.module(&ENGINE, module))
    });
    let file = format!(
        "_format_version: '3.0'\nservices:\n- name: echo\n  url: http://{}/base\n  routes: [{{ name: all, paths: [/orders] }}]\n\
         plugins: {plugins}\n{WHO}",
        upstream().await
    );
    let checked = Checked::parse(&file, &registry).unwrap_or_else(|problems| panic!("{problems:?}"));
    let gateway = Gateway::builder().checked(checked).plugins(registry).build().unwrap();
    let (address, _running) = start(&gateway);
    Edge { address, _running }
}

impl Edge {
    async fn ask(&self, request: Builder) -> Answer {
        timeout(PATIENCE, ask(self.address, request.body(empty()).unwrap())).await.unwrap()
    }
}

/// The status, and who the upstream takes it to be from, or what is said.
fn told(answer: &Answer) -> (u16, &str) {
    let said = match answer.status {
        StatusCode::OK => answer.sent("x-consumer-username").first().copied().unwrap_or_default(),
        _ => answer
            .text
            .split("\"message\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default(),
    };
    (answer.status.as_u16(), said)
}

const BOB: &str = "Basic Ym9iOnNlY3JldA==";

/// compat P16, P17
#[tokio::test]
async fn a_key_is_taken_out_of_what_the_route_has_left_of_the_target() {
    let edge = edge("[{ name: key-auth, config: { hide_credentials: true } }]").await;
    let answer = edge.ask(request("GET", "/orders/x?a=b%20c&apikey=abc")).await;
    assert_eq!(told(&answer), (200, "alice"));
    assert!(answer.text.contains("/base/x?a=b+c"), "{}", answer.text);
    assert!(!answer.text.contains("apikey"), "{}", answer.text);
    let answer = edge.ask(request("GET", "/orders/x?a=b%20c").header("apikey", "abc")).await;
    assert!(answer.text.contains("/base/x?a=b%20c"), "{}", answer.text);
    assert!(answer.sent("apikey").is_empty());

    let twice = request("GET", "/orders").header("apikey", "abc").header("apikey", "abc");
    let answer = edge.ask(twice).await;
    assert_eq!(told(&answer), (401, "Duplicate API key found"));
    assert_eq!(answer.header("www-authenticate"), "Key");
    let answer = edge.ask(request("GET", "/orders").header("accept", "text/plain")).await;
    assert!(answer.text.starts_with("No API key found in request\nrequest_id: "), "{}", answer.text);
}

/// compat P17
#[tokio::test]
async fn a_body_is_read_for_its_key_with_trailers_or_without() {
    let edge = edge("[{ name: key-auth, config: { key_in_body: true, hide_credentials: true } }]").await;
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("x"))]);
    for trailers in [None, Some(trailers)] {
        let request = request("POST", "/orders").header("content-type", "application/json");
        let body = chunks(&[r#"{"api"#, r#"key":"abc","a":1.0}"#], trailers);
        let answer = timeout(PATIENCE, ask(edge.address, request.body(body).unwrap())).await.unwrap();
        assert_eq!(told(&answer), (200, "alice"), "{}", answer.text);
        assert!(answer.text.contains(r#"{"a":1.0}"#), "{}", answer.text);
    }
}

/// compat P17, P20, P21
#[tokio::test]
async fn plugins_with_anonymous_are_alternatives_and_groups_follow_who_was_found() {
    let anonymous = "config: { anonymous: nobody }";
    let edge = edge(&format!(
        "[{{ name: key-auth, {anonymous} }}, {{ name: basic-auth, {anonymous} }}, \
         {{ name: acl, config: {{ allow: [staff, guests] }} }}]"
    ))
    .await;
    let answer = edge.ask(request("GET", "/orders").header("apikey", "abc")).await;
    assert_eq!(told(&answer), (200, "alice"));
    assert_eq!(answer.sent("x-consumer-groups"), ["admin, staff"]);
    assert!(answer.sent("x-anonymous-consumer").is_empty());
    // Whoever is known by the first one stays it, whatever comes for the second one.
    let both = request("GET", "/orders").header("apikey", "abc").header("authorization", BOB);
    assert_eq!(told(&edge.ask(both).await), (200, "alice"));
    let answer = edge.ask(request("GET", "/orders").header("authorization", BOB)).await;
    assert_eq!(told(&answer), (403, "You cannot consume this service"), "bob is in no group");
    let answer = edge.ask(request("GET", "/orders").header("x-consumer-username", "alice")).await;
    assert_eq!(told(&answer), (200, "nobody"));
    assert_eq!(answer.sent("x-anonymous-consumer"), ["true"]);
    assert_eq!(answer.sent("x-consumer-groups"), ["guests"]);
}

/// compat P16, P20, P21
#[tokio::test]
async fn without_it_each_of_them_must_find_out() {
    let edge = edge("[{ name: key-auth }, { name: basic-auth }]").await;
    let answer = edge.ask(request("GET", "/orders").header("apikey", "abc")).await;
    assert_eq!(
        (told(&answer), answer.header("www-authenticate")),
        ((401, "Unauthorized"), "Basic realm=\"service\"")
    );
    let answer = edge.ask(request("GET", "/orders").header("authorization", BOB)).await;
    assert_eq!(told(&answer), (401, "No API key found in request"));
    let both = request("GET", "/orders").header("apikey", "abc").header("authorization", BOB);
    assert_eq!(told(&edge.ask(both).await), (200, "bob"), "the last one counts");
    let edge = self::edge("[{ name: acl, config: { allow: [staff] } }]").await;
    let answer = edge.ask(request("GET", "/orders")).await;
    assert_eq!((told(&answer), answer.header("www-authenticate")), ((401, "Unauthorized"), ""));
}

/// compat P23
#[tokio::test]
async fn a_signature_is_of_the_target_as_it_was_sent() {
    let edge = edge("[{ name: hmac-auth }]").await;
    let date = httpdate(SystemTime::now());
    for target in ["/orders/a%2fb?x=1", "/orders//c/../d"] {
        let text = format!("date: {date}\n@request-target: get {target}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let field = format!(
            r#"hmac username="bob", algorithm="hmac-sha256", headers="date @request-target", signature="{signature}""#
        );
        let signed = request("GET", target).header("date", &date).header("authorization", &field);
        assert_eq!(told(&edge.ask(signed).await), (200, "bob"), "{target}");
        let other = request("GET", "/orders/other").header("date", &date).header("authorization", &field);
        assert_eq!(told(&edge.ask(other).await), (401, "HMAC signature does not match"));
    }
}

/// A date as RFC 9110 section 5.6.7 has it.
fn httpdate(time: SystemTime) -> String {
    let time = time::OffsetDateTime::from(time);
    let (day, month) = (&time.weekday().to_string()[..3], &time.month().to_string()[..3]);
    let (hour, minute, second) = time.to_hms();
    format!("{day}, {:02} {month} {} {hour:02}:{minute:02}:{second:02} GMT", time.day(), time.year())
}
