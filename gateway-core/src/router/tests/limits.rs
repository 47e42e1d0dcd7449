//! How much memory regular expressions may take, compiled: one, those of a route, those of all.

use super::*;
use crate::router::ledger::Ledger;

/// An expression that is half a mebibyte, compiled, and unlike any of another number.
fn large(number: usize) -> String {
    format!("/{number}/[0-9]{{10000}}")
}

fn route_of(number: usize, paths: &[String]) -> Route {
    route(&number.to_string(), |route| {
        route.id = id(number as u128);
        route.paths = Some(paths.iter().map(|path| format!("~{path}")).collect());
    })
}

fn messages(refused: Vec<(Arc<Route>, RuleError)>) -> Vec<String> {
    refused.into_iter().map(|(_, error)| error.to_string()).collect()
}

#[test]
fn the_expressions_of_one_route_have_a_limit() {
    let paths: Vec<String> = (0..150).map(large).collect();
    let errors = messages(build([route_of(1, &paths)]).unwrap_err());
    let [error] = errors.as_slice() else { panic!("one says it all: {errors:?}") };
    let at: usize = error.split(['[', ']']).nth(1).unwrap().parse().unwrap();
    assert!(error.ends_with("take more than 64 MiB, compiled: make several routes of it"), "{error}");
    assert!((125..140).contains(&at), "{error}");
    assert!(build([route_of(1, &paths[..at]), route_of(2, &paths[at..at + 1])]).is_ok(), "one less");
}

#[test]
fn the_expressions_of_header_values_count_too() {
    let with = |values: usize| {
        let mut route = route_of(1, &(0..8).map(large).collect::<Vec<_>>());
        let values = (0..values).map(|number| format!("~*{}", large(number))).collect();
        route.headers = Some([("x".to_owned(), values)].into_iter().collect());
        build([route]).map(drop).map_err(messages)
    };
    assert_eq!(with(1), Ok(()));
    let errors = with(150).unwrap_err();
    assert!(errors.len() == 1 && errors[0].starts_with("headers.x["), "{errors:?}");
}

#[test]
fn the_expressions_of_an_expression_have_a_limit() {
    let text = |count: usize| {
        let each = (0..count).map(|number| format!("http.path ~ \"{}\"", large(number)));
        each.collect::<Vec<_>>().join(" || ")
    };
    let build = |count| {
        let mut route = route("r", |_| {});
        route.expression = Some(text(count));
        build_as(Flavor::Expressions, [route]).map(drop).map_err(messages)
    };
    assert_eq!(build(2), Ok(()));
    let errors = build(150).unwrap_err();
    assert!(errors[0].starts_with("expression: Router Expression failed validation"), "{errors:?}");
    assert!(errors[0].contains("take more than 64 MiB"), "{errors:?}");
}

/// The limit of all, with a small one in its place.
#[test]
fn the_expressions_of_all_routes_have_a_limit_and_equal_ones_count_once() {
    let size = |number: usize| route_of(number, &[format!("/{number}/[a-z]+")]);
    let mut one = build([size(1)]).unwrap();
    let (limit, mut none) = (3 * one.ledger().total(), build([]).unwrap());
    *none.ledger() = Ledger::limited(limit);
    let apply = |router: &Router<String>, gone: &[u128], come: &[Route]| {
        let come = come.iter().map(|route| (Arc::new(route.clone()), String::new()));
        router.apply(gone.iter().map(|gone| id(*gone)), come).map_err(messages)
    };
    let full = apply(&none, &[], &[size(1), size(2), size(3)]).unwrap();
    let twin = route_of(9, &["/1/[a-z]+".to_owned()]);
    let full = apply(&full, &[], &[twin]).expect("an equal one takes nothing more");
    let error = ["paths: the regular expressions of all routes take more than 0 MiB, compiled: \
                  `[0-9A-Za-z_]` takes less than a tenth of `\\w`"
        .to_owned()];
    assert_eq!(apply(&full, &[], &[size(4)]).unwrap_err(), error);
    assert_eq!(apply(&full, &[1], &[size(4)]).unwrap_err(), error, "its twin still needs the expression");
    assert!(apply(&full, &[2], &[size(4)]).is_ok(), "one goes for it");
    let smaller = route("3", |route| route.id = id(3));
    assert!(apply(&full, &[], &[size(4), smaller]).is_ok(), "one that comes later makes room");
    let many: Vec<_> = (4..40).map(size).collect();
    assert_eq!(apply(&none, &[], &many).unwrap_err(), error, "and the rest is not compiled");
    let mut empty = apply(&full, &[1, 2, 3, 9], &[]).unwrap();
    assert_eq!(empty.ledger().total(), 0);
}
