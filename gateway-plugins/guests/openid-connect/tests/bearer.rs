//! Programs bring access tokens (RFC 6750, RFC 7662, RFC 9068).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod kit;

use kit::{Browser, CLIENT, HOST, ISSUER, gateway, is_real, pass, provider::answer_with, world};
use plugin_sdk::{
    serde_json::Value,
    testing::{Answer, Gateway, Request, Response, json},
};

fn bring(gateway: &mut Gateway, token: &str) -> Answer {
    gateway.send(Request::get("/").host(HOST).header("authorization", &format!("Bearer {token}")))
}

fn refused(answer: &Answer, status: u16, asked: &str) {
    assert_eq!(
        (answer.status(), answer.header("www-authenticate")),
        (status, Some(asked)),
        "{}",
        answer.text()
    );
    assert!(!answer.is_forwarded() && answer.header("location").is_none());
    assert_eq!(answer.headers().filter(|(name, _)| *name == "set-cookie").count(), 0);
}

const BAD: &str = "Bearer error=\"invalid_token\"";

#[test]
fn a_good_token_is_admitted_and_told_of() {
    let (gateway, provider) = world(json!({
        "upstream_headers_claims": ["sub", "scope"], "upstream_headers_names": ["x-sub", "x-scope"],
        "consumer_claim": ["sub"], "scopes_required": ["admin", "openid read"], "audience_required": ["api"],
    }));
    let mut gateway = gateway.consumer("alice", |alice| alice);
    provider.clock.set(kit::now(&gateway));
    let token = provider.access_token(json!({}));
    for round in 0..3 {
        let answer = bring(&mut gateway, &token);
        let upstream = answer.upstream();
        assert_eq!(
            (upstream.header("x-sub"), upstream.header("x-scope")),
            (Some("alice"), Some("openid read"))
        );
        assert_eq!(upstream.header("x-consumer-username"), Some("alice"));
        assert!(upstream.header("authorization").unwrap().ends_with(&token));
        assert!(round == 0 || answer.callouts().is_empty(), "nobody is asked again");
    }
    assert_eq!(provider.count(kit::provider::PATH), 1);
}

#[test]
fn a_token_that_is_not_good_is_refused() {
    let (mut gateway, provider) = world(json!({ "audience_required": ["api"] }));
    provider.clock.set(kit::now(&gateway));
    let now = provider.clock.get();
    for more in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": "https://idp.example/" }),
        json!({ "iss": null }),
        json!({ "aud": "other" }),
        json!({ "aud": "api2" }),
        json!({ "aud": ["x"] }),
        json!({ "aud": null }),
        json!({ "aud": { "api": 1 } }),
        json!({ "aud": [["api"]] }),
        json!({ "aud": "x api" }),
        json!({ "exp": now - 10 }),
        json!({ "exp": "9999999999" }),
        json!({ "exp": null }),
        json!({ "exp": -1 }),
        json!({ "nbf": now + 100 }),
        json!({ "nbf": "0" }),
        json!({ "x": "a".repeat(9000) }),
    ] {
        let told = format!("{more:.60}");
        let answer = bring(&mut gateway, &provider.access_token(more));
        assert_eq!(answer.status(), 401, "{told}");
        refused(&answer, 401, BAD);
    }
    let claims = json!({ "iss": ISSUER, "sub": "alice", "aud": "api", "exp": now + 300 });
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "None", "kid": "1" }),
        json!({ "alg": "HS256", "kid": "1" }),
        json!({ "alg": "RS256", "kid": "1" }),
        json!({ "kid": "1" }),
        json!({ "alg": "ES256", "kid": "../../x" }),
        json!({ "alg": "ES256", "kid": "1", "typ": "logout+jwt" }),
        json!({ "alg": "ES256", "kid": "1", "crit": ["x"] }),
        json!({ "alg": "ES256", "kid": "1", "b64": false }),
        json!({ "alg": "ES256", "kid": "1", "zip": "DEF" }),
    ] {
        refused(&bring(&mut gateway, &provider.sign(&header, &claims, 1)), 401, BAD);
    }
    let good = json!({ "alg": "ES256", "kid": "1" });
    refused(&bring(&mut gateway, &provider.sign(&good, &claims, 2)), 401, BAD);
    for jwk in ["jwk", "jku", "x5u", "x5c"] {
        let header = json!({ "alg": "ES256", "kid": "1", jwk: "https://evil.example/keys" });
        refused(&bring(&mut gateway, &provider.sign(&header, &claims, 2)), 401, BAD);
    }
    let token = provider.sign(&good, &claims, 1);
    let signature = token.rsplit_once('.').unwrap().1;
    for token in [
        token.replace(signature, ""),
        token.replace(signature, &"A".repeat(86)),
        format!("{token}="),
        format!("{token}.x"),
        format!("x{token}"),
        token.replace('.', ".."),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ] {
        refused(&bring(&mut gateway, &token), 401, BAD);
    }
    assert_eq!(bring(&mut gateway, &token).status(), 200);
    assert_eq!(provider.count(kit::provider::PATH), 1, "a flood of bad tokens asks for nothing");
    assert!(provider.count("/jwks") <= 2);
}

#[test]
fn keys_that_nobody_publishes_are_not_asked_for_again_and_again() {
    let (mut gateway, provider) = world(json!({}));
    provider.clock.set(kit::now(&gateway));
    let claims = json!({ "iss": ISSUER, "sub": "alice", "exp": provider.clock.get() + 300 });
    for kid in 0..50 {
        let header = json!({ "alg": "ES256", "kid": format!("unknown-{kid}") });
        refused(&bring(&mut gateway, &provider.sign(&header, &claims, 1)), 401, BAD);
    }
    if is_real() {
        assert_eq!(provider.count("/jwks"), 1);
    }
}

#[test]
fn who_may_not_is_told_what_it_takes() {
    for (more, status, asked) in [
        (
            json!({ "scopes_required": ["write"] }),
            403,
            "Bearer error=\"insufficient_scope\", scope=\"write\"",
        ),
        (json!({ "scopes_required": ["rea"] }), 403, "Bearer error=\"insufficient_scope\", scope=\"rea\""),
        (
            json!({ "scopes_required": ["read write"] }),
            403,
            "Bearer error=\"insufficient_scope\", scope=\"read write\"",
        ),
        (json!({ "roles_required": ["admin"] }), 403, "Bearer error=\"insufficient_scope\""),
        (json!({ "groups_required": ["staff"] }), 403, "Bearer error=\"insufficient_scope\""),
        (json!({ "consumer_claim": ["sub"] }), 403, "Bearer error=\"insufficient_scope\""),
        (json!({ "audience_required": ["other"] }), 401, BAD),
    ] {
        let (mut gateway, provider) = world(more);
        provider.clock.set(kit::now(&gateway));
        refused(&bring(&mut gateway, &provider.access_token(json!({}))), status, asked);
    }
    let (mut gateway, provider) = world(
        json!({ "roles_required": ["b"], "roles_claim": ["realm_access", "roles"], "consumer_claim": ["sub"],
            "consumer_optional": true }),
    );
    provider.clock.set(kit::now(&gateway));
    let token = provider.access_token(json!({ "realm_access": { "roles": ["a", "b"] } }));
    assert_eq!(bring(&mut gateway, &token).status(), 200);
}

#[test]
fn a_token_stands_in_one_place_that_is_allowed() {
    let all = json!({
        "bearer_token_param_type": ["header", "query", "cookie"], "bearer_token_cookie_name": "token",
        "hide_credentials": true, "auth_methods": ["bearer"],
    });
    let (mut strict, provider) = world(json!({ "auth_methods": ["bearer"] }));
    let mut wide = gateway(all, &provider);
    provider.clock.set(kit::now(&strict));
    let token = provider.access_token(json!({}));
    let get = |target: &str| Request::get(target).host(HOST);
    let in_query = || get(&format!("/a?x=1&access_token={token}"));
    let in_cookie = || get("/").header("cookie", &format!("a=b; token={token}"));
    let in_header = |request: Request| request.header("authorization", &format!("Bearer {token}"));
    for request in [in_query(), in_cookie(), get("/")] {
        refused(&strict.send(request), 401, "Bearer");
    }
    assert_eq!(strict.send(in_header(get("/"))).status(), 200);
    for request in [in_header(get("/")), in_cookie(), in_query()] {
        let answer = wide.send(request);
        assert_eq!((answer.status(), answer.upstream().header("authorization")), (200, None));
        assert!(!answer.upstream().path_and_query().contains("access_token"));
        assert!(answer.upstream().header("cookie").is_none_or(|cookie| cookie == "a=b"));
    }
    assert_eq!(wide.send(in_query()).upstream().path_and_query(), "/a?x=1");
    for request in [in_header(in_query()), in_header(in_cookie()), in_header(in_header(get("/")))] {
        refused(&wide.send(request), 400, "Bearer error=\"invalid_request\"");
    }
}

#[test]
fn a_token_of_a_browser_goes_before_its_session() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    let request =
        browser.request("GET", "/").header("accept", "text/html").header("authorization", "Bearer a.b.c");
    refused(&gateway.send(request), 401, BAD);
}

/// A gateway for tokens that only the provider can read, and what the provider says of them.
fn opaque(said: Value, more: Value) -> (Gateway, std::rc::Rc<kit::Provider>) {
    let (gateway, provider) = world(more);
    provider.clock.set(kit::now(&gateway));
    provider.answer_instead("/introspect", move |received| {
        assert!(received.header("authorization").unwrap().starts_with("Basic "));
        assert!(received.text().starts_with("token=opaque&token_type_hint=access_token"));
        answer_with(200, &said)
    });
    (gateway, provider)
}

#[test]
fn the_provider_is_asked_for_what_a_token_means_and_not_again() {
    let more = json!({ "upstream_headers_claims": ["sub"], "upstream_headers_names": ["x-sub"] });
    let (mut gateway, provider) = opaque(json!({ "active": true, "sub": "alice", "scope": "read" }), more);
    for _ in 0..3 {
        assert_eq!(bring(&mut gateway, "opaque").upstream().header("x-sub"), Some("alice"));
    }
    assert_eq!(provider.count("/introspect"), 1);
    // Another client is not told what this one was.
    let mut other = kit::gateway(json!({ "client_id": ["other"] }), &provider);
    bring(&mut other, "opaque");
    assert_eq!(provider.count("/introspect"), 2);
}

#[test]
fn a_token_that_the_provider_does_not_call_active_is_refused() {
    for said in [
        json!({ "active": false }),
        json!({ "active": "true" }),
        json!({ "active": 1 }),
        json!({ "active": null }),
        json!({ "sub": "alice" }),
        json!({}),
        json!([]),
        json!("active"),
        json!({ "active": true, "exp": 1 }),
        json!({ "active": true, "exp": "9999999999" }),
        json!({ "active": true, "nbf": 9_999_999_999_u64 }),
        json!({ "active": true, "iss": "https://evil.example" }),
    ] {
        let (mut gateway, provider) = opaque(said.clone(), json!({}));
        for _ in 0..5 {
            let answer = bring(&mut gateway, "opaque");
            assert_eq!(answer.status(), 401, "{said}");
            refused(&answer, 401, BAD);
        }
        assert_eq!(provider.count("/introspect"), 1, "{said}: a bad token does not flood the provider");
    }
    let (mut gateway, _) =
        opaque(json!({ "active": true, "scope": "read" }), json!({ "scopes_required": ["write"] }));
    assert_eq!(bring(&mut gateway, "opaque").status(), 403);
    let (mut gateway, _) =
        opaque(json!({ "active": true, "aud": "x" }), json!({ "audience_required": ["api"] }));
    assert_eq!(bring(&mut gateway, "opaque").status(), 401);
}

#[test]
fn what_was_said_of_a_token_counts_no_longer_than_it() {
    if is_real() {
        return;
    }
    let (gateway, _) = world(json!({}));
    let end = kit::now(&gateway) + 2;
    let (mut gateway, provider) = opaque(json!({ "active": true, "exp": end }), json!({}));
    assert_eq!(bring(&mut gateway, "opaque").status(), 200);
    pass(&mut gateway, &provider, 2);
    assert_eq!(bring(&mut gateway, "opaque").status(), 401);
}

#[test]
fn an_opaque_token_is_nothing_where_the_provider_is_not_asked() {
    let (mut gateway, provider) = opaque(json!({ "active": true }), json!({ "auth_methods": ["bearer"] }));
    refused(&bring(&mut gateway, "opaque"), 401, BAD);
    assert_eq!(provider.count("/introspect"), 0);
    // And a JWT is, where it shall be.
    let (mut gateway, provider) = world(json!({ "introspect_jwt_tokens": true }));
    provider.clock.set(kit::now(&gateway));
    provider.answer_instead("/introspect", |_| answer_with(200, &json!({ "active": false })));
    let token = provider.access_token(json!({}));
    refused(&bring(&mut gateway, &token), 401, BAD);
}

#[test]
fn a_provider_that_is_down_makes_no_token_good() {
    let (mut gateway, provider) = world(json!({}));
    provider.clock.set(kit::now(&gateway));
    let token = provider.access_token(json!({}));
    provider.down.set(true);
    assert_eq!(bring(&mut gateway, &token).status(), 503);
    assert_eq!(bring(&mut gateway, "opaque").status(), 503);
    for header in [json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({}), json!("x")] {
        let token = provider.sign(&header, &json!({ "iss": ISSUER, "exp": 9_999_999_999_u64 }), 1);
        refused(&bring(&mut gateway, &token), 401, BAD);
    }
    provider.down.set(false);
    pass(&mut gateway, &provider, 2);
    assert_eq!(bring(&mut gateway, &token).status(), 200);
    provider.answer_instead("/introspect", |_| Response::new(500));
    assert_eq!(bring(&mut gateway, "opaque").status(), 503);
}

#[test]
fn somebody_stands_in_for_those_who_bring_nothing_good() {
    let (gateway, _) = world(json!({ "anonymous": "nobody" }));
    let mut gateway = gateway.consumer("nobody", |nobody| nobody);
    for request in
        [Request::get("/").host(HOST), Request::get("/").host(HOST).header("authorization", "Bearer x")]
    {
        let answer = gateway.send(request);
        assert_eq!(answer.upstream().header("x-anonymous-consumer"), Some("true"));
    }
}

#[test]
fn a_configuration_that_cannot_be_one_is_refused() {
    for (more, told) in [
        (json!({ "issuer": null }), "issuer"),
        (json!({ "issuer": "no url" }), "issuer"),
        (json!({ "auth_methods": ["password"] }), "auth_methods"),
        (json!({ "client_secret": null, "client_auth": ["client_secret_post"] }), "client_secret"),
        (json!({ "client_auth": ["private_key_jwt"] }), "client_private_key"),
        (json!({ "scopes": ["email"] }), "openid"),
        (json!({ "ssl_verify": false }), "ssl_verify: it is always on"),
        (json!({ "verify_nonce": false }), "verify_nonce"),
        (json!({ "login_action": "response" }), "login_action"),
        (json!({ "response_type": ["id_token"] }), "response_type"),
        (
            json!({ "upstream_headers_claims": ["a"], "upstream_headers_names": ["x", "y"] }),
            "upstream_headers_names",
        ),
        (json!({ "bearer_token_param_type": ["cookie"] }), "bearer_token_cookie_name"),
        (json!({ "session_cookie_path": "/;x" }), "session_cookie_path"),
        (
            json!({ "authorization_query_args_names": ["state"], "authorization_query_args_values": ["x"] }),
            "state",
        ),
        (json!({ "session_secret": "short" }), "session_secret"),
        (json!({ "leeway": 3600 }), "leeway"),
        (json!({ "no_such_field": 1 }), "no_such_field"),
    ] {
        let made = Gateway::new::<openid_connect::Openid>(kit::config(more.clone()));
        let refused = made.map_or_else(|why| why, |_| panic!("{more} is taken"));
        assert!(refused.contains(told), "{more}: {refused}");
    }
    assert_eq!(CLIENT, "shop");
}
