//! Expressions.

use std::sync::Arc;

use gateway_core::{
    config::Route,
    router::{Expression, Flavor, Head, Router},
};
use http::{HeaderMap, HeaderValue, Method};

/// An expression is refused with a picture of where it is wrong, or reads as it is written, and a route with it takes
/// what it takes alone.
pub fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => {
            let message = error.to_string();
            assert!(error.line() >= 1 && error.column() >= 1 && message.contains("--> "), "{message}");
            // A regular expression that does not parse is shown twice more.
            assert!(message.len() < 4 * text.len() + 2_000, "{message}");
            return;
        }
    };
    let written = expression.to_string();
    let again = Expression::parse(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(again.to_string(), written, "{text:?} is not read as it is written");
    let mut route = Route::new("r");
    route.expression = Some(text.to_owned());
    let router = Router::with_flavor(Flavor::Expressions, [(Arc::new(route), ())]).expect("it was read");
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("1"));
    for path in ["/", "/a/b", "/A%20b/%2F/", "/u/12"] {
        for method in [Method::GET, Method::PUT] {
            let mut head = Head::new(&method, "a.t", path, &headers);
            head.query = Some("q=1&q=x+y");
            head.source = Some(([10, 0, 0, 1], 31).into());
            let found = router.find(&head);
            assert_eq!(found.is_some(), expression.matches(&head), "{written} {head:?}");
            assert_eq!(expression.refused_by(&head).is_none(), found.is_some());
            assert!(found.is_none_or(|found| path.get(..found.matched).is_some()), "{written} {head:?}");
        }
    }
}
