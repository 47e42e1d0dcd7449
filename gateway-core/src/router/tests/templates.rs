//! Path templates in each flavour.

use super::{
    contest::{all, method, one_header},
    *,
};

fn with_path(dialect: Dialect, path: &str) -> Router<String> {
    router_as(dialect, [route("r", |route| route.paths = list(&[path]))])
}

fn value(router: &Router<String>, path: &str, name: &str) -> Option<String> {
    let found = found(router, &get("h", path))?;
    assert_eq!(found.matched, path.len(), "a template takes the whole path");
    found.captures(path)?.name(name).map(str::to_owned)
}

#[test]
fn a_template_takes_a_path_and_names_its_parts_in_every_flavour() {
    for flavor in Flavor::ALL.iter().copied().map(templates) {
        let router = with_path(flavor, "/users/{id}/{*rest}");
        assert_eq!(value(&router, "/users/7/a/b", "id").as_deref(), Some("7"));
        assert_eq!(value(&router, "/users/7/a/b", "rest").as_deref(), Some("a/b"));
        for path in ["/users/7", "/users/7/", "/users", "/user/7/a"] {
            assert!(!takes(&router, &get("h", path)), "{path}");
        }
    }
}

#[test]
fn without_the_setting_a_brace_is_a_brace() {
    for flavor in Flavor::ALL.iter().copied() {
        let router = with_path(flavor.into(), "/users/{id}");
        assert!(!takes(&router, &get("h", "/users/7")));
        assert!(takes(&router, &get("h", "/users/%7Bid%7D/x")), "a prefix");
    }
}

#[test]
fn a_path_without_a_brace_stays_a_prefix() {
    let router = with_path(templates(Flavor::TraditionalCompatible), "/users");
    assert!(takes(&router, &get("h", "/users/7")) && takes(&router, &get("h", "/users7")));
}

#[test]
fn captures_are_decoded_and_come_by_number_too() {
    let router = with_path(templates(Flavor::TraditionalCompatible), "/sp%20ace/{a}/x-{b}");
    let request = get("h", "/sp%20ace/%C3%BC%2F/x-%20");
    let found = found(&router, &request).unwrap();
    let captures = found.captures(&request.path).unwrap();
    assert_eq!(captures.iter().collect::<Vec<_>>(), [(Some("a"), Some("ü%2F")), (Some("b"), Some(" "))]);
    assert_eq!(captures.get(0), Some("/sp ace/ü%2F/x- "));
    assert_eq!((captures.get(1), captures.get(2), captures.get(3)), (Some("ü%2F"), Some(" "), None));
    assert_eq!(captures.name("c"), None);
    let Some(crate::router::captures::PathPattern::Template(template)) = found.pattern else {
        panic!("a template")
    };
    assert_eq!(template.as_str(), "/sp%20ace/{a}/x-{b}");
}

#[test]
fn in_kongs_flavours_it_ranks_as_an_expression_and_the_longer_text_wins() {
    let paths = |paths: &'static [&'static str]| move |route: &mut Route| route.paths = list(paths);
    let expression = paths(&[r"~/pp/\d"]);
    let high = |route: &mut Route| route.regex_priority = 1;
    let request = get("h", "/pp/1").header("x", "1");
    for flavor in [Flavor::TraditionalCompatible, Flavor::Traditional] {
        let winner = |a: &dyn Fn(&mut Route), b: &dyn Fn(&mut Route)| {
            contest::winner(templates(flavor), a, b, &request)
        };
        assert_eq!(winner(&paths(&["/{x}/{y}"]), &paths(&["/pp/1"])), "a", "{flavor}: before a prefix");
        assert_eq!(winner(&paths(&["/{x}/1"]), &paths(&["/pp/{y}"])), "b", "{flavor}: the longer text");
        assert_eq!(winner(&all![paths(&["/{x}/1"]), high], &paths(&["/pp/{y}"])), "a", "{flavor}");
        assert_eq!(
            winner(&all![expression, high], &paths(&["/pp/{y}"])),
            "a",
            "{flavor}: one order with expressions"
        );
        assert_eq!(
            winner(&expression, &paths(&["/pp/{y}"])),
            "b",
            "{flavor}: the text of an expression is none"
        );
        assert_eq!(winner(&all![paths(&["/{*rest}"]), one_header], &paths(&["/pp/{y}"])), "a", "{flavor}");
    }
}

#[test]
fn in_gateway_api_it_stands_between_exact_paths_and_prefixes() {
    let paths = |paths: &'static [&'static str]| move |route: &mut Route| route.paths = list(paths);
    let winner = |a: &dyn Fn(&mut Route), b: &dyn Fn(&mut Route)| {
        contest::winner(templates(Flavor::GatewayApi), a, b, &get("h", "/pp/1"))
    };
    assert_eq!(winner(&paths(&["~/pp/1$"]), &all![paths(&["/pp/{y}"]), method]), "a");
    assert_eq!(winner(&paths(&["/{x}/{y}"]), &all![paths(&["/pp/1"]), method]), "a");
    assert_eq!(winner(&paths(&["/pp/{y}"]), &all![paths(&["/{x}/1"]), method]), "a");
}

#[test]
fn templates_of_one_route_rank_each_by_its_text() {
    for flavor in Flavor::ALL.iter().copied() {
        let router = router_as(
            templates(flavor),
            [
                route("two", |route| route.paths = list(&["/{x}", "/users/{x}/posts"])),
                route("one", |route| route.paths = list(&["/{*rest}", "/users/{*rest}"])),
            ],
        );
        for (path, owner) in [("/users/7/posts", "two"), ("/users/7", "one"), ("/a/b", "one")] {
            assert_eq!(name(&router, &get("h", path)), Some(owner), "{flavor} {path}");
        }
    }
}

#[test]
fn a_bad_template_is_told_with_its_place() {
    for flavor in Flavor::ALL.iter().copied() {
        let wrong = route("r", |route| route.paths = list(&["/ok/{a}", "/users/{id", "/{a}-{b}"]));
        assert_eq!(
            refusals(templates(flavor), wrong),
            [
                "paths[1]: at character 8: `{id` has no closing brace",
                "paths[2]: at character 6: `{b}` is the second parameter of its segment",
            ]
        );
    }
}
