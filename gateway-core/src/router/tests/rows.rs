//! What each field of a route takes (R1 to R12, P39 to P42, P45).

use super::*;

#[test]
fn a_prefix_is_bytes_r1_p39() {
    let router = paths(&["/rou"]);
    assert!(takes(&router, &get("h", "/roureq")) && takes(&router, &get("h", "/rou")));
    assert!(!takes(&router, &get("h", "/ro")) && !takes(&router, &get("h", "/x/rou")));
}

#[test]
fn a_regex_is_anchored_at_the_start_only_r1_p39() {
    let router = paths(&[r"~/re/\d+"]);
    assert!(takes(&router, &get("h", "/re/12x")) && !takes(&router, &get("h", "/x/re/12")));
    assert!(!takes(&paths(&["/re/\\d+"]), &get("h", "/re/1")), "without ~ it is a prefix");
}

#[test]
fn a_path_is_normal_and_escapes_mean_their_octets_p39_r12() {
    let cases: [(&str, &str); 8] = [
        ("/e/sp ace", "/e/sp%20ace"),
        ("/e/sp%20ace", "/e/sp%20ace"),
        ("/e/ü", "/e/%C3%BC"),
        ("/e/a%2fb", "/e/a%2Fb/x"),
        ("/e//./x/../A", "/e/A"),
        ("~/e/sp ace$", "/e/sp%20ace"),
        ("~/e/sp%20ace$", "/e/sp%20ace"),
        ("~/e/.$", "/e/%C3%BC"),
    ];
    for (path, request) in cases {
        assert!(takes(&paths(&[path]), &get("h", request)), "{path} {request}");
    }
    assert!(!takes(&paths(&["/e/a/b"]), &get("h", "/e/a%2Fb")), "an escaped slash is no slash");
}

#[test]
fn a_match_says_how_much_of_the_path_it_took() {
    let matched = |path: &str, request: &str| found(&paths(&[path]), &get("h", request)).unwrap().matched;
    assert_eq!(matched("/a", "/abc"), 2);
    assert_eq!(matched("/sp ace", "/sp%20ace/x"), 9);
    assert_eq!(matched(r"~/re/\d+", "/re/12/x"), 6);
    assert_eq!(matched("~/sp .", "/sp%20ace/x"), 7);
    let without = router([route("r", |route| route.hosts = list(&["h"]))]);
    assert_eq!(found(&without, &get("h", "/abc")).unwrap().matched, 0);
}

#[test]
fn captures_come_by_number_and_name_decoded_r6() {
    let router = paths(&[r"~/u/(?<id>[^/]+)/(?P<old>\d)?(.*)"]);
    let request = get("h", "/u/sp%20ace%2F/x");
    let captures = found(&router, &request).unwrap().captures(&request.path).unwrap();
    assert_eq!(captures.get(0), Some("/u/sp ace%2F/x"));
    assert_eq!(captures.name("id"), Some("sp ace%2F"));
    let all: Vec<_> = captures.iter().collect();
    assert_eq!(all, [(Some("id"), Some("sp ace%2F")), (Some("old"), None), (None, Some("x"))]);
    assert!(found(&paths(&["/u"]), &request).unwrap().captures(&request.path).is_none());
}

#[test]
fn the_first_regex_of_a_route_in_its_order_gives_the_captures() {
    let router = paths(&["~/a/(?<first>.)", "~/a/(?<second>..)"]);
    let captures = found(&router, &get("h", "/a/bc")).unwrap().captures("/a/bc").unwrap();
    assert_eq!((captures.name("first"), captures.name("second")), (Some("b"), None));
}

#[test]
fn paths_and_methods_mind_their_case_p42_r11() {
    assert!(!takes(&paths(&["/a"]), &get("h", "/A")));
    let router = router([route("r", |route| route.methods = list(&["GET", "PURGE"]))]);
    let method =
        |name: &[u8]| get("h", "/").with(|request| request.method = Method::from_bytes(name).unwrap());
    assert!(takes(&router, &method(b"GET")) && takes(&router, &method(b"PURGE")));
    assert!(!takes(&router, &method(b"POST")) && !takes(&router, &method(b"get")));
}

#[test]
fn hosts_match_exactly_or_by_one_wildcard_p40_r9() {
    let hosts = |hosts: &[&str]| router([route("r", |route| route.hosts = list(hosts))]);
    let wild = hosts(&["*.x.t"]);
    for host in ["v.x.t", "a.b.x.t", ".x.t"] {
        assert!(takes(&wild, &get(host, "/")), "{host}");
    }
    assert!(!takes(&wild, &get("x.t", "/")));
    let end = hosts(&["w.*"]);
    assert!(
        takes(&end, &get("w.z", "/")) && takes(&end, &get("w.z.zz", "/")) && !takes(&end, &get("v.w.z", "/"))
    );
    assert!(takes(&hosts(&["a.t", "[::1]"]), &get("[::1]", "/")));
}

#[test]
fn case_and_final_dot_of_a_routes_host_do_not_count_deviation_1() {
    let router = router([route("r", |route| route.hosts = list(&["W.X.T.", "*.Y.t"]))]);
    assert!(takes(&router, &get("w.x.t", "/")) && takes(&router, &get("a.y.t", "/")));
}

#[test]
fn a_port_counts_where_the_route_names_one_p40_r9() {
    let at = |host: &str, port: u16| get(host, "/").with(|request| request.port = port);
    let router = router([route("r", |route| route.hosts = list(&["port.t:1234", "any.t", "*.w.t:443"]))]);
    assert!(takes(&router, &at("port.t", 1234)) && !takes(&router, &at("port.t", 80)));
    assert!(takes(&router, &at("any.t", 1)) && takes(&router, &at("any.t", 80)));
    assert!(takes(&router, &get("a.w.t", "/").tls(None)) && !takes(&router, &get("a.w.t", "/")));
}

#[test]
fn header_values_ignore_case_and_are_any_of_p41_r8() {
    let router = router([route("r", |route| route.headers = headers(&["x-a: One", "x-a: two", "X-B: 3"]))]);
    let request = || get("h", "/").header("x-b", "3");
    assert!(
        takes(&router, &request().header("x-a", "oNE")) && takes(&router, &request().header("X-A", "TWO"))
    );
    assert!(!takes(&router, &get("h", "/").header("x-a", "one")), "names are all of");
    assert!(takes(&router, &request().header("x-a", "no").header("x-a", "two")), "any field of the name");
    assert!(!takes(&router, &request().header("x-a", "onetwo")));
}

#[test]
fn header_values_may_be_expressions_each_p41_r8() {
    let router =
        router([route("r", |route| route.headers = headers(&["x: ~*^ab.$", r"x: ~*^\D+z$", "x: plain"]))]);
    for value in ["abc", "ABC", "xyZ", "plain"] {
        assert!(takes(&router, &get("h", "/").header("x", value)), "{value}");
    }
    assert!(!takes(&router, &get("h", "/").header("x", "abcd")) && !takes(&router, &get("h", "/")));
    assert!(!takes(&router, &get("h", "/").header("x", "1z")));
}

#[test]
fn a_comma_list_is_one_value_whatever_came_before_p45() {
    let router = router([route("list", |route| route.headers = headers(&["x: a,b"]))]);
    let (one, two) = (get("h", "/").header("x", "a,b"), get("h", "/").header("x", "b").header("x", "a"));
    for _ in 0..2 {
        assert!(takes(&router, &one));
        assert!(!takes(&router, &two));
    }
}

#[test]
fn server_names_count_on_tls_only_r10() {
    let router = router([route("r", |route| route.snis = list(&["a.t.", "*.b.t", "c.*"]))]);
    for sni in ["a.t", "A.T", "x.b.t", "c.x"] {
        assert!(takes(&router, &get("h", "/").tls(Some(sni))), "{sni}");
    }
    assert!(!takes(&router, &get("h", "/").tls(Some("b.t"))) && !takes(&router, &get("h", "/").tls(None)));
    assert!(takes(&router, &get("h", "/")));
}

#[test]
fn protocols_do_not_filter_but_streams_are_no_http_r16_r18() {
    let with = |protocols: &[Protocol]| {
        router([route("r", |route| {
            route.protocols = protocols.to_vec();
            route.paths = list(&["/"]);
        })])
    };
    assert!(takes(&with(&[Protocol::Https]), &get("h", "/")));
    assert!(takes(&with(&[Protocol::Grpcs]), &get("h", "/")));
    assert!(!takes(&with(&[Protocol::Tcp, Protocol::Tls]), &get("h", "/")));
    assert!(!takes(&with(&[Protocol::TlsPassthrough]), &get("h", "/")));
}

#[test]
fn sources_and_destinations_do_not_filter_http() {
    let router = router([route("r", |route| {
        (route.sources, route.destinations) = (address("10.0.0.1"), address("10.0.0.2"));
    })]);
    assert!(takes(&router, &get("h", "/")));
}

#[test]
fn nothing_matches_no_route() {
    assert!(!takes(&router([]), &get("h", "/")));
    assert!(!takes(&paths(&["/a"]), &get("", "")));
}

#[test]
fn every_wrong_rule_is_named_with_its_field() {
    let wrong = route("wrong", |route| {
        route.paths = list(&["/ok", "~/[", "x"]);
        route.hosts = list(&["*.a.*", "a:b"]);
        route.headers = headers(&["x y: 1", "x: ~*("]);
        route.methods = list(&["G T"]);
    });
    let other = route("other", |route| route.expression = Some("http.path == \"/\"".into()));
    let errors = build([route("fine", |route| route.paths = list(&["/"])), wrong, other]).unwrap_err();
    let named: Vec<_> =
        errors.iter().map(|(route, error)| (route.name.as_deref().unwrap(), error.field.as_str())).collect();
    assert_eq!(
        named,
        [
            ("wrong", "hosts[0]"),
            ("wrong", "hosts[1]"),
            ("wrong", "methods[0]"),
            ("wrong", "headers.x y"),
            ("wrong", "headers.x[0]"),
            ("wrong", "paths[1]"),
            ("wrong", "paths[2]"),
            ("other", "expression"),
        ]
    );
}

#[test]
fn a_router_is_shared_printed_and_walked() {
    fn shared<T: Send + Sync + std::fmt::Debug>(_: &T) {}
    let router = paths(&["/a"]);
    shared(&router);
    assert_eq!(format!("{router:?}"), r#"Router { routes: ["r"], .. }"#);
    assert_eq!(
        router.iter().map(|(route, value)| (route.id, value.as_str())).collect::<Vec<_>>(),
        [(crate::config::derived_id("routes", "r"), "r")]
    );
}

#[test]
fn a_route_stands_in_a_bounded_number_of_places() {
    let many = |hosts: usize, paths: usize| {
        route("r", |route| {
            route.hosts = Some((0..hosts).map(|at| format!("{at}.t")).collect());
            route.paths = Some((0..paths).map(|at| format!("/{at}")).collect());
        })
    };
    assert!(build([many(128, 128)]).is_ok());
    for flavor in Flavor::ALL {
        let refused = build_as(*flavor, [many(2_000, 2_000)]).unwrap_err();
        let [(_, error)] = refused.as_slice() else { panic!("{refused:?}") };
        assert_eq!(error.field, "paths");
        assert!(error.message.contains("make 4000000 places to look at, allowed are 16384"), "{error}");
    }
}
