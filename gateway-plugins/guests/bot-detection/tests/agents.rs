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
