//! The flavour `expressions` through a whole gateway (compat A39, P46).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use allocation_counter::measure;
use common::{BOUND, Edge, settings};
use gateway_core::{
    Gateway,
    config::{Config, Route, Service},
    plugins,
    router::{Expression, Flavor, Head, Router},
};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::timeout;

fn expressions() -> gateway_core::Settings {
    let mut settings = settings();
    settings.router_flavor = Flavor::Expressions;
    settings
}

fn route(name: &str, service: &Service, expression: &str, priority: u64) -> Route {
    let mut route = Route::new(name).to(service);
    (route.expression, route.priority) = (Some(expression.into()), Some(priority));
    route
}

/// What is stripped arrives at the upstream (P46); a route by fields stands below and is joined as ever (P38).
#[tokio::test]
async fn p46_an_upstream_gets_what_is_left_of_the_path() {
    let upstream = common::echo::echo().await;
    let mut service = Service::new("s", &upstream.ip().to_string());
    (service.port, service.path) = (upstream.port(), Some("/base".into()));
    let mut kept = route("kept", &service, r#"http.path == "/kept""#, 3);
    kept.strip_path = false;
    let mut classic = Route::new("classic").to(&service);
    classic.paths = Some(vec!["/".into()]);
    let config = Config::default()
        .with(route("prefix", &service, r#"http.path ^= "/api""#, 1))
        .with(route("exact", &service, r#"http.path == "/api/one" && any(http.queries.q) == "1""#, 2))
        .with(route("regex", &service, r##"http.path ~ r#"^/re/\d+"#"##, 1))
        .with(kept)
        .with(classic)
        .with(service);
    let edge = Edge::of(Gateway::builder().config(config).settings(expressions()).build().unwrap());
    for (path, expected) in [
        ("/api/x", "/base/x"),
        ("/apix", "/base/x"),
        ("/api/one", "/base/one"),
        ("/api/one?q=1", "/base?q=1"),
        ("/re/12/x", "/base/x"),
        ("/re/12", "/base"),
        ("/kept", "/base/kept"),
        ("/other/x", "/base/other/x"),
    ] {
        let reply = timeout(BOUND, edge.get(path)).await.unwrap();
        let text = String::from_utf8(reply.body).unwrap();
        assert_eq!((reply.status, text.lines().next()), (200, Some(&*format!("GET {expected}"))), "{path}");
    }
}

#[test]
fn a39_a_file_with_a_wrong_expression_is_refused_with_its_place() {
    let text = r#"
_format_version: "3.0"
routes:
- name: one
  expression: http.path == 1
- name: two
  expression: (http.path ^= "/a"
"#;
    let config = Config::parse(text, &plugins::bundled()).unwrap();
    let built = Gateway::builder().config(config).settings(expressions()).build();
    let Err(problems) = built else { panic!("two problems") };
    let mut told: Vec<_> =
        problems.iter().map(|problem| (problem.path.to_string(), problem.message.clone())).collect();
    told.sort();
    let [(first, mismatch), (second, syntax)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("routes.one.expression", "routes.two.expression"));
    assert_eq!(
        mismatch,
        "Router Expression failed validation: Type mismatch between the LHS and RHS values of predicate\n \
         --> 1:14\n  |\n1 | http.path == 1\n  |              ^\n  |\n  \
         = this is an Int; `http.path` is a String: it takes ==, !=, ~, ^=, =^ and contains with a \"text\""
    );
    assert_eq!(
        syntax,
        "Router Expression failed validation:  --> 1:19\n  |\n1 | (http.path ^= \"/a\"\n  |                   ^---\n  |\n  \
         = expected `&&`, `||` or `)`"
    );
}

#[test]
fn the_examples_of_the_page_are_expressions() {
    let page = include_str!("../../docs/expressions.md");
    let examples = page.split("```expressions\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(examples.lines().count() > 8);
    for example in examples.lines() {
        Expression::parse(example).unwrap_or_else(|error| panic!("{example}\n{error}"));
    }
}

#[test]
fn a_reload_with_a_wrong_expression_changes_nothing() {
    let config = |expression: &str| {
        let mut route = Route::new("r");
        route.expression = Some(expression.into());
        Config::default().with(route)
    };
    let built = Gateway::builder().config(config(r#"http.path == "/""#)).settings(expressions()).build();
    let gateway = built.unwrap();
    assert!(gateway.reload(&config("http.path ==")).is_err());
    assert!(gateway.reload(&config(r#"http.path == "/""#)).unwrap().is_empty());
}

#[test]
fn finding_an_expression_allocates_nothing() {
    let mut route = Route::new("r");
    let text = r##"(http.host == "a.t" || http.host =^ ".a.t") && http.method == "GET" && http.path ^= "/v1"
        && any(lower(http.headers.x_version)) == "two" && http.queries.q == "x y" && net.src.ip in 10.0.0.0/8
        && http.path.segments.1 ~ "^u" && !(http.headers.x_debug == "1")"##;
    route.expression = Some(text.into());
    let router = Router::with_flavor(Flavor::Expressions, [(Arc::new(route), ())]).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-version", HeaderValue::from_static("TWO"));
    let mut head = Head::new(&Method::GET, "b.a.t", "/v1/users", &headers);
    head.query = Some("p=1&q=x+y");
    head.source = Some(([10, 0, 0, 1], 1).into());
    let find = || router.find(&head).map(|found| found.matched);
    assert_eq!(find(), Some(3), "and the regular expression has made its working space");
    assert_eq!(measure(|| assert!(find().is_some())).count_total, 0);
}
