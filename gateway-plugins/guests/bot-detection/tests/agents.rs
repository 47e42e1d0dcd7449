//! Who is sent away, by the rows of docs/compat/proxy.md.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use bot_detection::BotDetection;
use plugin_sdk::testing::{Gateway, Request, json};

const GOOGLE: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

#[test]
fn crawlers_are_sent_away_and_others_are_not() {
    // compat P24
    for (config, agent, status) in [
        (json!({}), Some(GOOGLE), 403),
        (json!({}), Some("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"), 200),
        (json!({}), Some("curl/8.5.0"), 200),
        (json!({}), None, 200),
        (json!({ "allow": ["Googlebot"] }), Some(GOOGLE), 200),
        (json!({ "deny": ["^curl/\\d"] }), Some("curl/8.5.0"), 403),
        (json!({ "deny": ["curl"], "allow": ["curl/8"] }), Some("curl/8.5.0"), 200),
    ] {
        let mut gateway = Gateway::new::<BotDetection>(config.clone()).unwrap();
        let request =
            || agent.iter().fold(Request::get("/"), |request, agent| request.header("user-agent", agent));
        let answer = gateway.send(request());
        assert_eq!(answer.status(), status, "{config} {agent:?}");
        if status == 403 {
            assert_eq!(answer.message().as_deref(), Some("Forbidden"));
        }
        assert_eq!(gateway.send(request()).status(), status, "the second time");
    }
}

#[test]
fn two_names_are_one_too_many() {
    let request = Request::get("/").header("user-agent", "a").header("user-agent", "b");
    let answer = Gateway::new::<BotDetection>(json!({})).unwrap().send(request);
    let message = answer.message();
    assert_eq!((answer.status(), message.as_deref()), (400, Some("Only one User-Agent header allowed")));
}

#[test]
fn what_is_no_expression_is_refused() {
    let refused = Gateway::new::<BotDetection>(json!({ "deny": ["a("] })).unwrap_err();
    assert!(refused.ends_with("not a valid regex: a("), "{refused}");
}

#[test]
fn what_a_long_name_costs_is_bounded() {
    // Every expression by itself is cheap for what browsers write.
    let patterns = ["(x+x+)+y", "(.*)(.*)(.*)c$", "^(a|b|ab)*c", "[a-z]{1,40}\\d"];
    for pattern in patterns {
        let mut gateway = Gateway::new::<BotDetection>(json!({ "deny": [pattern] })).unwrap();
        for agent in ["x".repeat(30_000), "ab".repeat(15_000), "é".repeat(15_000)] {
            let status = gateway.send(Request::get("/").header("user-agent", &agent)).status();
            assert_eq!(status, 200, "{pattern} {}", &agent[..2]);
        }
    }
    // What stands beyond is not looked at.
    let mut gateway = Gateway::new::<BotDetection>(json!({})).unwrap();
    let late = |blanks: usize| format!("x{}{GOOGLE}", " ".repeat(blanks));
    assert_eq!(gateway.send(Request::get("/").header("user-agent", &late(200))).status(), 403);
    assert_eq!(gateway.send(Request::get("/").header("user-agent", &late(600))).status(), 200);
}

#[test]
fn an_expression_that_explodes_is_refused() {
    for pattern in ["(a{0,100}){0,100}$", "((a{1,50}){1,50}){1,4}"] {
        let refused = Gateway::new::<BotDetection>(json!({ "allow": [pattern] })).unwrap_err();
        assert!(refused.ends_with(&format!("regex takes too long to match: {pattern}")), "{refused}");
    }
    let usual = [
        "^Mozilla/5\\.0 \\(compatible; [A-Za-z]+/\\d+\\.\\d+",
        "(curl|wget|python-requests|okhttp)/[\\d.]{1,10}",
    ];
    assert!(Gateway::new::<BotDetection>(json!({ "deny": usual })).is_ok());
}
