//! The flavour `gateway_api`: what the specification of `HTTPRoute` says, one test a sentence.

use super::{
    contest::{all, host, method, one_header, path, regex, three_headers},
    *,
};

fn winner(a: impl Fn(&mut Route), b: impl Fn(&mut Route), request: &Request) -> String {
    contest::winner(Flavor::GatewayApi, a, b, request)
}

fn one(fill: impl FnOnce(&mut Route)) -> Router<String> {
    router_as(Flavor::GatewayApi, [route("r", fill)])
}

fn with_paths(paths: &[&str]) -> Router<String> {
    one(|route| route.paths = list(paths))
}

fn request() -> Request {
    get("a.b.t", "/p/1").header("x", "1").header("y", "1").header("z", "1")
}

#[test]
fn a_wildcard_takes_any_number_of_labels_and_not_the_bare_domain() {
    let wild = one(|route| route.hosts = list(&["*.example.com"]));
    for name in ["test.example.com", "foo.test.example.com"] {
        assert!(takes(&wild, &get(name, "/")), "{name}");
    }
    for name in ["example.com", "badexample.com", "test.example.net"] {
        assert!(!takes(&wild, &get(name, "/")), "{name}");
    }
}

#[test]
fn other_wildcards_are_refused() {
    for text in ["w.*", "*", "*example.com", "*."] {
        let wrong = route("r", |route| route.hosts = list(&["a.t", text]));
        let message = "hosts[1]: a wildcard is the first label of a name: *.example.com";
        assert_eq!(refusals(Flavor::GatewayApi, wrong), [message], "{text}");
    }
}

#[test]
fn the_host_comes_first_exact_then_the_longer_wildcard() {
    let hosts = |hosts: &'static [&'static str]| move |route: &mut Route| route.hosts = list(hosts);
    let exact = |route: &mut Route| route.paths = list(&["~/p/1$"]);
    let all = all![hosts(&["*.t"]), exact, method, three_headers];
    assert_eq!(winner(hosts(&["a.b.t"]), all, &request()), "a");
    assert_eq!(winner(hosts(&["*.b.t"]), all, &request()), "a");
    assert_eq!(winner(hosts(&["*.t"]), all![exact, method, three_headers], &request()), "a");
    // Each name of a route counts by itself.
    assert_eq!(winner(hosts(&["a.u", "*.t"]), hosts(&["*.b.t", "long.name.u"]), &request()), "b");
}

#[test]
fn a_prefix_is_whole_elements() {
    for prefix in ["/abc", "/abc/"] {
        let router = with_paths(&[prefix]);
        for path in ["/abc", "/abc/", "/abc/def"] {
            assert!(takes(&router, &get("h", path)), "{prefix} {path}");
        }
        for path in ["/abcd", "/ab", "/", "/x/abc", "/ABC", "/abc%2Fdef"] {
            assert!(!takes(&router, &get("h", path)), "{prefix} {path}");
        }
        assert_eq!(found(&router, &get("h", "/abc/def")).unwrap().matched, 4, "{prefix}");
    }
    let root = with_paths(&["/"]);
    assert!(takes(&root, &get("h", "/")) && takes(&root, &get("h", "/x/y")));
    assert!(takes(&with_paths(&["/sp ace"]), &get("h", "/sp%20ace/x")));
}

#[test]
fn an_exact_path_is_a_literal_with_an_end() {
    let router = with_paths(&["~/abc$"]);
    assert!(takes(&router, &get("h", "/abc")));
    for path in ["/abc/", "/abcd", "/ABC", "/x/abc"] {
        assert!(!takes(&router, &get("h", path)), "{path}");
    }
    let found = found(&router, &get("h", "/abc")).unwrap();
    assert_eq!((found.matched, found.pattern.is_none()), (4, true), "no expression runs");
    assert!(takes(&with_paths(&["~/sp%20ace$"]), &get("h", "/sp%20ace")));
    assert!(!takes(&with_paths(&["~/a//b$"]), &get("h", "/a/b")), "no canonical path has two slashes");
}

#[test]
fn exact_before_expressions_before_the_longer_prefix() {
    let paths = |paths: &'static [&'static str]| move |route: &mut Route| route.paths = list(paths);
    let exact = paths(&["~/p/1$"]);
    assert_eq!(winner(exact, all![regex, method, three_headers], &request()), "a");
    assert_eq!(winner(exact, all![paths(&["/p/1"]), method, three_headers], &request()), "a");
    assert_eq!(winner(regex, all![paths(&["/p/1"]), method, three_headers], &request()), "a");
    assert_eq!(winner(paths(&["/p/1"]), all![path, method, three_headers], &request()), "a");
    let high = |route: &mut Route| route.regex_priority = 1;
    assert_eq!(winner(all![regex, high], all![regex, method, three_headers], &request()), "a");
    assert_eq!(
        winner(all![exact, high], all![exact, method], &request()),
        "b",
        "an exact path has no priority"
    );
}

#[test]
fn no_path_is_the_prefix_of_all() {
    let root = |route: &mut Route| route.paths = list(&["/"]);
    let none = |route: &mut Route| route.paths = None;
    assert_eq!(winner(all![none, method], root, &request()), "a");
    assert_eq!(winner(none, all![root, method], &request()), "b");
}

#[test]
fn a_trailing_slash_makes_a_prefix_no_longer() {
    let slash = |route: &mut Route| route.paths = list(&["/p/"]);
    assert_eq!(winner(slash, all![path, method], &request()), "b");
    assert_eq!(winner(all![slash, method], path, &request()), "a");
}

#[test]
fn then_method_headers_and_queries() {
    let one_query = |route: &mut Route| route.queries = headers(&["q: 1"]);
    let two_queries = |route: &mut Route| route.queries = headers(&["q: 1", "r: 2"]);
    let request = request().with(|request| request.query = Some("q=1&r=2".into()));
    assert_eq!(winner(all![path, method], all![path, three_headers, two_queries], &request), "a");
    assert_eq!(winner(all![path, three_headers], all![path, one_header, two_queries], &request), "a");
    assert_eq!(winner(all![path, one_query], all![path, two_queries], &request), "b");
}

#[test]
fn then_the_oldest_then_the_name() {
    let new = |route: &mut Route| (path(route), route.created_at = 2).1;
    let old = |route: &mut Route| (path(route), route.created_at = 1).1;
    assert_eq!(winner(new, old, &request()), "b");
    assert_eq!(winner(path, path, &request()), "a", "foo/bar before foo/baz");
    let unnamed = |route: &mut Route| (path(route), route.name = None).1;
    let router: Router<&str> = Router::with_flavor(
        Flavor::GatewayApi,
        [("none", route("x", unnamed)), ("z", route("z", path))]
            .map(|(value, route)| (Arc::new(route), value)),
    )
    .unwrap();
    assert_eq!(router.find(&request().head()).map(|found| *found.value), Some("z"));
}

#[test]
fn values_of_headers_mind_their_case_and_names_do_not() {
    let router = one(|route| route.headers = headers(&["X-A: One", "x-b: ~*^ab.$", "x-b: plain"]));
    let with = |a: &str, b: &str| get("h", "/").header("x-a", a).header("x-b", b);
    assert!(takes(&router, &with("One", "abc")) && takes(&router, &with("One", "plain")));
    for (a, b) in [("one", "abc"), ("One", "ABC"), ("One", "Plain"), ("One", "abcd")] {
        assert!(!takes(&router, &with(a, b)), "{a} {b}");
    }
    assert!(takes(&router, &with("no", "abc").header("x-a", "One")), "any field of the name");
}

#[test]
fn queries_match_by_their_first_value() {
    let router = one(|route| route.queries = headers(&["q: one two", "q: ~^[0-9]+$", "r[]: ü"]));
    let asks =
        |query: &str| takes(&router, &get("h", "/").with(|request| request.query = Some(query.into())));
    assert!(
        asks("q=one%20two&r%5B%5D=%C3%BC") && asks("q=one+two&r[]=%c3%bc&x=1") && asks("r[]=%C3%BC&q=17")
    );
    for query in
        ["", "q=17", "q=1x&r[]=%C3%BC", "q=x&q=17&r[]=%C3%BC", "Q=17&r[]=%C3%BC", "q=One+two&r[]=%C3%BC"]
    {
        assert!(!asks(query), "{query}");
    }
    assert!(!takes(&router, &get("h", "/")), "no query");
    let empty =
        one(|route| route.queries = Some([("q".to_owned(), vec![String::new()])].into_iter().collect()));
    for query in ["q", "q=", "x=1&q"] {
        assert!(takes(&empty, &get("h", "/").with(|request| request.query = Some(query.into()))), "{query}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let wrong = route("r", |route| {
        route.queries = headers(&["q: 1", "q: ~("]);
        route.expression = Some("http.path == \"/\"".into());
        route.paths = list(&["~/[", "x"]);
    });
    let refused = build_as(Flavor::GatewayApi, [wrong]).unwrap_err();
    let fields: Vec<_> = refused.iter().map(|(_, error)| error.field.as_str()).collect();
    assert_eq!(fields, ["expression", "queries.q[1]", "paths[0]", "paths[1]"]);
}

#[test]
fn queries_are_refused_in_kongs_flavours() {
    for flavor in [Flavor::TraditionalCompatible, Flavor::Traditional] {
        let asks = route("r", |route| route.queries = headers(&["q: 1"]));
        assert_eq!(refusals(flavor, asks), ["queries: belongs to the flavour gateway_api"]);
    }
}

#[test]
fn server_names_ports_and_streams_are_as_in_kong() {
    let sni = one(|route| route.snis = list(&["*.t"]));
    assert!(takes(&sni, &request().tls(Some("a.t"))) && !takes(&sni, &request().tls(Some("a.u"))));
    assert!(takes(&sni, &request()), "in clear they do not count");
    let port = one(|route| route.hosts = list(&["*.t:81"]));
    assert!(!takes(&port, &request()) && takes(&port, &request().with(|request| request.port = 81)));
    assert!(!takes(&one(|route| route.protocols = vec![Protocol::Tcp]), &request()));
}

#[test]
fn the_comparison_that_decides_is_named() {
    let rank = |fill: &dyn Fn(&mut Route)| {
        let route = route("r", fill);
        let rules =
            crate::router::flavors::compile::compiler(Flavor::GatewayApi)(&route, Flavor::GatewayApi.into());
        rules.unwrap().remove(0).0
    };
    let decides = |a: &dyn Fn(&mut Route), b: &dyn Fn(&mut Route)| rank(a).deciding(&rank(b));
    let said = |name: &'static str, own: &str, other: &str| Some((name, own.to_owned(), other.to_owned()));
    let wild = |route: &mut Route| route.hosts = list(&["*.t"]);
    assert_eq!(decides(&host, &wild), said("host", "exact", "wildcard of 3"));
    assert_eq!(decides(&regex, &path), said("path", "regex", "prefix"));
    assert_eq!(decides(&all![path, one_header], &all![path, three_headers]), said("headers", "1", "3"));
    let named = |route: &mut Route| route.name = Some("s".into());
    assert_eq!(decides(&named, &|_| ()), said("name", "s", "r"));
}
