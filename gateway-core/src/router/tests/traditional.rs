//! The flavour `traditional`: which of two routes wins, and what it reads in its own way.

use super::{
    contest::{all, host, method, one_header, path, regex, request, sni, source, three_headers, wildcard},
    *,
};

fn winner(a: impl Fn(&mut Route), b: impl Fn(&mut Route), request: &Request) -> String {
    contest::winner(Flavor::Traditional, a, b, request)
}

/// Each pair of P43 that was seen in both flavours, with the winner in tc and in traditional.
#[test]
fn each_pair_that_was_seen_in_both_flavours_p43d() {
    type Fill = fn(&mut Route);
    fn root(route: &mut Route) {
        route.paths = list(&["/"]);
    }
    let pairs: [(Fill, Fill, &str, &str); 4] = [
        (all![host, path, one_header], all![host, regex], "b", "a"),
        (regex, all![path, method, one_header], "a", "b"),
        (all![host, root], all![path, method, one_header], "a", "b"),
        (host, all![wildcard, path], "a", "b"),
    ];
    for (at, (a, b, compatible, traditional)) in pairs.into_iter().enumerate() {
        let compatible_winner = contest::winner(Flavor::TraditionalCompatible, a, b, &request());
        assert_eq!((compatible_winner.as_str(), at), (compatible, at));
        assert_eq!((winner(a, b, &request()).as_str(), at), (traditional, at));
    }
}

#[test]
fn of_a_tie_the_older_wins_not_the_larger_id_p43d() {
    let routes = || {
        [("old", 1, 10), ("new", 2, 20)].map(|(name, number, created)| {
            route(name, |route| (path(route), route.id = id(number), route.created_at = created).0)
        })
    };
    assert_eq!(name(&router(routes()), &request()), Some("new"), "the larger id");
    assert_eq!(name(&router_as(Flavor::Traditional, routes()), &request()), Some("old"));
}

#[test]
fn of_equal_age_the_larger_id_wins_deviation_22() {
    let of = |name: &str, number| route(name, |route| (path(route), route.id = id(number)).0);
    let router = router_as(Flavor::Traditional, [of("large", 2), of("small", 1)]);
    assert_eq!(name(&router, &request()), Some("large"));
}

#[test]
fn regex_priority_is_a_plain_number_p43d() {
    let with = |priority: i64| move |route: &mut Route| (regex(route), route.regex_priority = priority).1;
    for (lower, higher) in [(5, 8192), (-1, 0), (i64::MIN, i64::MAX)] {
        assert_eq!(winner(with(lower), with(higher), &request()), "b", "{lower} {higher}");
    }
    let high = |route: &mut Route| route.regex_priority = 9;
    let longer = |route: &mut Route| route.paths = list(&["/p/"]);
    assert_eq!(winner(all![path, high], longer, &request()), "b", "a prefix has none");
}

#[test]
fn regex_priority_of_one_host_changes_nothing_on_another_r5() {
    let other = |route: &mut Route| {
        route.hosts = list(&["other.t"]);
        regex(route);
        route.regex_priority = 100;
    };
    assert_eq!(winner(all![host, regex], other, &request()), "a");
    // The first expression of all in Kong's list fits `a`'s requests and belongs to `b`.
    let whole = |route: &mut Route| route.paths = list(&[r"~/p/1"]);
    assert_eq!(winner(all![host, whole, one_header], other, &request()), "a");
}

#[test]
fn first_the_number_of_fields() {
    assert_eq!(winner(all![path, method], host, &request()), "a");
    assert_eq!(winner(all![path, method, sni], all![host, regex], &request()), "a");
    assert_eq!(winner(all![path, method, source], all![host, regex], &request()), "a");
    assert_eq!(
        winner(all![path, method, one_header, sni], all![host, regex, three_headers], &request()),
        "a",
        "four have no place of their own"
    );
}

#[test]
fn then_which_fields() {
    assert_eq!(winner(all![wildcard, sni], all![one_header, path], &request()), "a");
    assert_eq!(winner(all![one_header, sni], all![regex, method], &request()), "a");
    assert_eq!(winner(all![path, source], all![method, sni], &request()), "a");
    assert_eq!(winner(method, sni, &request()), "a");
    assert_eq!(winner(sni, source, &request()), "a");
}

#[test]
fn then_the_kind_of_host_and_path_r3() {
    let with_port = |route: &mut Route| route.hosts = list(&["*.t:443"]);
    let mixed = |route: &mut Route| route.hosts = list(&["a.t", "*.u"]);
    assert_eq!(winner(with_port, host, &request()), "a");
    assert_eq!(winner(host, wildcard, &request()), "a");
    assert_eq!(winner(host, mixed, &request()), "a");
    assert_eq!(winner(all![host, path], all![wildcard, regex], &request()), "a");
    assert_eq!(winner(path, regex, &request()), "b");
    assert_eq!(
        winner(all![path, three_headers], all![regex, one_header], &request()),
        "b",
        "a regex counts before the number of headers, which is the other way round in tc"
    );
}

#[test]
fn then_headers_regex_priority_and_length_r4() {
    let high = |route: &mut Route| route.regex_priority = 9;
    assert_eq!(winner(all![regex, one_header, high], all![regex, three_headers], &request()), "b");
    let longer = |route: &mut Route| route.paths = list(&["/p/1"]);
    assert_eq!(winner(path, longer, &request()), "b");
    let many = |route: &mut Route| route.paths = list(&["/p", "/pppppppp"]);
    assert_eq!(winner(many, longer, &request()), "b", "each path has its own length");
}

#[test]
fn a_route_with_several_paths_has_a_rank_for_each_r7() {
    let routes = || {
        [
            route("mixed", |route| route.paths = list(&[r"~/a/\d+", "/a", "/a/lo"])),
            route("other", |route| route.paths = list(&["/a/l"])),
        ]
    };
    let router = router_as(Flavor::Traditional, routes());
    for (path, owner) in
        [("/a/lx", "other"), ("/a/lo", "mixed"), ("/a/1", "mixed"), ("/ax", "mixed"), ("/a/l", "other")]
    {
        assert_eq!(name(&router, &get("h", path)), Some(owner), "{path}");
    }
}

#[test]
fn an_expression_for_a_header_stands_alone_r8() {
    let alone =
        |values: &[&str]| router_as(Flavor::Traditional, [route("r", |r| r.headers = headers(values))]);
    let one = alone(&["x: ~*^ab.$"]);
    assert!(takes(&one, &get("h", "/").header("x", "ABC")) && !takes(&one, &get("h", "/").header("x", "a")));
    let two = alone(&["x: ~*^ab.$", "x: plain"]);
    assert!(!takes(&two, &get("h", "/").header("x", "abc")), "one of several is a text");
    assert!(takes(&two, &get("h", "/").header("x", "~*^AB.$")));
    assert!(takes(&two, &get("h", "/").header("x", "Plain")));
}

#[test]
fn what_belongs_to_other_flavours_is_refused_r10() {
    let wild = route("r", |route| route.snis = list(&["a.t", "*.b.t"]));
    assert_eq!(
        refusals(Flavor::Traditional, wild),
        ["snis[1]: wildcards belong to the flavour traditional_compatible"]
    );
    let other = route("r", |route| {
        route.expression = Some("http.path == \"/\"".into());
        route.queries = headers(&["q: 1"]);
    });
    assert_eq!(
        refusals(Flavor::Traditional, other),
        ["expression: belongs to the flavour expressions", "queries: belongs to the flavour gateway_api"]
    );
}

#[test]
fn the_comparison_that_decides_is_named() {
    let rank = |fill: &dyn Fn(&mut Route)| {
        let route = route("r", fill);
        let rules = crate::router::flavors::compile::compiler(Flavor::Traditional)(
            &route,
            Flavor::Traditional.into(),
        );
        rules.unwrap().remove(0).0
    };
    let decides = |a: &dyn Fn(&mut Route), b: &dyn Fn(&mut Route)| rank(a).deciding(&rank(b));
    let said = |name: &'static str, own: &str, other: &str| Some((name, own.to_owned(), other.to_owned()));
    assert_eq!(decides(&all![host, path], &path), said("fields", "2", "1"));
    assert_eq!(
        decides(&all![host, path], &all![path, method]),
        said("kinds of fields", "hosts, paths", "paths, methods")
    );
    assert_eq!(decides(&wildcard, &host), said("plain hosts only", "false", "true"));
    let old = |route: &mut Route| (path(route), route.created_at = 7).1;
    assert_eq!(decides(&old, &path), said("created_at", "7", "0"));
    assert_eq!(decides(&path, &path), None);
}
