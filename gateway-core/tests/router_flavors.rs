//! The router's flavours and path templates through the whole gateway: one file, read in each (`docs/routing.md`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Edge, Reply, echo::echo, settings};
use gateway_core::{
    Gateway, Settings,
    config::{Config, Problems},
    plugins,
    router::Flavor,
};

/// A gateway over these routes of one service with the path `/base`, which says what route it found.
async fn gateway(routes: &str, tell: impl FnOnce(&mut Settings)) -> Result<Edge, Problems> {
    let port = echo().await.port();
    let file = format!(
        "_format_version: '3.0'\nservices:\n- name: s\n  url: http://127.0.0.1:{port}/base\n  routes:\n{routes}"
    );
    let mut settings = settings();
    settings.debug_header = true;
    tell(&mut settings);
    let config = Config::parse(&file, &plugins::bundled()).unwrap();
    Gateway::builder().config(config).settings(settings).build().map(Edge::of)
}

/// The route that takes a request for `target`, and what the service is asked for.
async fn sent(edge: &Edge, host: &str, target: &str, fields: &str) -> (String, String) {
    let head = format!(
        "GET {target} HTTP/1.1\r\nhost: {host}\r\nkong-debug: 1\r\n{fields}connection: close\r\n\r\n"
    );
    let reply = Reply::to("GET", &edge.raw(head).await);
    let asked = reply.text().lines().next().and_then(|line| line.strip_prefix("GET ")).unwrap_or_default();
    (reply.header("kong-route-name").to_owned(), asked.to_owned())
}

/// Routes that each flavour ranks in its own way.
const ROUTES: &str = "  - {name: regex, paths: ['~/p/\\d+'], path_handling: v1}
  - {name: headers, paths: [/p], methods: [GET], headers: {x: [One]}, path_handling: v1}
  - {name: longer, paths: [/p/1], path_handling: v1}
";

#[tokio::test]
async fn one_file_goes_three_ways() {
    for (flavor, route, target) in [
        (Flavor::TraditionalCompatible, "regex", "/base/x"),
        (Flavor::Traditional, "headers", "/base/1x"),
        (Flavor::GatewayApi, "regex", "/base/x"),
    ] {
        let edge = gateway(ROUTES, |settings| settings.router_flavor = flavor).await.unwrap();
        let found = sent(&edge, "a.t", "/p/1x", "x: One\r\n").await;
        assert_eq!(found, (route.to_owned(), target.to_owned()), "{flavor}");
    }
}

#[tokio::test]
async fn traditional_honours_path_handling_v1_p38j() {
    let routes = "  - {name: strips, paths: [/api], path_handling: v1}
  - {name: whole, paths: [/whole], path_handling: v1, strip_path: false}
  - {name: v0, paths: [/v0]}
";
    let asked = [
        ("/apix", "/basex", "/base/x"),
        ("/api/x?q=1", "/base/x?q=1", "/base/x?q=1"),
        ("/whole", "/basewhole", "/base/whole"),
        ("/v0x", "/base/x", "/base/x"),
    ];
    let traditional = gateway(routes, |settings| settings.router_flavor = Flavor::Traditional).await.unwrap();
    let compatible = gateway(routes, |_| {}).await.unwrap();
    for (request, v1, v0) in asked {
        assert_eq!(sent(&traditional, "a.t", request, "").await.1, v1, "{request}");
        assert_eq!(sent(&compatible, "a.t", request, "").await.1, v0, "{request}: `v1` has no effect");
    }
    // A service that decodes would read `/basex/..`, which is none of `/base`; `/base/x/..` is.
    assert_eq!(traditional.get("/apix%2F..").await.status, 400);
    assert_eq!(sent(&compatible, "a.t", "/apix%2F..", "").await.1, "/base/x%2F..");
}

#[tokio::test]
async fn gateway_api_matches_elements_exact_paths_and_queries() {
    let routes = "  - {name: prefix, paths: [/x], hosts: ['*.example.com']}
  - {name: exact, paths: ['~/x$'], hosts: ['*.example.com']}
  - {name: query, paths: [/x], hosts: ['*.example.com'], queries: {q: ['1', '~^a']}}
  - {name: host, paths: [/], hosts: [a.example.com]}
";
    let edge = gateway(routes, |settings| settings.router_flavor = Flavor::GatewayApi).await.unwrap();
    for (host, target, route) in [
        ("b.example.com", "/x", "exact"),
        ("c.b.example.com", "/x/y", "prefix"),
        ("b.example.com", "/x/?q=1", "query"),
        ("b.example.com", "/x/?q=%61b", "query"),
        ("b.example.com", "/x/?q=2&q=1", "prefix"),
        ("b.example.com", "/xy", ""),
        ("example.com", "/x", ""),
        ("a.example.com", "/x", "host"),
    ] {
        assert_eq!(sent(&edge, host, target, "").await.0, route, "{host} {target}");
    }
    let problems = gateway(routes, |_| {}).await.err().expect("queries are not Kong's");
    let problem = problems.iter().next().expect("one");
    assert_eq!(problem.message, "belongs to the flavour gateway_api");
    assert!(problem.path.to_string().ends_with("queries"), "{}", problem.path);
}

#[tokio::test]
async fn braces_are_templates_where_the_settings_say_so() {
    let routes = "  - {name: user, paths: ['/users/{id}']}\n  - {name: rest, paths: [/users]}\n";
    let edge = gateway(routes, |settings| settings.path_templates = true).await.unwrap();
    assert_eq!(sent(&edge, "a.t", "/users/7", "").await, ("user".to_owned(), "/base".to_owned()));
    assert_eq!(sent(&edge, "a.t", "/users/7/x", "").await, ("rest".to_owned(), "/base/7/x".to_owned()));
    let without = gateway(routes, |_| {}).await.unwrap();
    assert_eq!(sent(&without, "a.t", "/users/7", "").await.0, "rest");
    assert_eq!(sent(&without, "a.t", "/users/%7Bid%7D/x", "").await.0, "user");

    let wrong = "  - {name: user, paths: [/ok, '/users/{id']}\n";
    let problems =
        gateway(wrong, |settings| settings.path_templates = true).await.err().expect("no brace closes");
    let problem = problems.iter().next().expect("one");
    assert_eq!(problem.message, "at character 8: `{id` has no closing brace");
    assert!(problem.path.to_string().ends_with("paths[1]"), "{}", problem.path);
}

#[tokio::test]
async fn regular_expressions_that_take_too_much_together_are_refused_with_the_limit() {
    let paths: Vec<_> = (0..150).map(|number| format!("'~/{number}/[0-9]{{10000}}'")).collect();
    let routes = format!("  - {{name: large, paths: [{}]}}\n", paths.join(", "));
    let problems = gateway(&routes, |_| {}).await.err().expect("150 of half a mebibyte each");
    let problem = problems.iter().next().expect("one");
    assert!(problem.message.contains("take more than 64 MiB, compiled"), "{}", problem.message);
    assert!(problem.path.to_string().contains("paths["), "{}", problem.path);
    assert_eq!(problems.len(), 1);
}
