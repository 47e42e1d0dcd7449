//! What a match allocates, by flavour: nothing, where the path and the query have no escapes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use allocation_counter::measure;
use gateway_core::{
    config::Route,
    router::{Dialect, Flavor, Head, Router},
};
use http::{HeaderMap, HeaderValue, Method};

fn route(name: &str, path: &str, fill: impl FnOnce(&mut Route)) -> (Arc<Route>, String) {
    let mut route = Route::new(name);
    route.paths = Some(vec![path.to_owned()]);
    fill(&mut route);
    (Arc::new(route), name.to_owned())
}

#[test]
fn prefixes_exact_paths_templates_headers_and_queries_allocate_nothing() {
    let headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("text/html"))]);
    for flavor in Flavor::ALL.iter().copied() {
        let mut dialect = Dialect::from(flavor);
        dialect.path_templates = true;
        let accepts = |route: &mut Route| {
            route.headers = Some([("accept".to_owned(), vec!["text/html".to_owned()])].into_iter().collect());
        };
        let asks = |route: &mut Route| {
            if flavor == Flavor::GatewayApi {
                route.queries = Some([("q".to_owned(), vec!["1".to_owned()])].into_iter().collect());
            }
        };
        let router = Router::with_flavor(
            dialect,
            [
                route("prefix", "/prefix", accepts),
                route("query", "/query", asks),
                route("template", "/t/{a}/{b}/{c}", |_| {}),
                route("exact", "~/exact$", |_| {}),
            ],
        )
        .unwrap();
        for (path, name) in
            [("/prefix/x", "prefix"), ("/query", "query"), ("/t/1/2/3", "template"), ("/exact", "exact")]
        {
            let mut head = Head::new(&Method::GET, "a.t", path, &headers);
            head.query = Some("x=2&q=1");
            let find = || assert_eq!(router.find(&head).map(|found| found.value.as_str()), Some(name));
            // An expression makes its working space when it is first used.
            find();
            assert_eq!(measure(find).count_total, 0, "{flavor} {path}");
        }
    }
}
