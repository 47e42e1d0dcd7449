//! What must not lead to a session (RFC 9700, RFC 9207, RFC 7636; OpenID Connect Core 1.0, section 3.1.3.7).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod kit;

use std::rc::Rc;

use kit::{
    Browser, CALLBACK, CLIENT, HOST, Provider, SESSION, arguments, assert_silent, cookies, gateway, is_real,
    pass, provider::answer_with, world,
};
use plugin_sdk::{
    serde_json::Value,
    testing::{Answer, Gateway, Response, json},
};

/// A login comes back: what came of it, which must be no session.
fn refused(browser: &mut Browser, gateway: &mut Gateway, back: &str) -> Answer {
    let answer = browser.visit(gateway, back);
    assert!(!answer.is_forwarded() && answer.header("location").is_none(), "{back}: {}", answer.text());
    assert_eq!(browser.session(), None, "{back}");
    answer
}

/// The same for a provider whose ID tokens are changed.
fn with_claims(change: impl Fn(&mut Value) + 'static) -> Answer {
    with(|provider| provider.set(&provider.claims, change))
}

fn with(change: impl FnOnce(&Provider)) -> Answer {
    let (mut gateway, provider) = world(json!({}));
    change(&provider);
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/private");
    let answer = refused(&mut browser, &mut gateway, &back);
    assert!(browser.cookies.is_empty(), "the login is used up");
    assert_silent(&gateway, &["code-1", "refresh-", kit::SECRET]);
    answer
}

#[test]
fn a_state_that_is_missing_or_unknown_is_refused() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    for back in [
        "/callback",
        "/callback?code=code-1",
        "/callback?code=code-1&state=",
        "/callback?code=code-1&state=short",
        "/callback?code=code-1&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/callback?code=code-1&state=%00%00%00%00%00%00%00%00%00",
        "/callback?error=access_denied",
    ] {
        assert_eq!(refused(&mut browser, &mut gateway, back).status(), 400, "{back}");
    }
    assert_eq!(provider.count("/token"), 0);
}

#[test]
fn a_login_of_another_browser_is_refused() {
    let (mut gateway, provider) = world(json!({}));
    // The attacker's own code and state, in a link that the victim follows (login CSRF).
    let back = Browser::default().to_provider(&mut gateway, &provider, "/");
    let mut victim = Browser::default();
    assert_eq!(refused(&mut victim, &mut gateway, &back).status(), 400);
    // The victim has a login of its own under way.
    victim.to_provider(&mut gateway, &provider, "/");
    assert_eq!(refused(&mut victim, &mut gateway, &back).status(), 400);
    assert_eq!(provider.count("/token"), 0);
}

#[test]
fn a_state_that_only_begins_like_the_own_one_is_refused() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/");
    let state = arguments(&back).get("state").unwrap().to_owned();
    let other = format!("{}{}", &state[..8], "A".repeat(state.len() - 8));
    assert_eq!(refused(&mut browser, &mut gateway, &back.replace(&state, &other)).status(), 400);
}

#[test]
fn a_login_is_good_for_one_time() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/");
    let mut before = browser.clone();
    assert_eq!(browser.visit(&mut gateway, &back).status(), 303);
    // The very cookies from before, and the very address.
    assert_eq!(refused(&mut before, &mut gateway, &back).status(), 400);
    assert_eq!(provider.count("/token"), 1);
}

#[test]
fn a_login_that_took_too_long_is_refused() {
    let (mut gateway, provider) = world(json!({ "authorization_rolling_timeout": 1 }));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/");
    pass(&mut gateway, &provider, 2);
    assert_eq!(refused(&mut browser, &mut gateway, &back).status(), 400);
}

#[test]
fn a_changed_cookie_of_a_login_is_refused() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/");
    let (name, value) = browser.cookies.pop_first().unwrap();
    for at in [0, 3, 4, 20, value.len() / 2, value.len() - 1] {
        let mut changed = value.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let mut browser = Browser::default();
        browser.cookies.insert(name.clone(), String::from_utf8(changed).unwrap());
        assert_eq!(refused(&mut browser, &mut gateway, &back).status(), 400, "letter {at}");
    }
    assert_eq!(provider.count("/token"), 0);
}

#[test]
fn a_cookie_of_another_client_or_for_another_purpose_is_refused() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    let back = browser.to_provider(&mut gateway, &provider, "/");
    // The same secret seals the cookies of both.
    let mut other = kit::gateway(json!({ "client_id": ["other"] }), &provider);
    assert_eq!(refused(&mut browser.clone(), &mut other, &back).status(), 400);
    // A login's cookie is no session, and a session's is no login.
    let login = browser.cookies.values().next().unwrap().clone();
    let mut forger = Browser::default();
    forger.cookies.insert(SESSION.to_owned(), login);
    assert_eq!(forger.visit(&mut gateway, "/").status(), 303);
    let name = browser.cookies.keys().next().unwrap().clone();
    let mut user = Browser::default();
    user.log_in(&mut gateway, &provider, "/");
    let mut forger = Browser::default();
    forger.cookies.insert(name, user.session().unwrap().clone());
    assert_eq!(refused(&mut forger, &mut gateway, &back).status(), 400);
}

#[test]
fn a_code_of_somebody_elses_login_is_refused() {
    let (mut gateway, provider) = world(json!({}));
    let stolen = Browser::default().to_provider(&mut gateway, &provider, "/");
    let mut attacker = Browser::default();
    let back = attacker.to_provider(&mut gateway, &provider, "/");
    let code = |back: &str| arguments(back).get("code").unwrap().to_owned();
    let injected = back.replace(&code(&back), &code(&stolen));
    // PKCE: the code was asked for with another challenge.
    assert_eq!(refused(&mut attacker, &mut gateway, &injected).status(), 401);
}

#[test]
fn a_code_is_not_taken_twice() {
    let (mut gateway, provider) = world(json!({}));
    let mut first = Browser::default();
    let used = first.to_provider(&mut gateway, &provider, "/");
    assert_eq!(first.visit(&mut gateway, &used).status(), 303);
    let mut second = Browser::default();
    let back = second.to_provider(&mut gateway, &provider, "/");
    let code = |back: &str| arguments(back).get("code").unwrap().to_owned();
    let again = back.replace(&code(&back), &code(&used));
    assert_eq!(refused(&mut second, &mut gateway, &again).status(), 401);
}

#[test]
fn pkce_is_not_given_up_for_a_provider_that_does_not_name_it() {
    for methods in [json!(["plain"]), json!([]), Value::Null] {
        let (mut gateway, provider) = world(json!({}));
        provider
            .set(&provider.discovery, move |said| said["code_challenge_methods_supported"] = methods.clone());
        let answer = Browser::default().visit(&mut gateway, "/");
        let asked = arguments(answer.header("location").unwrap());
        assert_eq!(
            (asked.get("code_challenge_method"), asked.get("code_challenge").unwrap().len()),
            (Some("S256"), 43)
        );
    }
}

#[test]
fn a_nonce_that_is_missing_or_another_one_is_refused() {
    assert_eq!(with_claims(|claims| drop(claims.as_object_mut().unwrap().remove("nonce"))).status(), 401);
    for nonce in [json!(""), json!("other"), json!(1), json!(["x"]), Value::Null] {
        assert_eq!(with_claims(move |claims| claims["nonce"] = nonce.clone()).status(), 401);
    }
}

#[test]
fn an_answer_of_another_issuer_is_refused() {
    for (iss, status) in [
        ("&iss=https%3A%2F%2Fevil.example", 400),
        ("&iss=https%3A%2F%2Fidp.example%2F", 400),
        ("&iss=", 400),
        // The provider says that it always names itself.
        ("", 400),
        ("&iss=https%3A%2F%2Fidp.example&iss=https%3A%2F%2Fevil.example", 400),
    ] {
        let (mut gateway, provider) = world(json!({}));
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        let back = back.replace("&iss=https%3A%2F%2Fidp.example", iss);
        assert_eq!(refused(&mut browser, &mut gateway, &back).status(), status, "{iss}");
        assert_eq!(provider.count("/token"), 0, "{iss}: the code is given to nobody");
    }
}

#[test]
fn an_argument_that_stands_twice_is_refused() {
    for more in ["&code=x", "&state=x", "&error=x&error=y"] {
        let (mut gateway, provider) = world(json!({}));
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        assert_eq!(refused(&mut browser, &mut gateway, &format!("{back}{more}")).status(), 400, "{more}");
        assert_eq!(provider.count("/token"), 0);
    }
}

#[test]
fn an_error_of_the_provider_is_told_without_its_words() {
    for (error, status) in [
        ("access_denied", 403),
        ("login_required", 403),
        ("temporarily_unavailable", 503),
        ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", 403),
        ("a%0D%0Aset-cookie%3A%20x%3Dy", 403),
    ] {
        let (mut gateway, provider) = world(json!({}));
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        let state = arguments(&back).get("state").unwrap().to_owned();
        let back = format!(
            "/callback?error={error}&error_description=%3Cb%3Ehello&state={state}&iss=https%3A%2F%2Fidp.example"
        );
        let answer = refused(&mut browser, &mut gateway, &back);
        assert_eq!(answer.status(), status, "{error}");
        assert!(!answer.text().contains("script") && !answer.text().contains("hello"));
        assert!(!answer.headers().any(|(_, value)| value.contains("x=y")));
        assert_silent(&gateway, &["<script", "hello", "\r", "\n"]);
    }
}

#[test]
fn a_login_comes_back_to_this_host_only() {
    for target in [
        "//evil.example",
        "//evil.example/x",
        "/\\evil.example",
        "/%5Cevil.example",
        "/%2F/evil.example",
        "/a%0d%0alocation:%20https://evil.example",
        "/?next=https://evil.example",
        "/@evil.example",
    ] {
        let (mut gateway, provider) = world(json!({}));
        let mut browser = Browser::default();
        let answer = browser.visit(&mut gateway, target);
        // The gateway itself may refuse such a target.
        let Some(location) = answer.header("location") else { continue };
        provider.clock.set(kit::now(&gateway));
        let back = provider.authorize(location);
        let answer = browser.visit(&mut gateway, &back);
        let location = answer.header("location").unwrap();
        assert!(location.starts_with('/') && !location.starts_with("//"), "{target}: {location}");
        assert!(!location.contains(['\\', '\r', '\n']), "{target}: {location}");
        assert!(answer.headers().all(|(name, _)| name != "refresh"));
    }
}

#[test]
fn the_callback_is_that_of_the_configuration_whatever_host_is_asked() {
    let (mut gateway, _) = world(json!({}));
    for host in ["evil.example", "app.example:8443", "app.example.evil.example"] {
        let request = plugin_sdk::testing::Request::get("/").host(host).header("accept", "text/html");
        let answer = gateway.send(request.header("x-forwarded-host", "evil.example"));
        let asked = arguments(answer.header("location").unwrap());
        assert_eq!(asked.get("redirect_uri"), Some(CALLBACK), "{host}");
    }
}

#[test]
fn a_session_from_before_the_login_is_not_gone_on_with() {
    for storage in ["cookie", "local"] {
        let (mut gateway, provider) = world(json!({ "session_storage": storage }));
        // The attacker's session, which it has put into the victim's browser.
        let mut attacker = Browser::default();
        attacker.log_in(&mut gateway, &provider, "/");
        let fixed = attacker.session().unwrap().clone();
        let mut victim = Browser::default();
        let back = victim.to_provider(&mut gateway, &provider, "/");
        victim.cookies.insert(SESSION.to_owned(), fixed.clone());
        assert_eq!(victim.visit(&mut gateway, &back).status(), 303);
        assert_ne!(victim.session(), Some(&fixed));
        assert_eq!(victim.visit(&mut gateway, "/").status(), 200);
        assert_eq!(attacker.visit(&mut gateway, "/").status(), 303, "{storage}: it is over");
        // One that nobody has given out.
        let mut made_up = Browser::default();
        made_up.cookies.insert(SESSION.to_owned(), "A".repeat(43));
        assert_eq!(made_up.visit(&mut gateway, "/").status(), 303);
    }
}

#[test]
fn cookies_are_for_this_host_and_no_script() {
    let (mut gateway, provider) = world(json!({}));
    let mut browser = Browser::default();
    let begun = browser.visit(&mut gateway, "/");
    provider.clock.set(kit::now(&gateway));
    let back = provider.authorize(begun.header("location").unwrap());
    let ended = browser.visit(&mut gateway, &back);
    for answer in [&begun, &ended] {
        for (_, cookie) in answer.headers().filter(|(name, _)| *name == "set-cookie") {
            assert!(cookie.starts_with("__Host-"), "{cookie}");
            for attribute in ["; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain") && cookie.len() <= 4096);
        }
    }
    assert_eq!(cookies(&ended).len(), 2);
    // What goes along says nothing to whoever holds it.
    let seen = begun.headers().map(|(_, value)| value).collect::<String>();
    assert!(!seen.contains("/private") && !seen.contains("code_verifier"));
}

#[test]
fn a_browser_has_few_logins_under_way() {
    let (mut gateway, _) = world(json!({}));
    let mut browser = Browser::default();
    for _ in 0..20 {
        assert_eq!(browser.visit(&mut gateway, "/").status(), 303);
        assert!(browser.cookies.len() <= 4);
    }
}

#[test]
fn an_id_token_that_is_not_signed_by_the_provider_is_refused() {
    assert_eq!(with(|provider| provider.forges.set(true)).status(), 401, "another key");
    for algorithm in ["none", "None", "NONE", "HS256", "RS256", "ES384", "", "x"] {
        let change = move |header: &mut Value| header["alg"] = algorithm.into();
        assert_eq!(with(|provider| provider.set(&provider.header, change)).status(), 401, "{algorithm}");
    }
    assert_eq!(with(|it| it.set(&it.header, |header| header["alg"] = Value::Null)).status(), 401);
    // Without a signature at all.
    let bare = |tokens: &mut Value| {
        let token = tokens["id_token"].as_str().unwrap().rsplit_once('.').unwrap().0.to_owned();
        tokens["id_token"] = format!("{token}.").into();
    };
    assert_eq!(with(|provider| provider.set(&provider.tokens, bare)).status(), 401);
}

#[test]
fn keys_that_a_token_brings_itself_count_for_nothing() {
    for (name, value) in [
        ("jwk", json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" })),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["AAAA"])),
    ] {
        let asked: Rc<std::cell::Cell<bool>> = Rc::default();
        let answer = with(|provider| {
            provider.forges.set(true);
            provider.set(&provider.header, move |header| header[name] = value.clone());
        });
        assert_eq!((answer.status(), asked.get()), (401, false), "{name}");
        assert!(answer.callouts().iter().all(|(service, _)| service == kit::ISSUER));
    }
}

#[test]
fn an_id_token_with_a_header_that_is_not_understood_is_refused() {
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("typ", json!("at+jwt")),
        ("typ", json!("logout+jwt")),
        ("typ", json!("x")),
        ("kid", json!("2")),
        ("kid", json!("../1")),
        ("kid", json!("1' OR '1'='1")),
        ("kid", json!("k".repeat(10_000))),
        ("kid", json!(1)),
    ] {
        let (told, change) =
            (format!("{name} {value:.20}"), move |header: &mut Value| header[name] = value.clone());
        assert_eq!(with(|provider| provider.set(&provider.header, change)).status(), 401, "{told}");
    }
}

#[test]
fn an_id_token_for_somebody_else_or_of_another_time_is_refused() {
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://idp.example/")),
        ("iss", json!([kit::ISSUER])),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", json!("shop2")),
        ("aud", json!("sho")),
        ("aud", json!(["other", { "shop": 1 }])),
        ("aud", Value::Null),
        ("aud", json!([[CLIENT]])),
        ("aud", json!([CLIENT, "other"])),
        ("azp", json!("other")),
        ("azp", json!([CLIENT])),
        ("exp", json!(1)),
        ("exp", json!("9999999999")),
        ("exp", Value::Null),
        ("exp", json!(-1)),
        ("exp", json!([9e9])),
        ("nbf", json!(9_999_999_999_u64)),
        ("nbf", json!("0")),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("at_hash", json!("AAAA")),
        ("at_hash", json!(1)),
    ] {
        let told = format!("{name} {value}");
        assert_eq!(with_claims(move |claims| claims[name] = value.clone()).status(), 401, "{told}");
    }
    let gone = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove("exp"));
    assert_eq!(with_claims(gone).status(), 401, "no exp");
}

#[test]
fn several_audiences_are_fine_where_the_client_is_the_party() {
    let (mut gateway, provider) = world(json!({}));
    provider.set(&provider.claims, |claims| {
        claims["aud"] = json!(["other", CLIENT]);
        claims["azp"] = CLIENT.into();
    });
    Browser::default().log_in(&mut gateway, &provider, "/");
}

#[test]
fn a_token_response_that_makes_no_sense_is_refused() {
    for (name, value, status) in [
        ("token_type", json!("DPoP"), 401),
        ("id_token", json!("a.b.c"), 401),
        ("id_token", json!(""), 401),
        ("id_token", Value::Null, 401),
        ("access_token", Value::Null, 503),
    ] {
        let change = move |tokens: &mut Value| tokens[name] = value.clone();
        assert_eq!(with(|provider| provider.set(&provider.tokens, change)).status(), status, "{name}");
    }
    for answer in ["", "{", "[]", "null", "<html>"] {
        let instead = move |_: &_| Response::new(200).body(answer);
        assert_eq!(with(|provider| provider.answer_instead("/token", instead)).status(), 503, "{answer}");
    }
    let no = |_: &_| answer_with(400, &json!({ "error": "invalid_grant", "error_description": "code-1" }));
    assert_eq!(with(|provider| provider.answer_instead("/token", no)).status(), 401);
    let elsewhere = |_: &_| Response::new(307).header("location", "https://evil.example/token");
    assert_eq!(with(|provider| provider.answer_instead("/token", elsewhere)).status(), 503);
}

#[test]
fn a_long_id_token_is_refused() {
    assert_eq!(with_claims(|claims| claims["x"] = "a".repeat(9000).into()).status(), 401);
}

#[test]
fn what_the_provider_says_of_another_user_is_refused() {
    for said in [json!({ "sub": "mallory" }), json!({}), json!({ "sub": ["alice"] }), json!("alice")] {
        let (mut gateway, provider) = world(json!({ "search_user_info": true }));
        let told = said.clone();
        provider.answer_instead("/userinfo", move |_| answer_with(200, &told));
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        assert_eq!(refused(&mut browser, &mut gateway, &back).status(), 401, "{said}");
    }
    let (mut gateway, provider) = world(json!({
        "search_user_info": true, "upstream_headers_claims": ["email"], "upstream_headers_names": ["x-email"],
    }));
    let mut browser = Browser::default();
    browser.log_in(&mut gateway, &provider, "/");
    let answer = browser.visit(&mut gateway, "/");
    assert_eq!(answer.upstream().header("x-email"), Some("alice@example.com"));
}

#[test]
fn a_login_that_is_too_old_for_max_age_is_refused() {
    for time in [json!(1), json!("9999999999"), Value::Null] {
        let (mut gateway, provider) = world(json!({ "max_age": 60 }));
        let auth_time = time.clone();
        provider.set(&provider.claims, move |claims| claims["auth_time"] = auth_time.clone());
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        assert_eq!(refused(&mut browser, &mut gateway, &back).status(), 401, "{time}");
    }
}

/// What discovery says, and what comes of a login.
fn with_discovery(change: impl Fn(&mut Value) + 'static) -> u16 {
    let (mut gateway, provider) = world(json!({}));
    provider.set(&provider.discovery, change);
    let mut browser = Browser::default();
    let answer = browser.visit(&mut gateway, "/");
    assert!(browser.cookies.is_empty() && !answer.is_forwarded());
    assert!(gateway.lines().iter().any(|(_, line)| line.starts_with("discovery_failed")));
    answer.status()
}

#[test]
fn a_provider_that_describes_another_one_is_not_used() {
    for issuer in [
        json!("https://evil.example"),
        json!("https://idp.example/realm"),
        json!("https://idp.example:8443"),
        json!("http://idp.example"),
        json!("https://IDP.example"),
        json!(""),
        Value::Null,
        json!([kit::ISSUER]),
    ] {
        let told = issuer.clone();
        assert_eq!(with_discovery(move |said| said["issuer"] = issuer.clone()), 503, "{told}");
    }
}

#[test]
fn tokens_are_not_sent_in_clear_or_to_odd_addresses() {
    for name in [
        "token_endpoint",
        "userinfo_endpoint",
        "introspection_endpoint",
        "jwks_uri",
        "authorization_endpoint",
    ] {
        for url in [
            "http://idp.example/x",
            "file:///etc/passwd",
            "//evil.example",
            "javascript:alert(1)",
            "https://a b/",
        ] {
            assert_eq!(with_discovery(move |said| said[name] = url.into()), 503, "{name} {url}");
        }
    }
}

#[test]
fn keys_are_not_fetched_from_where_nobody_may_go() {
    // Only the issuer's origin is granted here.
    if is_real() {
        assert_eq!(with_discovery(|said| said["jwks_uri"] = "https://169.254.169.254/keys".into()), 503);
    }
}

#[test]
fn a_description_that_is_huge_or_none_is_not_used() {
    for body in ["x".repeat(300 << 10), String::new(), "{".to_owned(), "[]".to_owned(), "{}".to_owned()] {
        let (mut gateway, provider) = world(json!({}));
        let length = body.len();
        provider.answer_instead(kit::provider::PATH, move |_| Response::new(200).body(body.clone()));
        assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 503, "{length} bytes");
    }
    let (mut gateway, provider) = world(json!({}));
    provider.answer_instead(kit::provider::PATH, |_| {
        Response::new(302).header("location", "https://evil.example")
    });
    assert_eq!(Browser::default().visit(&mut gateway, "/").status(), 503);
}

#[test]
fn keys_that_are_huge_missing_or_none_admit_nobody() {
    let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(300 << 10));
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "1", "k": "AAAA" }] }).to_string();
    for body in [huge, secret, String::new(), "{}".to_owned(), r#"{"keys":[]}"#.to_owned()] {
        let (mut gateway, provider) = world(json!({}));
        provider.answer_instead("/jwks", move |_| Response::new(200).body(body.clone()));
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        let answer = refused(&mut browser, &mut gateway, &back);
        assert!([401, 503].contains(&answer.status()), "{}", answer.status());
    }
}

#[test]
fn whoever_has_not_what_is_wanted_gets_no_session() {
    for (more, status) in [
        (json!({ "scopes_required": ["admin"] }), 403),
        (json!({ "roles_required": ["admin"] }), 403),
        (json!({ "groups_required": ["staff"] }), 403),
        (json!({ "audience_required": ["other"] }), 403),
    ] {
        let (mut gateway, provider) = world(more.clone());
        let mut browser = Browser::default();
        let back = browser.to_provider(&mut gateway, &provider, "/");
        assert_eq!(refused(&mut browser, &mut gateway, &back).status(), status, "{more}");
    }
    let (_, provider) = world(json!({}));
    let mut fine =
        gateway(json!({ "scopes_required": ["openid read"], "audience_required": ["api"] }), &provider);
    Browser::default().log_in(&mut fine, &provider, "/");
    assert_eq!(HOST, "app.example");
}
