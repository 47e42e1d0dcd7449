//! The same 1,000 rules in an expression and, as the baseline, in the fields of a route.
//!
//! `cargo bench -p gateway-benches --bench expressions`
//!
//! `prefix` is host and prefix, `method` has two methods as well, `header` a header's value, `regex` is host and regular
//! expression. Requests go round over all rules.

use std::{hint::black_box, sync::Arc};

use criterion::Criterion;
use gateway_core::{
    config::Route,
    router::{Flavor, Head, Router},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Host and path of a request.
type Request = (String, String);

/// A way to write a rule: fills the route of this number and says which request it takes.
type Form = fn(&str, usize, &mut Route) -> Request;

const FORMS: [(&str, Form); 2] = [("fields", fields), ("expressions", expression)];

/// What a rule asks besides its host.
const RULES: [&str; 4] = ["prefix", "method", "header", "regex"];

fn host(number: usize) -> String {
    format!("host-{}.example.com", number % 10)
}

fn path(number: usize) -> String {
    format!("/team-{}/service-{}/v1", number % 97, number)
}

fn fields(rule: &str, number: usize, route: &mut Route) -> Request {
    let (host, prefix) = (host(number), path(number));
    route.hosts = Some(vec![host.clone()]);
    route.paths = Some(vec![match rule {
        "regex" => format!("~{prefix}/users/(?<id>[0-9]+)$"),
        _ => prefix.clone(),
    }]);
    match rule {
        "method" => route.methods = Some(vec!["HEAD".into(), "GET".into()]),
        "header" => {
            route.headers = Some([("x-version".to_owned(), vec!["2".to_owned()])].into_iter().collect());
        }
        _ => {}
    }
    (host, prefix + "/users/42")
}

fn expression(rule: &str, number: usize, route: &mut Route) -> Request {
    let (host, prefix) = (host(number), path(number));
    let asked = match rule {
        "regex" => format!(r##"http.path ~ r#"^{prefix}/users/(?<id>[0-9]+)$"#"##),
        _ => format!(r#"http.path ^= "{prefix}""#),
    };
    let more = match rule {
        "method" => r#" && (http.method == "HEAD" || http.method == "GET")"#,
        "header" => r#" && any(lower(http.headers.x_version)) == "2""#,
        _ => "",
    };
    route.expression = Some(format!(r#"http.host == "{host}" && {asked}{more}"#));
    (host, prefix + "/users/42")
}

fn headers() -> HeaderMap {
    let fields = [("accept", "*/*"), ("x-version", "2")];
    fields
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let headers = headers();
    for rule in RULES {
        let mut group = criterion.benchmark_group(rule);
        for (name, form) in FORMS {
            let route = |number| {
                let mut route = Route::new(&format!("route-{number}"));
                let request = form(rule, number, &mut route);
                ((Arc::new(route), number), request)
            };
            let (routes, requests): (Vec<_>, Vec<_>) = (0..1_000).map(route).unzip();
            let router = Router::with_flavor(Flavor::Expressions, routes);
            let router = router.unwrap_or_else(|errors| unreachable!("{errors:?}"));
            let mut requests = requests.iter().cycle();
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let head =
                        requests.next().map(|(host, path)| Head::new(&Method::GET, host, path, &headers));
                    let found = head.and_then(|head| router.find(black_box(&head)));
                    assert!(black_box(found).is_some());
                });
            });
        }
    }
    criterion.final_summary();
}
