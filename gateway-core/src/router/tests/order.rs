//! Which of two routes wins (R2 to R7, P43, P44, D21 to D23).

use super::{
    contest::{all, host, method, one_header, path, regex, request, sni, source, three_headers, wildcard},
    *,
};

/// Which of the two takes the request, whatever their ids say.
fn winner(a: impl Fn(&mut Route), b: impl Fn(&mut Route), request: &Request) -> String {
    contest::winner(Flavor::TraditionalCompatible, a, b, request)
}

#[test]
fn four_fields_beat_all_others_p43_1() {
    assert_eq!(
        winner(all![host, regex, one_header], all![wildcard, path, one_header, method], &request()),
        "b"
    );
    assert_eq!(winner(all![host], all![path, one_header, method, sni], &request()), "b");
    assert_eq!(winner(all![host, regex], all![path, one_header, method, source], &request()), "b");
}

#[test]
fn more_than_four_fields_beat_four_p43_1() {
    assert_eq!(
        winner(
            all![host, path, one_header, method],
            all![wildcard, path, one_header, method, sni],
            &request()
        ),
        "b"
    );
    // The bits of plain hosts and expressions are full from four fields on, so headers and length decide.
    assert_eq!(
        winner(all![host, path, one_header, method], all![wildcard, path, three_headers, method], &request()),
        "b"
    );
    assert_eq!(
        winner(all![host, regex, one_header, method], all![host, path, one_header, method], &request()),
        "b"
    );
}

#[test]
fn plain_hosts_alone_beat_the_rest_p43_2() {
    assert_eq!(winner(host, all![path, method, one_header], &request()), "a");
    assert_eq!(winner(host, all![wildcard, path], &request()), "a");
    assert_eq!(winner(host, all![wildcard, regex], &request()), "a");
    let mixed = |route: &mut Route| route.hosts = list(&["a.t", "*.u"]);
    assert_eq!(winner(host, all![mixed, path], &request()), "a");
}

#[test]
fn a_regex_beats_a_prefix_p43_3_r2_r3() {
    assert_eq!(winner(all![host, path, one_header], all![host, regex], &request()), "b");
    assert_eq!(winner(regex, all![path, method, one_header], &request()), "a");
    let whole = |route: &mut Route| route.paths = list(&["/p/1"]);
    assert_eq!(winner(regex, whole, &request()), "a");
    assert_eq!(winner(all![regex, one_header], all![path, three_headers], &request()), "a");
}

#[test]
fn then_the_number_of_fields_p43_4() {
    assert_eq!(winner(all![path, one_header, method], all![path, three_headers], &request()), "a");
    assert_eq!(winner(all![wildcard, path], path, &request()), "a");
    assert_eq!(winner(all![host, path], host, &request()), "a");
    let priority = |route: &mut Route| route.regex_priority = 9;
    assert_eq!(winner(all![regex, method], all![regex, priority], &request()), "a");
}

#[test]
fn then_the_number_of_headers_p43_5_r4() {
    assert_eq!(winner(all![path, one_header], all![path, three_headers], &request()), "b");
    let priority = |route: &mut Route| route.regex_priority = 9;
    assert_eq!(winner(all![regex, one_header, priority], all![regex, three_headers], &request()), "b");
}

#[test]
fn then_regex_priority_as_a_number_p43_6_deviation_23() {
    let with = |priority: i64| move |route: &mut Route| (regex(route), route.regex_priority = priority).1;
    for (lower, higher) in [(0, 1), (5, 8192), (-1, 0), (-8192, -1), (4095, 1 << 20), (i64::MIN, i64::MAX)] {
        assert_eq!(winner(with(lower), with(higher), &request()), "b", "{lower} {higher}");
    }
}

#[test]
fn regex_priority_never_counts_for_more_than_its_place_deviation_23() {
    let high = |route: &mut Route| route.regex_priority = i64::MAX;
    assert_eq!(winner(all![regex, one_header, high], all![regex, three_headers], &request()), "b");
    assert_eq!(winner(all![regex, high], all![regex, method], &request()), "b");
    assert_eq!(winner(all![regex, high], all![host], &request()), "b");
}

#[test]
fn regex_priority_of_a_prefix_does_not_count() {
    let high = |route: &mut Route| route.regex_priority = 9;
    let longer = |route: &mut Route| route.paths = list(&["/p/"]);
    assert_eq!(winner(all![path, high], longer, &request()), "b");
}

#[test]
fn regex_priority_of_one_host_changes_nothing_on_another_r5() {
    let other = |route: &mut Route| {
        route.hosts = list(&["other.t"]);
        regex(route);
        route.regex_priority = 100;
    };
    assert_eq!(winner(all![host, path], other, &request()), "a");
}

#[test]
fn then_the_longer_prefix_p43_7() {
    let longer = |route: &mut Route| route.paths = list(&["/p/1"]);
    assert_eq!(winner(path, longer, &request()), "b");
    let whole = |route: &mut Route| route.paths = list(&[r"~/p/\d$"]);
    let lengths = router([
        route("short", |route| (regex(route), route.id = id(2)).1),
        route("long", |route| (whole(route), route.id = id(1)).1),
    ]);
    assert_eq!(name(&lengths, &request()), Some("short"), "the length of an expression does not count");
}

#[test]
fn equal_rank_the_larger_id_wins_p43_8_deviation_22() {
    let of = |name: &str, number| route(name, |route| (path(route), route.id = id(number)).1);
    for routes in [[of("small", 1), of("large", 1 << 100)], [of("large", 1 << 100), of("small", 1)]] {
        let old = routes.map(|mut route| {
            route.created_at = u64::from(route.name.as_deref() == Some("large"));
            route
        });
        assert_eq!(name(&router(old), &request()), Some("large"));
    }
}

#[test]
fn more_than_255_headers_count_as_255() {
    let many = |count: usize| {
        move |route: &mut Route| {
            let fields: Vec<String> = (0..count).map(|at| format!("x-{at}: 1")).collect();
            route.headers = headers(&fields.iter().map(String::as_str).collect::<Vec<_>>());
        }
    };
    let request = (0..300).fold(get("h", "/p"), |request, at| request.header(&format!("x-{at}"), "1"));
    let longer = |route: &mut Route| route.paths = list(&["/p"]);
    let short = |route: &mut Route| route.paths = list(&["/"]);
    assert_eq!(winner(all![many(255), longer], all![many(300), short], &request), "a");
}

#[test]
fn a_route_with_several_paths_has_a_rank_for_each_kind_p44_r7() {
    let router = router([
        route("mixed", |route| route.paths = list(&[r"~/a/\d+", "/a", "/a/lo"])),
        route("other", |route| route.paths = list(&["/a/l"])),
    ]);
    for (path, owner) in
        [("/a/lx", "other"), ("/a/lo", "mixed"), ("/a/1", "mixed"), ("/ax", "mixed"), ("/a/l", "other")]
    {
        assert_eq!(name(&router, &get("h", path)), Some(owner), "{path}");
    }
}

#[test]
fn parts_of_a_route_break_ties_by_ids_of_their_own_p44() {
    // v5 of "00000000-0000-0000-0000-000000000001#2" begins with 25, so it stands between these two ids.
    let router = router([
        route("parts", |route| (route.paths = list(&["/a", "/b", "/abc"]), route.id = id(1)).1),
        route("below", |route| (route.paths = list(&["/a"]), route.id = id(2)).1),
        route("above", |route| (route.paths = list(&["/b"]), route.id = id(u128::MAX)).1),
    ]);
    assert_eq!(name(&router, &get("h", "/a")), Some("parts"));
    assert_eq!(name(&router, &get("h", "/b")), Some("above"));
}

#[test]
fn a_route_that_does_not_fit_leaves_the_next_one_p43() {
    let router = router([
        route("post", |route| (path(route), route.methods = list(&["POST"])).1),
        route("header", |route| (path(route), route.headers = headers(&["x: 2"])).1),
        route("regex", |route| route.paths = list(&["~/p/2"])),
        route("any", |route| route.paths = list(&["/"])),
    ]);
    assert_eq!(name(&router, &request()), Some("any"));
}
