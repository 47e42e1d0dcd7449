//! The table of `docs/routing.md` in which the same routes meet in each flavour.

use super::{
    contest::{all, host, method, one_header, path, regex, request, three_headers, wildcard, winner},
    *,
};

/// What the page calls two routes, and their fields.
type Pair<'f> = (&'f str, &'f dyn Fn(&mut Route), &'f dyn Fn(&mut Route));

#[test]
fn the_same_routes_in_each_flavour_as_the_page_says() {
    let page = include_str!("../../../../docs/routing.md");
    let table = page.split("### The same routes in each").nth(1).unwrap();
    let deep = |route: &mut Route| route.paths = list(&["/p/1"]);
    let old = |route: &mut Route| (path(route), route.created_at = 1).1;
    let new = |route: &mut Route| (path(route), route.created_at = 2).1;
    let pairs: [Pair<'_>; 6] = [
        ("host, prefix, header against host, regex", &all![host, path, one_header], &all![host, regex]),
        ("regex against prefix, method, header", &regex, &all![path, method, one_header]),
        ("host, prefix against prefix, method, header", &all![host, path], &all![path, method, one_header]),
        ("plain host against wildcard host, prefix", &host, &all![wildcard, path]),
        (
            "regex, one header against prefix, three headers",
            &all![regex, one_header],
            &all![path, three_headers],
        ),
        ("prefix `/a/b` against prefix `/a` with a method", &deep, &all![path, method]),
    ];
    let shorts = [
        ("header", "regex"),
        ("regex", "prefix, method, header"),
        ("host", "prefix, method, header"),
        ("plain host", "wildcard host, prefix"),
        ("regex", "prefix"),
        ("`/a/b`", "`/a` with a method"),
    ];
    for ((label, a, b), (short_a, short_b)) in pairs.into_iter().zip(shorts) {
        // Fields rank in `expressions` as in the first.
        let flavors = Flavor::ALL.iter().filter(|flavor| **flavor != Flavor::Expressions);
        let wins = flavors.map(|flavor| match winner(*flavor, a, b, &request()).as_str() {
            "a" => short_a,
            _ => short_b,
        });
        let row = format!("| {label} | {} |", wins.collect::<Vec<_>>().join(" | "));
        assert!(table.contains(&row), "{row}");
    }
    assert!(table.contains("| equal but for age | larger id | older | older |"));
    for flavor in [Flavor::Traditional, Flavor::GatewayApi] {
        assert_eq!(winner(flavor, old, new, &request()), "a");
    }
}
