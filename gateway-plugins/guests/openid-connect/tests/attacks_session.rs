//! What must not pass for a session, and what ends one.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod kit;

use std::rc::Rc;

use kit::{
    Browser, CLIENT, ISSUER, Provider, SESSION, arguments, assert_silent, cookies, gateway, is_real, pass,
    world,
};
use plugin_sdk::{
    serde_json::Value,
    testing::{Answer, Gateway, json},
};

fn logged_in(more: Value) -> (Gateway, Rc<Provider>, Browser) {
    let (mut gateway, provider) = world(more);
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    (gateway, provider, browser)
}

/// A browser with just this session's cookie.
fn with(value: &str) -> Browser {
    let mut browser = Browser::default();
    browser.cookies.insert(SESSION.to_owned(), value.to_owned());
    browser
}

#[test]
fn a_changed_session_is_none() {
    for storage in ["cookie", "local"] {
        let (mut gateway, _, browser) = logged_in(json!({ "session_storage": storage }));
        let value = browser.session().unwrap();
        let mut wrong = vec![
            value[1..].to_owned(),
            value[..value.len() - 1].to_owned(),
            value[..10].to_owned(),
            format!("{value}A"),
            format!("{value}="),
            format!("1.{value}"),
            format!("2.{value}"),
            String::new(),
            "%00".to_owned(),
            value.to_ascii_lowercase(),
        ];
        for at in [0, 3, 5, 19, 20, value.len() / 2, value.len() - 22, value.len() - 2] {
            let mut changed = value.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            wrong.push(String::from_utf8(changed).unwrap());
        }
        for value in wrong {
            let answer = with(&value).visit(&mut gateway, "/");
            assert_eq!((answer.status(), answer.is_forwarded()), (303, false), "{storage} {value}");
        }
        assert_eq!(with(value).visit(&mut gateway, "/").status(), 200);
    }
}

#[test]
fn a_cookie_that_another_host_of_the_domain_has_put_beside_it_is_none() {
    let (mut gateway, provider, browser) = logged_in(json!({}));
    let mut attacker = Browser::default();
    attacker.log_in(&mut gateway, &provider, "/");
    for line in [
        format!("{SESSION}={}; {}", attacker.session().unwrap(), browser.line()),
        format!("{}; {SESSION}={}", browser.line(), attacker.session().unwrap()),
    ] {
        let request = Browser::default().request("GET", "/").header("accept", "text/html");
        assert_eq!(gateway.send(request.header("cookie", &line)).status(), 303);
    }
    let twice = format!("{}; {}", browser.line(), browser.line());
    assert_eq!(gateway.send(Browser::default().request("GET", "/").header("cookie", &twice)).status(), 200);
}

#[test]
fn a_session_in_pieces_is_whole_or_none() {
    let (mut gateway, provider) = world(json!({}));
    provider.set(&provider.claims, |claims| claims["groups"] = json!("g".repeat(4000)));
    let mut browser = Browser::default();
    let ended = browser.log_in(&mut gateway, &provider, "/");
    let pieces = cookies(&ended).into_iter().filter(|(name, ..)| name.starts_with(SESSION)).count();
    assert!(pieces >= 2, "{pieces}");
    assert!(ended.headers().all(|(name, value)| name != "set-cookie" || value.len() <= 4096));
    let answer = browser.visit(&mut gateway, "/");
    assert_eq!((answer.status(), answer.upstream().header("cookie")), (200, None));
    let second = format!("{SESSION}-1");
    let swapped = |browser: &mut Browser| {
        let (a, b) = (browser.cookies[SESSION].clone(), browser.cookies[&second].clone());
        let (count, first) = a.split_once('.').unwrap();
        browser.cookies.insert(SESSION.to_owned(), format!("{count}.{b}"));
        browser.cookies.insert(second.clone(), first.to_owned());
    };
    let missing = |browser: &mut Browser| drop(browser.cookies.remove(&second));
    let fewer = |browser: &mut Browser| {
        let value = browser.cookies[SESSION].split_once('.').unwrap().1.to_owned();
        browser.cookies.insert(SESSION.to_owned(), value);
    };
    for change in [&swapped as &dyn Fn(&mut Browser), &missing, &fewer] {
        let mut changed = browser.clone();
        change(&mut changed);
        assert_eq!(changed.visit(&mut gateway, "/").status(), 303);
    }
    // One session's pieces are not another one's.
    let mut other = Browser::default();
    other.log_in(&mut gateway, &provider, "/");
    other.cookies.insert(second.clone(), browser.cookies[&second].clone());
    assert_eq!(other.visit(&mut gateway, "/").status(), 303);
}

#[test]
fn a_session_of_another_client_or_provider_is_none() {
    let (_, provider, browser) = logged_in(json!({}));
    let mut other = gateway(json!({ "client_id": ["other"] }), &provider);
    assert_eq!(browser.clone().visit(&mut other, "/").status(), 303);
    let mut other = gateway(json!({ "issuer": "https://idp.example/realm" }), &provider);
    assert_ne!(browser.clone().visit(&mut other, "/").status(), 200);
    let mut same = gateway(json!({}), &provider);
    assert_eq!(browser.clone().visit(&mut same, "/").status(), 200, "two routes of one client share it");
}

#[test]
fn secrets_can_be_exchanged_and_old_ones_end() {
    let (_, provider, browser) = logged_in(json!({}));
    let new = "another secret of 32 characters!";
    let mut both =
        gateway(json!({ "session_secret": new, "session_previous_secrets": [kit::SEAL] }), &provider);
    assert_eq!(browser.clone().visit(&mut both, "/").status(), 200);
    let mut only = gateway(json!({ "session_secret": new }), &provider);
    assert_eq!(browser.clone().visit(&mut only, "/").status(), 303);
    let mut fresh = Browser::default();
    fresh.log_in(&mut both, &provider, "/");
    assert_eq!(fresh.visit(&mut only, "/").status(), 200, "the new one seals");
}

#[test]
fn other_rules_judge_a_session_anew() {
    let (_, provider, browser) = logged_in(json!({}));
    for (more, status) in [
        (json!({ "scopes_required": ["read"] }), 200),
        (json!({ "scopes_required": ["admin"] }), 403),
        (json!({ "roles_required": ["admin"] }), 403),
        (json!({ "upstream_headers_claims": ["name"], "upstream_headers_names": ["x-name"] }), 200),
    ] {
        let mut other = gateway(more.clone(), &provider);
        let answer = browser.clone().visit(&mut other, "/");
        assert_eq!(answer.status(), status, "{more}");
        if more.get("upstream_headers_names").is_some() {
            assert_eq!(answer.upstream().header("x-name"), Some("Alice"));
        }
    }
}

#[test]
fn a_session_ends_when_it_is_not_used_and_in_the_end() {
    if is_real() {
        // Its clock is the machine's.
        return;
    }
    for storage in ["cookie", "local"] {
        let more = json!({
            "session_storage": storage, "session_idling_timeout": 100, "session_absolute_timeout": 1000,
        });
        let (mut gateway, provider) = world(more);
        provider.lifetime.set(0);
        let mut browser = Browser::default();
        browser.log_in(&mut gateway, &provider, "/");
        let copy = browser.clone();
        for _ in 0..10 {
            pass(&mut gateway, &provider, 90);
            assert_eq!(browser.visit(&mut gateway, "/").status(), 200, "{storage}: it is used");
        }
        if storage == "cookie" {
            assert_eq!(copy.clone().visit(&mut gateway, "/").status(), 303, "a cookie of long ago");
        }
        pass(&mut gateway, &provider, 100);
        assert_eq!(browser.visit(&mut gateway, "/").status(), 303, "{storage}: it lasts no longer");
        let mut browser = Browser::default();
        browser.log_in(&mut gateway, &provider, "/");
        pass(&mut gateway, &provider, 100);
        assert_eq!(browser.visit(&mut gateway, "/").status(), 303, "{storage}: it was not used");
    }
}

#[test]
fn a_session_that_has_ended_is_worth_nothing_to_a_thief() {
    for storage in ["cookie", "local"] {
        let (mut gateway, provider, mut browser) =
            logged_in(json!({ "session_storage": storage, "logout_uri_suffix": "/logout" }));
        let mut thief = browser.clone();
        assert_eq!(thief.visit(&mut gateway, "/").status(), 200);
        let request = browser.request("POST", "/account/logout");
        let answer = browser.send(&mut gateway, request);
        assert_eq!((answer.status(), answer.is_forwarded()), (303, false));
        let location = answer.header("location").unwrap().to_owned();
        assert!(
            location.starts_with("https://idp.example/end?client_id=shop&id_token_hint=ey"),
            "{location}"
        );
        assert!(browser.cookies.is_empty());
        assert_eq!(thief.visit(&mut gateway, "/").status(), 303, "{storage}");
        assert_eq!(provider.count("/token"), 1);
    }
}

#[test]
fn another_site_cannot_log_a_user_out() {
    let more = json!({ "logout_uri_suffix": "/logout", "logout_query_arg": "logout", "logout_methods": ["GET", "POST"] });
    let (mut gateway, _, mut browser) = logged_in(more);
    for (method, target) in [("POST", "/logout"), ("GET", "/logout"), ("GET", "/?logout=1")] {
        for site in ["cross-site", "same-site"] {
            let request = browser.request(method, target).header("sec-fetch-site", site);
            let answer = browser.send(&mut gateway, request);
            assert_eq!(answer.status(), 403, "{method} {target} {site}");
        }
    }
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    let (mut gateway, _, mut browser) = logged_in(json!({ "logout_uri_suffix": "/logout" }));
    assert_eq!(
        browser.visit(&mut gateway, "/logout").status(),
        200,
        "an image is a GET, and logs nobody out"
    );
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    let request = browser
        .request("POST", "/logout")
        .header("sec-fetch-mode", "cors")
        .header("sec-fetch-site", "same-origin");
    let answer = browser.send(&mut gateway, request);
    assert_eq!((answer.status(), answer.header("location"), browser.session()), (204, None, None));
}

#[test]
fn a_logout_comes_back_to_where_the_operator_says() {
    let more = json!({ "logout_query_arg": "logout", "logout_redirect_uri": ["https://app.example/bye"] });
    let (mut gateway, _, browser) = logged_in(more);
    let request = browser.request("POST", "/?logout=x&post_logout_redirect_uri=https://evil.example");
    let answer = gateway.send(request);
    let asked = arguments(answer.header("location").unwrap());
    assert_eq!(asked.values("post_logout_redirect_uri").collect::<Vec<_>>(), ["https://app.example/bye"]);
}

#[test]
fn nobody_says_for_the_user_who_it_is() {
    let more = json!({
        "upstream_headers_claims": ["sub", "email"], "upstream_headers_names": ["x-sub", "x-email"],
        "upstream_id_token_header": "x-id-token", "upstream_user_info_header": "x-user-info",
    });
    let names = ["x-sub", "x-email", "x-id-token", "x-user-info"];
    let forged = |browser: &Browser| {
        let request = browser.request("GET", "/").header("accept", "text/html");
        names.iter().fold(request, |request, name| request.header(name, "admin").header(name, "root"))
    };
    let (mut gateway, _, browser) = logged_in(more.clone());
    let answer = gateway.send(forged(&browser));
    let seen = |answer: &Answer, name| {
        answer
            .upstream()
            .headers()
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(&answer, "x-sub"), ["alice"]);
    assert!(seen(&answer, "x-email").is_empty() && seen(&answer, "x-user-info").is_empty());
    assert!(seen(&answer, "x-id-token").len() == 1 && seen(&answer, "x-id-token")[0].starts_with("ey"));
    for more in [json!({ "anonymous": "nobody" }), json!({ "run_on_preflight": false })] {
        let mut config = kit::config(json!({}));
        for part in [
            &more,
            &json!({ "upstream_headers_claims": ["sub", "email"],
            "upstream_headers_names": ["x-sub", "x-email"], "upstream_id_token_header": "x-id-token",
            "upstream_user_info_header": "x-user-info" }),
        ] {
            part.as_object().unwrap().iter().for_each(|(name, value)| config[name] = value.clone());
        }
        let (gateway, _) = world(config);
        let mut gateway = gateway.consumer("nobody", |nobody| nobody);
        let method = if more.get("anonymous").is_some() { "GET" } else { "OPTIONS" };
        let request = Browser::default().request(method, "/").header("accept", "text/html");
        let answer = gateway.send(names.iter().fold(request, |request, name| request.header(name, "admin")));
        assert!(names.iter().all(|name| seen(&answer, name).is_empty()), "{more}");
    }
}

#[test]
fn claims_cannot_write_header_fields() {
    for name in ["Alice\r\nx-admin: 1", "Alice\nx", "\u{0}", "\u{7f}"] {
        let (mut gateway, provider) =
            world(json!({ "upstream_headers_claims": ["name"], "upstream_headers_names": ["x-name"] }));
        provider.set(&provider.claims, move |claims| claims["name"] = name.into());
        let mut browser = Browser::default();
        browser.log_in(&mut gateway, &provider, "/");
        let answer = gateway.send(browser.request("GET", "/").header("x-name", "forged"));
        assert_eq!(
            (answer.upstream().header("x-name"), answer.upstream().header("x-admin")),
            (None, None),
            "{name:?}"
        );
    }
}

#[test]
fn a_claim_names_a_consumer_and_nothing_else() {
    let more = json!({ "consumer_claim": ["preferred_username"] });
    for (name, told) in [
        (json!("alice"), Some("alice")),
        (json!("Alice"), None),
        (json!("mallory"), None),
        (json!(["alice"]), None),
        (json!("a-1"), Some("alice")),
        (Value::Null, None),
        // The id of a consumer is no user name.
        (json!("00000000-0000-0000-0000-000000000001"), None),
    ] {
        let (gateway, provider) = world(more.clone());
        let mut gateway = gateway.consumer("alice", |alice| alice.custom_id("a-1"));
        let claim = name.clone();
        provider.set(&provider.claims, move |claims| claims["preferred_username"] = claim.clone());
        let mut browser = Browser::default();
        browser.log_in(&mut gateway, &provider, "/");
        let answer = gateway.send(browser.request("GET", "/").header("x-consumer-username", "admin"));
        match told {
            Some(told) => assert_eq!(answer.upstream().header("x-consumer-username"), Some(told)),
            None => assert_eq!((answer.status(), answer.is_forwarded()), (403, false), "{name}"),
        }
    }
}

#[test]
fn a_refresh_that_is_refused_or_of_another_user_ends_the_session() {
    for (word, change) in [
        ("another user", (|claims: &mut Value| claims["sub"] = "mallory".into()) as fn(&mut Value)),
        ("another client", |claims| claims["aud"] = "other".into()),
        ("another issuer", |claims| claims["iss"] = "https://evil.example".into()),
    ] {
        let (mut gateway, provider) = world(json!({}));
        provider.lifetime.set(1);
        let mut browser = Browser::default();
        browser.log_in(&mut gateway, &provider, "/");
        pass(&mut gateway, &provider, 2);
        provider.set(&provider.claims, change);
        assert_eq!(browser.visit(&mut gateway, "/").status(), 303, "{word}");
        // A program is told.
        let answer = gateway.send(browser.request("GET", "/"));
        assert_eq!(answer.status(), 401, "{word}");
    }
    let (mut gateway, provider) = world(json!({}));
    provider.lifetime.set(1);
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    pass(&mut gateway, &provider, 2);
    provider
        .answer_instead("/token", |_| kit::provider::answer_with(400, &json!({ "error": "invalid_grant" })));
    assert_eq!(browser.visit(&mut gateway, "/").status(), 303);
    assert_silent(&gateway, &["refresh-", kit::SECRET]);
}

#[test]
fn a_refresh_whose_client_leaves_lets_others_ask() {
    let (mut gateway, provider) = world(json!({}));
    provider.lifetime.set(1);
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    pass(&mut gateway, &provider, 2);
    provider.lifetime.set(300);
    let late = |_: &_| plugin_sdk::testing::Response::new(503).after(std::time::Duration::from_secs(5));
    provider.answer_instead("/token", late);
    assert!(gateway.abandon(browser.request("GET", "/")), "it waits");
    provider.instead.borrow_mut().clear();
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
}

/// A logout token, with `more` in place of what it says by itself; null takes it away.
fn logout_token(provider: &Provider, header: Value, more: Value) -> String {
    let now = provider.clock.get();
    let mut claims = json!({
        "iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": format!("j{}", provider.count("jti")),
        "sid": "at-the-provider",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    *provider.asked.borrow_mut().entry("jti".to_owned()).or_default() += 1;
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    provider.sign(&header, &claims, 1)
}

fn tell(gateway: &mut Gateway, token: &str) -> u16 {
    let request = plugin_sdk::testing::Request::post("/backchannel", format!("logout_token={token}"));
    let request = request.host(kit::HOST).header("content-type", "application/x-www-form-urlencoded");
    let answer = gateway.send(request);
    assert!(!answer.is_forwarded());
    answer.status()
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "1", "typ": "logout+jwt" })
}

#[test]
fn the_provider_logs_users_out() {
    for (storage, more) in
        [("cookie", json!({})), ("local", json!({})), ("cookie", json!({ "sid": null, "sub": "alice" }))]
    {
        let (mut gateway, provider, mut browser) =
            logged_in(json!({ "session_storage": storage, "backchannel_logout_path": "/backchannel" }));
        let somebody = logout_token(&provider, header(), json!({ "sid": "another" }));
        assert_eq!(tell(&mut gateway, &somebody), 200);
        assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
        let token = logout_token(&provider, header(), more);
        assert_eq!(tell(&mut gateway, &token), 200);
        assert_eq!(browser.visit(&mut gateway, "/").status(), 303);
        assert_eq!(tell(&mut gateway, &token), 400, "it is good for one time");
    }
}

#[test]
fn nobody_else_logs_users_out() {
    let (mut gateway, provider, mut browser) =
        logged_in(json!({ "backchannel_logout_path": "/backchannel" }));
    let now = provider.clock.get();
    for more in [
        json!({ "events": null }),
        json!({ "events": {} }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": true } }),
        json!({ "nonce": "x" }),
        json!({ "iat": now - 1000 }),
        json!({ "iat": now + 1000 }),
        json!({ "iat": null }),
        json!({ "exp": now - 10 }),
        json!({ "jti": null }),
        json!({ "sid": null }),
        json!({ "aud": "other" }),
        json!({ "iss": "https://evil.example" }),
    ] {
        let token = logout_token(&provider, header(), more.clone());
        assert_eq!(tell(&mut gateway, &token), 400, "{more}");
    }
    for header in [
        json!({ "alg": "none", "kid": "1" }),
        json!({ "alg": "HS256", "kid": "1" }),
        json!({ "alg": "ES256", "kid": "2" }),
        json!({ "alg": "ES256", "kid": "1", "typ": "at+jwt" }),
    ] {
        let token = logout_token(&provider, header.clone(), json!({}));
        assert_eq!(tell(&mut gateway, &token), 400, "{header}");
    }
    for token in ["", "a.b.c", "x&logout_token=y"] {
        assert_eq!(tell(&mut gateway, token), 400);
    }
    assert_eq!(browser.visit(&mut gateway, "/").status(), 200);
    assert!(gateway.lines().iter().all(|(_, line)| !line.contains("eyJ")));
}
