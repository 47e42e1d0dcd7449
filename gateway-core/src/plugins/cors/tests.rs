use std::collections::BTreeMap;

use http::{Request, Response};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cors, origins::normalized};
use crate::{
    Body,
    plugin::Plugin,
    plugins::testing::{handler, run},
};

type Fields = BTreeMap<String, Vec<String>>;

fn fields(response: &Response<Body>) -> Fields {
    let headers = response.headers();
    let values =
        |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    headers.keys().map(|name| (name.to_string(), values(name))).collect()
}

fn expected(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect()
}

fn preflight(config: &Value, origin: &str, more: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::options("/").header("origin", origin);
    request = request.header("access-control-request-method", "GET");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    run(&*handler(&Cors::new(), config), &mut request, Response::default())
        .map_or_else(|answer| *answer, |_| unreachable!("not answered"))
}

/// A plain request, and what becomes of the upstream's answer.
fn call(config: &Value, origin: Option<&str>, upstream: &[(&str, &str)]) -> Fields {
    let mut request = Request::get("/");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let mut answer = Response::builder();
    for (name, value) in upstream {
        answer = answer.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let answer = answer.body(Body::empty()).unwrap();
    fields(&run(&*handler(&Cors::new(), config), &mut request, answer).expect("passed on"))
}

#[test]
fn a_preflight_without_config_is_allowed_all() {
    let response = preflight(&json!({}), "http://a.example", &[]);
    assert_eq!(response.status(), 200);
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(0));
    assert_eq!(
        fields(&response),
        expected(&[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"),
        ])
    );
}

#[test]
fn a_preflight_is_told_what_is_configured() {
    let config = json!({
        "origins": ["http://a.example", "http://b.example"], "methods": ["GET", "POST"], "max_age": 600,
        "headers": ["x-a", "x-b"], "exposed_headers": ["x-c"], "credentials": true,
    });
    let response = preflight(&config, "http://b.example", &[("access-control-request-headers", "x-z")]);
    let common = [
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-headers", "x-a,x-b"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ];
    let mut allowed = common.to_vec();
    allowed.push(("access-control-allow-origin", "http://b.example"));
    assert_eq!(fields(&response), expected(&allowed));
    // A refused origin gets all but Allow-Origin.
    assert_eq!(fields(&preflight(&config, "http://c.example", &[])), expected(&common));
}

#[test]
fn a_preflight_gets_the_headers_and_the_private_network_it_asks_for() {
    let asked =
        [("access-control-request-headers", "x-a, x-b"), ("access-control-request-private-network", "true")];
    let response = preflight(&json!({ "private_network": true }), "http://a.example", &asked);
    assert_eq!(response.headers()["access-control-allow-headers"], "x-a, x-b");
    assert_eq!(response.headers()["access-control-allow-private-network"], "true");
    let response = preflight(&json!({}), "http://a.example", &asked);
    assert!(!response.headers().contains_key("access-control-allow-private-network"));
}

#[test]
fn options_that_are_no_preflight_go_to_the_upstream() {
    let handler = handler(&Cors::new(), &json!({}));
    for name in ["origin", "access-control-request-method"] {
        let mut request = Request::options("/").header(name, "GET").body(Body::empty()).unwrap();
        assert!(run(&*handler, &mut request, Response::default()).is_ok());
    }
}

#[test]
fn a_preflight_may_be_left_to_the_upstream_untouched() {
    let handler = handler(&Cors::new(), &json!({ "preflight_continue": true }));
    let mut request = Request::options("/")
        .header("origin", "http://a.example")
        .header("access-control-request-method", "GET")
        .body(Body::empty())
        .unwrap();
    let upstream = Response::builder().header("access-control-allow-origin", "up").body(Body::empty());
    let response = run(&*handler, &mut request, upstream.unwrap()).expect("passed on");
    assert_eq!(fields(&response), expected(&[("access-control-allow-origin", "up")]));
}

#[test]
fn answers_are_marked_with_or_without_an_origin() {
    assert_eq!(call(&json!({}), None, &[]), expected(&[("access-control-allow-origin", "*")]));
    let one = json!({ "origins": ["http://a.example"], "exposed_headers": ["x-a", "x-b"] });
    let marked = expected(&[
        ("access-control-allow-origin", "http://a.example"),
        ("access-control-expose-headers", "x-a,x-b"),
        ("vary", "Origin"),
    ]);
    assert_eq!(call(&one, None, &[]), marked);
    assert_eq!(call(&one, Some("http://other.example"), &[]), marked);
}

#[test]
fn what_the_upstream_says_of_origins_is_replaced() {
    let two = json!({ "origins": ["http://a.example", "http://b.example"] });
    let upstream = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("vary", "Accept"),
    ];
    let mut answer = call(&two, Some("http://c.example"), &upstream);
    assert_eq!(answer.remove("vary").unwrap(), ["Accept", "Origin"]);
    assert!(answer.is_empty());
    let answer = call(&two, Some("http://b.example"), &upstream);
    assert_eq!(answer["access-control-allow-origin"], ["http://b.example"]);
    assert!(!answer.contains_key("access-control-allow-credentials"), "nobody has granted that");
    assert!(!call(&two, None, &upstream).contains_key("access-control-allow-origin"));
}

#[test]
fn credentials_turn_the_star_into_the_origin() {
    let config = json!({ "credentials": true });
    assert_eq!(
        call(&config, Some("http://a.example"), &[]),
        expected(&[
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "http://a.example"),
            ("vary", "Origin"),
        ])
    );
    assert_eq!(call(&config, None, &[]), expected(&[("access-control-allow-origin", "*")]));
    let listed = json!({ "credentials": true, "origins": ["http://b.example", "*"] });
    assert_eq!(
        call(&listed, Some("http://a.example"), &[])["access-control-allow-origin"],
        ["http://a.example"]
    );
}

#[test]
fn patterns_hold_against_the_host_or_with_a_colon_the_whole_origin() {
    let allows = |entries: &[&str], origin: &str| {
        let answer = call(&json!({ "origins": entries }), Some(origin), &[]);
        answer.get("access-control-allow-origin").cloned().map(|values| values.concat())
    };
    let some = |origin: &str| Some(origin.to_owned());
    assert_eq!(allows(&[r".*\.a\.example"], "https://x.a.example:8443"), some("https://x.a.example:8443"));
    assert_eq!(allows(&[r"^.*\.a\.example$"], "http://x.a.example"), some("http://x.a.example"));
    assert_eq!(allows(&[r".*\.a\.example"], "http://x.a.example.evil.example"), None);
    assert_eq!(allows(&[r".*\.a\.example|b\.example"], "http://x.a.example.evil.example"), None);
    assert_eq!(allows(&[r"https://.*\.a\.example(:\d+)?"], "http://x.a.example"), None);
    assert_eq!(allows(&[r"https://.*\.a\.example"], "https://x.a.example:443"), some("https://x.a.example"));
    assert_eq!(allows(&["http://a.example:80", "x"], "http://a.example"), some("http://a.example"));
    assert_eq!(allows(&["http://a.example", "x"], "http://a.example:81"), None);
    assert_eq!(allows(&["http://a.example", "null"], "null"), some("null"));
}

#[test]
fn what_cannot_work_is_refused_with_its_field() {
    let why = |config: Value| Cors::new().configure(&config).unwrap_err();
    assert!(why(json!({ "origins": ["*", "(a"] })).starts_with("origins[1]: '(a' is not a valid regex"));
    assert!(why(json!({ "methods": ["GET", "get"] })).starts_with("methods[1]: expected one of: GET,"));
    assert_eq!(why(json!({ "headers": ["a\n"] })), "headers: cannot stand in a header field");
}

proptest! {
    #[test]
    fn normalizing_any_text_keeps_it_or_drops_its_tail(text in ".*") {
        let (normal, host) = normalized(&text);
        prop_assert!(text.contains(host));
        prop_assert_eq!(normalized(&normal).0, normal.as_ref());
    }
}
