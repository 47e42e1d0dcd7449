//! Many routes under one host and one path: found by what tells them apart.

use super::*;

/// `count` routes filled by `fill`, which is told the number.
fn many(count: usize, fill: impl Fn(usize, &mut Route)) -> Router<String> {
    router((0..count).map(|number| route(&number.to_string(), |route| fill(number, route))))
}

#[test]
fn routes_that_differ_in_a_headers_value_alone() {
    let router = many(100, |number, route| {
        route.paths = list(&["/a"]);
        route.headers = headers(&[&format!("x-tenant: T-{number}"), &format!("x-tenant: other-{number}")]);
    });
    for (value, expected) in [("t-7", Some("7")), ("OTHER-42", Some("42")), ("t-100", None)] {
        assert_eq!(name(&router, &get("h", "/a").header("x-tenant", value)), expected, "{value}");
    }
    let both = get("h", "/a").header("x-tenant", "none").header("x-tenant", "t-3");
    assert_eq!(name(&router, &both), Some("3"));
}

#[test]
fn long_values_that_begin_alike_are_told_apart() {
    let value = |number: usize| "v".repeat(80) + &format!("{number:02}");
    let router = many(20, |number, route| route.headers = headers(&[&format!("x: {}", value(number))]));
    for number in 0..20 {
        assert_eq!(name(&router, &get("h", "/").header("x", &value(number))), Some(&*number.to_string()));
    }
}

#[test]
fn routes_that_differ_in_their_methods_alone() {
    let method = |number: usize| format!("VERB{number}");
    let router = many(50, |number, route| route.methods = Some(vec![method(number), method(number + 100)]));
    let with = |number: usize| get("h", "/").with(|request| request.method = method(number).parse().unwrap());
    assert_eq!(name(&router, &with(7)), Some("7"));
    assert_eq!(name(&router, &with(107)), Some("7"));
    assert_eq!(name(&router, &with(50)), None);
}

#[test]
fn expressions_on_any_host_that_begin_alike() {
    let router = many(200, |number, route| {
        let path = match number % 4 {
            0 => format!(r"~/[^/]+/orders-{number}/\d+$"),
            1 => format!("~/(?:[a-z]+/)?(?:page|seite)-{number}/"),
            2 => format!(r"~/.*/file {number}\.pdf$"),
            _ => format!("~/[^/]+/(?i)case-{number}$"),
        };
        route.paths = list(&[&path]);
    });
    for (path, expected) in [
        ("/shop/orders-12/7", Some("12")),
        ("/shop/orders-13/7", None),
        ("/seite-5/x", Some("5")),
        ("/de/page-77/x", Some("77")),
        ("/a/b%20c/file%206.pdf", Some("6")),
        ("/x/CaSe-7", Some("7")),
        ("/x/y", None),
    ] {
        assert_eq!(name(&router, &get("h", path)), expected, "{path}");
    }
}

#[test]
fn the_best_of_all_wins_wherever_it_stands() {
    let router = many(40, |number, route| {
        route.paths = list(&["/a"]);
        match number {
            0..10 => route.headers = headers(&[&format!("x: {number}")]),
            10..20 => route.methods = list(&["GET"]),
            20 => route.headers = headers(&["x: ~*.", "y: ~*."]),
            _ => {}
        }
        route.id = id(number as u128 + 1);
    });
    let request = get("h", "/a");
    assert_eq!(name(&router, &request.clone().header("x", "3")), Some("3"), "a header counts most");
    assert_eq!(
        name(&router, &request.clone().header("x", "3").header("y", "1")),
        Some("20"),
        "two count more"
    );
    assert_eq!(name(&router, &request), Some("19"), "then the larger id among those with methods");
    let post = request.with(|request| request.method = Method::POST);
    assert_eq!(name(&router, &post), Some("39"));
}
