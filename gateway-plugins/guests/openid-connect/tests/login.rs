//! Users log in, stay, and log out.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod kit;

use std::time::Duration;

use kit::{Browser, SESSION, arguments, assert_silent, cookies, pass, world};
use plugin_sdk::testing::{Gateway, Response, json};

#[test]
fn a_user_logs_in_and_comes_to_the_page_that_was_asked_for() {
    let (mut gateway, provider) = world(json!({
        "upstream_headers_claims": ["sub", "name", "email"], "upstream_headers_names": ["x-sub", "x-name", "x-email"],
    }));
    let mut browser = Browser::default();
    let answer = browser.log_in(&mut gateway, &provider, "/orders?page=2&q=%2F%2F");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let kept: Vec<_> = browser.cookies.keys().collect();
    assert_eq!(kept, [SESSION], "the login's cookie is used up");
    let answer = browser.visit(&mut gateway, "/orders?page=2&q=%2F%2F");
    assert_eq!(answer.status(), 200);
    let upstream = answer.upstream();
    assert_eq!((upstream.header("x-sub"), upstream.header("x-name")), (Some("alice"), Some("Alice")));
    assert_eq!((upstream.header("x-email"), upstream.header("cookie")), (None, None));
    assert!(upstream.header("authorization").unwrap().starts_with("Bearer ey"));
    assert!(answer.callouts().is_empty(), "a session that is known asks nobody");
    let code = "code-1";
    assert_silent(&gateway, &[code, "Bearer ey", browser.session().unwrap(), kit::SECRET, "refresh-"]);
}

#[test]
fn the_authorization_request_binds_the_answer_to_this_browser() {
    let (mut gateway, _) = world(json!({
        "scopes": ["openid", "email"], "max_age": 60, "audience": ["api"],
        "authorization_query_args_names": ["prompt"], "authorization_query_args_values": ["login"],
    }));
    let first = Browser::default().visit(&mut gateway, "/");
    let second = Browser::default().visit(&mut gateway, "/");
    let (first, second) =
        (arguments(first.header("location").unwrap()), arguments(second.header("location").unwrap()));
    for (name, value) in [
        ("response_type", "code"),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
        ("max_age", "60"),
        ("audience", "api"),
        ("prompt", "login"),
    ] {
        assert_eq!(first.get(name), Some(value));
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(first.get(name).unwrap().len(), 43, "256 bits");
        assert_ne!(first.get(name), second.get(name));
    }
}

#[test]
fn only_a_browser_that_goes_to_a_page_is_sent_to_the_provider() {
    let (mut gateway, _) = world(json!({ "realm": "shop" }));
    let page = || Browser::default().request("GET", "/").header("accept", "text/html");
    for request in [
        Browser::default().request("GET", "/"),
        Browser::default().request("GET", "/").header("accept", "application/json"),
        Browser::default().request("POST", "/").header("accept", "text/html"),
        Browser::default().request("PUT", "/").header("accept", "text/html").body("x"),
        Browser::default().request("OPTIONS", "/").header("accept", "text/html"),
        page().header("sec-fetch-mode", "cors"),
        page().header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "iframe"),
        page().header("x-requested-with", "XMLHttpRequest"),
    ] {
        let answer = gateway.send(request.clone());
        assert_eq!(answer.status(), 401, "{request:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"shop\""));
        assert!(cookies(&answer).is_empty() && answer.header("location").is_none());
    }
    let answer =
        gateway.send(page().header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document"));
    assert_eq!(answer.status(), 303);
}

#[test]
fn an_access_token_that_is_over_is_made_anew() {
    let (gateway, provider) = world(json!({}));
    let own = |_: &_| Response::new(200).header("set-cookie", "own=1").header("set-cookie", "b=2");
    let mut gateway = gateway.upstream(own);
    provider.lifetime.set(1);
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    pass(&mut gateway, &provider, 2);
    provider.lifetime.set(300);
    let before = browser.clone();
    let answer = browser.visit(&mut gateway, "/");
    let mut set: Vec<_> = cookies(&answer).into_iter().map(|(name, ..)| name).collect();
    set.sort();
    assert_eq!(set, [SESSION, "b", "own"], "beside those of the upstream");
    assert_eq!((answer.status(), provider.count("/token")), (200, 2));
    assert_ne!(browser.session(), before.session());
    assert_eq!(answer.header("cache-control"), Some("no-store"), "nobody keeps a session for others");
    let renewed = answer.upstream().header("authorization").unwrap().to_owned();
    // Other requests of the page that were on their way still have the cookie from before.
    for _ in 0..3 {
        let answer = before.clone().visit(&mut gateway, "/");
        assert_eq!(answer.upstream().header("authorization"), Some(&*renewed));
    }
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    assert_eq!(provider.count("/token"), 2, "one refresh for all");
}

#[test]
fn a_session_goes_on_while_the_provider_is_down_and_new_logins_do_not() {
    let (mut gateway, provider) = world(json!({}));
    provider.lifetime.set(1);
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    pass(&mut gateway, &provider, 2);
    provider.down.set(true);
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    assert_eq!(provider.count("/token"), 2, "it is not asked for each request");
    let (mut gateway, provider) = world(json!({}));
    provider.down.set(true);
    let answer = Browser::default().visit(&mut gateway, "/");
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("5")));
    Browser::default().visit(&mut gateway, "/");
    assert_eq!(provider.count(kit::provider::PATH), 1, "nor for each login");
    provider.down.set(false);
    pass(&mut gateway, &provider, 2);
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 303);
}

#[test]
fn a_provider_that_was_down_for_long_is_used_again_within_five_seconds() {
    // Nobody waits that long for the real gateway.
    if kit::is_real() {
        return;
    }
    let (mut gateway, provider) = world(json!({}));
    provider.lifetime.set(1);
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    let mut late = kit::gateway(json!({}), &provider);
    provider.down.set(true);
    for _ in 0..60 {
        pass(&mut gateway, &provider, 3);
        pass(&mut late, &provider, 3);
        assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
        assert_eq!(Browser::default().visit(&mut late, "/").status(), 503);
    }
    provider.down.set(false);
    let asked = provider.count("/token");
    pass(&mut gateway, &provider, 5);
    pass(&mut late, &provider, 5);
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    assert_eq!(provider.count("/token"), asked + 1, "the access token is made anew");
    assert_eq!(Browser::default().visit(&mut late, "/").status(), 303);
}

#[test]
fn nobody_is_sent_to_a_provider_that_has_gone_away() {
    let (mut gateway, provider) = world(json!({}));
    let begin = |gateway: &mut Gateway| Browser::default().visit(gateway, "/").status();
    for _ in 0..3 {
        assert_eq!(begin(&mut gateway), 303);
    }
    assert_eq!(provider.count(kit::provider::PATH), 1, "what is known of a moment ago counts");
    // Nobody waits that long for the real gateway: a token that it cannot make tells as well.
    if kit::is_real() {
        return;
    }
    provider.down.set(true);
    pass(&mut gateway, &provider, 5);
    for _ in 0..3 {
        let answer = Browser::default().visit(&mut gateway, "/");
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("5")));
    }
    assert_eq!(provider.count(kit::provider::PATH), 2, "it is not asked for each login");
    for _ in 0..30 {
        pass(&mut gateway, &provider, 1);
        assert_eq!(begin(&mut gateway), 503);
    }
    let asked = provider.count(kit::provider::PATH);
    assert!(asked <= 2 + 17, "every two seconds: {asked}");
    provider.down.set(false);
    pass(&mut gateway, &provider, 2);
    assert_eq!(begin(&mut gateway), 303);
}

#[test]
fn a_provider_that_does_not_answer_in_time_is_not_there() {
    let (mut gateway, provider) = world(json!({}));
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 303);
    if kit::is_real() {
        return;
    }
    pass(&mut gateway, &provider, 5);
    provider.answer_instead(kit::provider::PATH, |_| Response::new(200).after(Duration::from_secs(8)));
    let begun = gateway.now();
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 503);
    assert_eq!((gateway.now() - begun).as_secs(), 3, "the user does not wait for longer");
    provider.instead.borrow_mut().clear();
    pass(&mut gateway, &provider, 2);
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 303);
}

#[test]
fn a_login_that_leaves_while_the_provider_is_asked_lets_others_ask() {
    let (mut gateway, provider) = world(json!({}));
    provider.answer_instead(kit::provider::PATH, |_| Response::new(503).after(Duration::from_secs(1)));
    assert!(gateway.abandon(Browser::default().request("GET", "/").header("accept", "text/html")));
    provider.instead.borrow_mut().clear();
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 303);
}

#[test]
fn a_token_that_cannot_be_had_tells_that_the_provider_has_gone_away() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/");
    // An answer that makes no sense is one: whoever brings an odd code keeps nobody else out.
    provider.answer_instead("/token", |_| Response::new(500));
    assert_eq!(browser.clone().visit(&mut gateway, &back).status(), 503);
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 303);
    let back = browser.to_provider(&mut gateway, &provider, "/");
    provider.down.set(true);
    assert_eq!(browser.visit(&mut gateway, &back).status(), 503);
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 503);
    provider.down.set(false);
    provider.instead.borrow_mut().clear();
    pass(&mut gateway, &provider, 2);
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 303);
}

#[test]
fn groups_that_have_no_room_let_nobody_in() {
    for (length, status) in [(16_000, 200), (16_400, 403)] {
        let (mut gateway, provider) = world(json!({
            "search_user_info": true, "authenticated_groups_claim": ["groups"], "session_storage": "local",
        }));
        let said = json!({ "sub": "alice", "groups": ["g".repeat(length)] }).to_string();
        provider.answer_instead("/userinfo", move |_| Response::new(200).body(said.clone()));
        let mut browser = Browser::default();
        browser.log_in(&mut gateway, &provider, "/");
        assert_eq!(browser.visit(&mut gateway, "/").status(), status);
    }
}

#[test]
fn names_of_kongs_plugin_that_mean_the_same_are_taken() {
    let config = json!({
        "ssl_verify": true, "session_cookie_http_only": true, "authorization_cookie_http_only": true,
        "verify_nonce": true, "verify_claims": true, "verify_signature": true, "response_mode": "query",
        "response_type": ["code"], "login_action": "redirect", "login_methods": ["authorization_code"],
    });
    let (mut gateway, provider) = world(config);
    Browser::default().log_in(&mut gateway, &provider, "/");
}

#[test]
fn a_request_is_pushed_where_that_is_wanted() {
    for (more, asks) in [
        (json!({ "require_pushed_authorization_requests": true }), false),
        (json!({}), true),
        (json!({ "client_secret": null }), true),
        (json!({ "client_auth": ["client_secret_post"] }), true),
    ] {
        let (mut gateway, provider) = world(more.clone());
        provider.set(&provider.discovery, move |said| {
            said["require_pushed_authorization_requests"] = asks.into();
        });
        provider.answer_instead("/par", |received| {
            let form = plugin_sdk::Query::parse(received.body());
            for name in ["client_id", "state", "nonce", "code_challenge", "redirect_uri"] {
                let basic = name == "client_id" && received.header("authorization").is_some();
                assert!(form.values(name).count() == 1 || basic, "{name}");
            }
            kit::provider::answer_with(201, &json!({ "request_uri": "urn:request:1", "expires_in": 60 }))
        });
        let answer = Browser::default().visit(&mut gateway, "/");
        let location = answer.header("location").unwrap();
        assert_eq!(
            location, "https://idp.example/authorize?client_id=shop&request_uri=urn%3Arequest%3A1",
            "{more}"
        );
    }
    let (mut gateway, _) = world(json!({ "require_pushed_authorization_requests": true }));
    assert_eq!(
        Browser::default().visit(&mut gateway, "/").status(),
        503,
        "it is not sent without being pushed"
    );
}

#[test]
fn without_a_redirect_uri_users_come_back_to_where_they_were() {
    let (mut gateway, provider) = world(json!({ "redirect_uri": null }));
    let mut browser = Browser::default();
    let answer = browser.visit(&mut gateway, "/orders?page=2");
    let asked = arguments(answer.header("location").unwrap());
    assert_eq!(asked.get("redirect_uri"), Some("http://app.example/orders"));
    provider.clock.set(kit::now(&gateway));
    let (code, state) = (provider.code(&asked), asked.get("state").unwrap());
    let back = format!("/orders?code={code}&state={state}&iss=https%3A%2F%2Fidp.example");
    let answer = browser.visit(&mut gateway, &back);
    assert_eq!(
        (answer.status(), answer.header("location")),
        (303, Some("/orders?page=2")),
        "{}",
        answer.text()
    );
    // Arguments of the same names that are the page's own.
    let answer = browser.visit(&mut gateway, "/coupon?code=1&state=BY");
    assert_eq!(answer.upstream().path_and_query(), "/coupon?code=1&state=BY");
    assert_eq!(Browser::default().visit(&mut gateway, "/coupon?code=1&state=BY").status(), 303);
}
