//! Sessions that several gateways keep together on a Redis server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kit;

use std::{rc::Rc, time::Duration};

use kit::{Browser, CLIENT, ISSUER, Provider, gateway, pass};
use plugin_sdk::{
    serde_json::Value,
    testing::{Gateway, Request, Response, Server, json},
};

/// A gateway whose sessions are on a server.
fn node(more: &Value, provider: &Rc<Provider>, server: &Server) -> Gateway {
    let mut config = json!({ "session_storage": "redis", "session_redis_host": "redis.example" });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    gateway(config, provider).server(server)
}

/// Two gateways that share a server, and their provider.
fn nodes(more: &Value) -> (Gateway, Gateway, Server, Rc<Provider>) {
    let (server, provider) = (Server::new(), Provider::new());
    (node(more, &provider, &server), node(more, &provider, &server), server, provider)
}

#[test]
fn a_session_of_one_gateway_is_known_at_the_other_and_ends_for_both() {
    let (mut one, mut other, _server, provider) = nodes(&json!({
        "logout_uri_suffix": "/logout", "upstream_headers_claims": ["sub"], "upstream_headers_names": ["x-user"],
    }));
    let mut browser = Browser::default();
    browser.log_in(&mut one, &provider, "/");
    assert!(browser.session().unwrap().len() < 50, "the cookie has a name only");
    for node in [&mut one, &mut other] {
        assert_eq!(browser.visit(node, "/").upstream().header("x-user"), Some("alice"));
    }
    let copy = browser.clone();
    let out = browser.request("POST", "/logout").header("sec-fetch-site", "same-origin");
    assert_eq!(browser.send(&mut other, out).status(), 303);
    for node in [&mut one, &mut other] {
        let answer = copy.clone().visit(node, "/");
        assert_eq!((answer.status(), answer.is_forwarded()), (303, false), "a stolen name is worth nothing");
    }
}

#[test]
fn a_login_may_end_at_another_gateway_and_once_in_all() {
    let (mut one, mut other, _server, provider) = nodes(&json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut one, &provider, "/page");
    let copy = browser.clone();
    let answer = browser.visit(&mut other, &back);
    assert_eq!((answer.status(), answer.header("location")), (303, Some("/page")));
    assert_eq!(copy.clone().visit(&mut one, &back).status(), 400, "replayed at the first one");
    assert_eq!(browser.visit(&mut one, "/page").status(), 200);
}

#[test]
fn the_provider_logs_users_out_of_all_gateways_by_telling_one() {
    let (mut one, mut other, _server, provider) =
        nodes(&json!({ "backchannel_logout_path": "/backchannel" }));
    let mut browser = Browser::default();
    browser.log_in(&mut one, &provider, "/");
    let now = provider.clock.get();
    let claims = json!({
        "iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "1", "sub": "alice",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let token = provider.sign(&json!({ "alg": "ES256", "kid": "1", "typ": "logout+jwt" }), &claims, 1);
    let tell = |node: &mut Gateway| {
        let request = Request::post("/backchannel", format!("logout_token={token}")).host(kit::HOST);
        node.send(request.header("content-type", "application/x-www-form-urlencoded")).status()
    };
    assert_eq!((tell(&mut other), tell(&mut one)), (200, 400), "and once");
    for node in [&mut one, &mut other] {
        assert_eq!(browser.clone().visit(node, "/").status(), 303);
    }
}

#[test]
fn a_session_that_cannot_be_read_is_not_nobodys() {
    for anonymous in [Value::Null, json!("guest")] {
        let (mut one, _other, server, provider) = nodes(&json!({}));
        let more = json!({ "anonymous": anonymous, "logout_uri_suffix": "/logout" });
        let mut other = node(&more, &provider, &server).consumer("guest", |guest| guest);
        let mut browser = Browser::default();
        browser.log_in(&mut one, &provider, "/");
        server.set_down(true);
        for request in [
            browser.request("GET", "/").header("accept", "text/html"),
            browser.request("POST", "/"),
            browser.request("POST", "/logout"),
        ] {
            let answer = browser.clone().send(&mut other, request);
            assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("5")));
            assert!(!answer.is_forwarded() && answer.header("set-cookie").is_none());
        }
        assert!(other.lines().iter().any(|(_, line)| line.starts_with("session_storage_unavailable")));
        server.set_down(false);
        assert_eq!(browser.visit(&mut other, "/").status(), 200);
    }
}

#[test]
fn without_the_server_logins_do_not_end_and_programs_go_on() {
    let (mut one, _other, server, provider) = nodes(&json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut one, &provider, "/");
    server.set_down(true);
    assert_eq!(browser.visit(&mut one, &back).status(), 503);
    assert_eq!(provider.count("/token"), 0, "the code is not used up");
    assert_eq!(browser.session(), None);
    let token = provider.access_token(json!({}));
    let bearer = Request::get("/").host(kit::HOST).header("authorization", &format!("Bearer {token}"));
    assert_eq!(one.send(bearer).status(), 200);
    server.set_down(false);
    browser.log_in(&mut one, &provider, "/");
}

#[test]
fn one_gateway_makes_an_access_token_anew_for_all() {
    let (mut one, mut other, _server, provider) = nodes(&json!({}));
    let mut browser = with_a_token_that_is_over(&mut one, &provider);
    pass(&mut other, &provider, 2);
    let asked = provider.count("/token");
    let shown = |node: &mut Gateway, browser: &mut Browser| {
        let answer = browser.visit(node, "/");
        assert_eq!((answer.status(), answer.header("set-cookie")), (200, None));
        answer.upstream().header("authorization").unwrap().to_owned()
    };
    let renewed = shown(&mut one, &mut browser);
    for node in [&mut other, &mut one] {
        assert_eq!(shown(node, &mut browser), renewed);
    }
    assert_eq!(provider.count("/token"), asked + 1);
}

#[test]
fn a_gateway_that_goes_away_in_a_refresh_is_waited_for_as_long_as_its_lock_lasts() {
    let (mut one, mut other, _server, provider) = nodes(&json!({ "timeout": 500 }));
    let mut browser = with_a_token_that_is_over(&mut one, &provider);
    pass(&mut other, &provider, 2);
    provider.answer_instead("/token", |_| Response::new(503).after(Duration::from_secs(5)));
    assert!(one.abandon(browser.request("GET", "/")), "it waits for the provider");
    provider.instead.borrow_mut().clear();
    let begun = other.now();
    assert_eq!(browser.visit(&mut other, "/").status(), 200);
    let waited = (other.now() - begun).as_millis();
    // A client of the real gateway leaves when the plugin waits for the server, before it asks anybody.
    if !kit::is_real() {
        assert!((1_000..=2_100).contains(&waited), "{waited} ms");
        assert_eq!(provider.count("/token"), 3, "the login, the one that went away, and the other one");
    }
}

/// A browser with a session whose access token is over.
fn with_a_token_that_is_over(gateway: &mut Gateway, provider: &Rc<Provider>) -> Browser {
    provider.lifetime.set(1);
    let mut browser = Browser::default();
    browser.log_in(gateway, provider, "/");
    pass(gateway, provider, 2);
    provider.lifetime.set(300);
    browser
}

#[test]
fn sessions_on_a_server_need_a_secret_that_all_have() {
    let provider = Provider::new();
    let config = kit::config(json!({ "session_storage": "redis", "session_secret": null }));
    let refused = Gateway::new::<openid_connect::Openid>(config).map(drop).unwrap_err();
    assert!(refused.contains("session_secret: required for session_storage redis"), "{refused}");
    let config = json!({ "redis": { "host": "r", "port": 1, "prefix": "p", "username": "u", "password": "w",
        "database": 2, "connect_timeout": 1, "send_timeout": 2, "read_timeout": 3, "ssl": true, "ssl_verify": true,
        "server_name": "r.example" } });
    drop(node(&config, &provider, &Server::new()));
    let config = json!({ "session_redis_port": 1, "session_redis_prefix": "p", "session_redis_username": "u",
        "session_redis_password": "w", "session_redis_connect_timeout": 1, "session_redis_send_timeout": 2,
        "session_redis_read_timeout": 3, "session_redis_ssl": true, "session_redis_ssl_verify": true,
        "session_redis_server_name": "r.example" });
    drop(node(&config, &provider, &Server::new()));
}
