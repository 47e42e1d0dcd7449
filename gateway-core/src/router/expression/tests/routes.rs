//! Expressions of routes through the router: ranks, what is stripped, captures, protocols (A39, P46, R21, R22).

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::{
    config::Route,
    router::{Flavor, Match, Router, RuleError},
};

fn route(name: &str, expression: &str) -> Route {
    let mut route = Route::new(name);
    route.expression = Some(expression.into());
    route
}

fn build(routes: impl IntoIterator<Item = Route>) -> Result<Router<String>, Vec<(Arc<Route>, RuleError)>> {
    let named = routes.into_iter().map(|route| {
        let name = route.name.clone().unwrap();
        (Arc::new(route), name)
    });
    Router::with_flavor(Flavor::Expressions, named)
}

fn router(routes: impl IntoIterator<Item = Route>) -> Router<String> {
    build(routes).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn found<'r>(router: &'r Router<String>, given: &Given) -> Option<Match<'r, String>> {
    router.find(&given.head())
}

fn name<'r>(router: &'r Router<String>, given: &Given) -> Option<&'r str> {
    found(router, given).map(|found| found.value.as_str())
}

#[test]
fn what_is_matched_is_the_whole_path_or_the_prefix_p46() {
    let matched = |expression: &str, path: &str| {
        found(&router([route("r", expression)]), &get(path)).map(|found| found.matched)
    };
    assert_eq!(matched(r#"http.path ^= "/api""#, "/api/x"), Some(4));
    assert_eq!(matched(r#"http.path == "/api/x""#, "/api/x"), Some(6));
    assert_eq!(matched(r##"http.path ~ r#"^/re/\d+"#"##, "/re/12/x"), Some(6));
    assert_eq!(matched(r#"http.path ~ "^/.*$""#, "/re/12/x"), Some(8));
    assert_eq!(matched(r#"http.path ^= "/sp a""#, "/sp%20ace"), Some(7));
    assert_eq!(matched(r#"http.path == "/ü""#, "/%C3%BC"), Some(7));
    assert_eq!(matched(r#"lower(http.path) ^= "/ä/b""#, "/%C3%84/Bc"), Some(9));
    for nothing in [
        r#"http.method == "GET""#,
        r#"http.path =^ "x""#,
        r#"http.path contains "x""#,
        r#"http.path != "/""#,
        r#"http.path ~ "x""#,
        r#"!(http.path ^= "/api" && http.method == "PUT")"#,
        r#"http.path.segments.0 == "api""#,
    ] {
        assert_eq!(matched(nothing, "/api/x"), Some(0), "{nothing}");
    }
    assert_eq!(
        matched(r#"http.path ^= "/a" && http.path =^ "x""#, "/api/x"),
        Some(2),
        "a suffix takes nothing"
    );
    assert_eq!(matched(r#"http.path ^= "/b" || http.path ^= "/api""#, "/api/x"), Some(4));
}

#[test]
fn captures_of_the_path_are_there_p46() {
    let router = router([route("r", r##"http.path ~ r#"^/users/(?<id>[^/]+)/(\d)?"#"##)]);
    let given = get("/users/sp%20ace/x");
    let found = found(&router, &given).unwrap();
    let captures = found.captures(&given.path).unwrap();
    assert_eq!((captures.name("id"), captures.get(2)), (Some("sp ace"), None));
    assert_eq!(found.matched, 17 - 1);
    let lower = self::router([route("r", r#"lower(http.path) ~ "^/a/(.)""#)]);
    let given = get("/A/B");
    let found = self::found(&lower, &given).unwrap();
    assert_eq!((found.matched, found.captures(&given.path).is_none()), (4, true));
}

#[test]
fn a_higher_priority_wins_then_the_larger_id_p46_d22() {
    let ranked = |name: &str, priority: u64, id: u128| {
        let mut route = route(name, r#"http.path ^= "/""#);
        (route.priority, route.id) = (Some(priority), Uuid::from_u128(id));
        route
    };
    let top = (1 << 46) - 1;
    assert_eq!(name(&router([ranked("a", 1, 9), ranked("b", 2, 1)]), &get("/")), Some("b"));
    assert_eq!(name(&router([ranked("a", 1, 9), ranked("b", 1, 10)]), &get("/")), Some("b"));
    assert_eq!(name(&router([ranked("a", top, 1), ranked("b", top - 1, 2)]), &get("/")), Some("a"));
    let mut unset = ranked("unset", 0, 1);
    unset.priority = None;
    assert_eq!(name(&router([unset, ranked("zero", 0, 2)]), &get("/")), Some("zero"));
}

#[test]
fn an_expression_beats_every_route_by_fields_r22() {
    let mut fields = Route::new("fields");
    fields.paths = Some(vec!["/a/b".into()]);
    fields.hosts = Some(vec!["a.t".into()]);
    fields.methods = Some(vec!["GET".into()]);
    fields.id = Uuid::max();
    let router = router([fields, route("expression", r#"http.path ^= "/a""#)]);
    assert_eq!(name(&router, &get("/a/b")), Some("expression"));
    let other = get("/a/b").with(|given| given.path = "/b".into());
    assert_eq!(name(&router, &other), None);
    let mut classic = Route::new("classic");
    classic.paths = Some(vec!["/b".into()]);
    assert_eq!(
        name(&self::router([classic, route("e", r#"http.path ^= "/a""#)]), &get("/bc")),
        Some("classic")
    );
}

#[test]
fn protocols_are_a_part_of_an_expression_but_for_https_alone() {
    use Protocol::{Grpc, Grpcs, Http, Https, Tcp};
    let clear = get("/");
    let tls = get("/").with(|given| given.scheme = Https);
    for (protocols, in_clear, over_tls) in [
        (vec![Http, Https], true, true),
        (vec![Http], true, false),
        (vec![Https], true, true),
        (vec![Grpc], true, false),
        (vec![Grpcs], false, true),
        (vec![Grpc, Grpcs], true, true),
    ] {
        let mut route = route("r", r#"http.path == "/" || http.path == "/x""#);
        route.protocols = protocols.clone();
        let router = router([route]);
        assert_eq!(found(&router, &clear).is_some(), in_clear, "{protocols:?} in clear");
        assert_eq!(found(&router, &tls).is_some(), over_tls, "{protocols:?} over TLS");
    }
    let mut stream = route("r", "net.src.port == 1");
    stream.protocols = vec![Tcp];
    assert_eq!(name(&router([stream.clone()]), &clear), None);
    stream.expression = Some(r#"http.path == "/""#.into());
    assert!(build([stream]).unwrap_err()[0].1.message.contains("Unknown LHS field"));
}

#[test]
fn an_expression_that_is_wrong_is_refused_in_kongs_words_a39() {
    let refused = |route: Route| {
        let errors = build([route]).unwrap_err();
        errors.into_iter().map(|(_, error)| (error.field, error.message)).collect::<Vec<_>>()
    };
    let unknown = refused(route("r", "foo == 1"));
    assert_eq!(unknown[0].0, "expression");
    assert!(unknown[0].1.starts_with("Router Expression failed validation: Unknown LHS field\n --> 1:1\n"));
    let mismatch = refused(route("r", "http.path == 1"));
    assert!(mismatch[0].1.starts_with(
        "Router Expression failed validation: Type mismatch between the LHS and RHS values of predicate\n"
    ));
    let syntax = refused(route("r", "http.path"));
    assert!(
        syntax[0].1.starts_with("Router Expression failed validation:  --> 1:10\n  |\n1 | http.path\n  |")
    );

    let mut both = route("r", r#"http.path == "/""#);
    (both.paths, both.priority) = (Some(vec!["/".into()]), Some(1 << 46));
    assert_eq!(
        refused(both),
        [
            (
                "expression".to_owned(),
                "cannot set 'expression' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously".to_owned()
            ),
            ("priority".to_owned(), "value should be between 0 and 70368744177663".to_owned()),
        ]
    );
}

#[test]
fn another_flavour_refuses_expressions() {
    let routes = [(Arc::new(route("r", r#"http.path == "/""#)), ())];
    let errors = Router::new(routes).unwrap_err();
    assert_eq!(errors[0].1.to_string(), "expression: belongs to the flavour expressions");
}
