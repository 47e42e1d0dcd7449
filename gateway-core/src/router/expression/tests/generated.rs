//! Generated expressions against the plain model of the language, and through the index against a scan.

use std::sync::Arc;

use proptest::{
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, RngSeed},
};
use uuid::Uuid;

use super::{
    super::{
        field::{Field, Subsystem},
        literal::Literal,
        node::Node,
        operator::Operator,
        predicate::{Left, Predicate},
    },
    model::Model,
    *,
};
use crate::{
    config::Route,
    router::{Flavor, Router},
};

const PATHS: &[&str] = &["/", "/a", "/A", "/a/b", "/ab", "/a b", "/ü", "b", "a", "/a/b/c", "", "/%2F"];
const HOSTS: &[&str] = &["a.t", "A.t", "b.t", ".t", "a.", "a", "", "c.a.t"];
const SEARCHES: &[&str] = &["^/a", "/b$", "^/(a|b)/", "^/a|b", "a b", "^/[a-z]+/", "(?i)^/A", ".", "^$", "ü"];

fn texts_of(
    name: &'static str,
    texts: &'static [&'static str],
) -> impl Strategy<Value = (String, Operator, Literal)> {
    use Operator::{Contains, Equals, NotEquals, Prefix, Suffix};
    (select(&[Equals, NotEquals, Prefix, Suffix, Contains][..]), select(texts))
        .prop_map(move |(operator, text)| (name.to_owned(), operator, Literal::Text(text.to_owned())))
}

fn parts() -> impl Strategy<Value = (String, Operator, Literal)> {
    use Operator::{Equals, Greater, GreaterOrEqual, In, Less, LessOrEqual, Matches, NotEquals, NotIn};
    let searched = select(
        &["http.path", "http.host", "http.headers.x_a", "http.path.segments.0_1", "http.queries.q"][..],
    );
    let search = (searched, select(SEARCHES))
        .prop_map(|(field, text)| (field.to_owned(), Matches, Literal::Text(text.to_owned())));
    let comparing = select(&[Equals, NotEquals, Greater, GreaterOrEqual, Less, LessOrEqual][..]);
    let number = (
        select(&["net.src.port", "net.dst.port", "http.path.segments.len"][..]),
        comparing,
        select(&[0, 1, 2, 80, 81, 8000, i64::MIN, i64::MAX][..]),
    )
        .prop_map(|(field, operator, number)| (field.to_owned(), operator, Literal::Number(number)));
    let ends = || select(&["net.src.ip", "net.dst.ip"][..]);
    let address = (ends(), select(&[Equals, NotEquals][..]), select(&["10.0.0.1", "fd00::1"][..]))
        .prop_map(|(field, operator, ip)| (field.to_owned(), operator, Literal::parse(ip).unwrap()));
    let network = (ends(), select(&[In, NotIn][..]), select(&["10.0.0.0/8", "0.0.0.0/0", "fd00::/8"][..]))
        .prop_map(|(field, operator, range)| (field.to_owned(), operator, Literal::parse(range).unwrap()));
    prop_oneof![
        4 => texts_of("http.path", PATHS),
        3 => texts_of("http.host", HOSTS),
        1 => texts_of("http.method", &["GET", "PUT", "get"]),
        1 => texts_of("net.protocol", &["http", "https", "s"]),
        1 => texts_of("tls.sni", HOSTS),
        2 => texts_of("http.headers.x_a", &["1", "A", "a", "", "\"q\"\\\n"]),
        1 => texts_of("http.queries.q", &["1", "x y", "A", ""]),
        1 => texts_of("http.path.segments.0", &["a", "A", "a b", "", "ü"]),
        1 => texts_of("http.path.segments.0_1", &["a", "a/b", ""]),
        1 => texts_of("http.path.segments.1", &["b", "a"]),
        3 => search,
        1 => number,
        1 => address,
        1 => network,
    ]
}

fn predicates() -> impl Strategy<Value = Node> {
    (parts(), any::<bool>(), any::<bool>()).prop_map(|((name, operator, literal), lower, any)| {
        let field = Field::parse(&name, Subsystem::Http).unwrap();
        let lower = lower && matches!(field, Field::Text(_));
        Node::Predicate(Predicate::new(Left { field, lower, any }, operator, literal).unwrap())
    })
}

fn nodes() -> impl Strategy<Value = Node> {
    predicates().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Node::all),
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Node::any),
            1 => inner.prop_map(|node| Node::Not(Box::new(node))),
        ]
    })
}

fn requests() -> impl Strategy<Value = Given> {
    let path = "/((a|b|A|ab|a%20b|%C3%9C|c)(/(a|b|c)){0,2}/?)?";
    let host = select(&["a.t", "b.t", "c.a.t", "a", "t", ""][..]);
    let headers =
        subsequence(&[("x-a", "1"), ("x-a", "A"), ("x_a", "a"), ("x-a", ""), ("x-b", "1")][..], 0..4);
    let query = prop::option::of(select(&["q=1", "q=x+y&q=1", "q", "q=%41&p=1", "", "&&=1"][..]));
    let ends = || prop::option::of(select(&["10.0.0.1:81", "11.0.0.1:1", "[fd00::1]:8000"][..]));
    let tls = select(&[None, Some(None), Some(Some("a.t")), Some(Some("b.t"))][..]);
    let port = select(&[80, 81, 443, 8000][..]);
    (path, host, headers, query, ends(), ends(), tls, port, select(&["GET", "PUT"][..])).prop_map(
        |(path, host, headers, query, source, destination, tls, port, method)| {
            let given =
                headers.iter().fold(get(&path), |given, (name, value)| given.header(name, value.as_bytes()));
            given.with(|given| {
                given.host = host.to_owned();
                (given.method, given.port) = (method.parse().unwrap(), port);
                given.query = query.map(str::to_owned);
                given.source = source.map(|end| end.parse().unwrap());
                given.destination = destination.map(|end| end.parse().unwrap());
                if let Some(sni) = tls {
                    (given.scheme, given.sni) = (Protocol::Https, sni.map(str::to_owned));
                }
            })
        },
    )
}

/// A thousand known cases; `PROPTEST_CASES` asks for as many new ones.
fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        (config.cases, config.rng_seed) = (1_000, RngSeed::Fixed(46));
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_expression_is_read_as_it_is_written(node in nodes()) {
        let text = node.to_string();
        let read = Expression::parse(&text);
        prop_assert_eq!(read.as_ref().map(Expression::node), Ok(&node), "{}", text);
    }

    #[test]
    fn an_expression_holds_when_the_model_says_so(node in nodes(), requests in prop::collection::vec(requests(), 1..16)) {
        let expression = Expression::new(node.clone());
        for given in &requests {
            let expected = Model::default().holds(&node, given, true);
            prop_assert_eq!(expression.matches(&given.head()), expected, "{} {:?}", node, given);
            prop_assert_eq!(expression.refused_by(&given.head()).is_none(), expected);
        }
    }

    /// Every route is found through the index as by trying all from the highest rank down.
    #[test]
    fn the_index_loses_no_expression(
        nodes in prop::collection::vec((nodes(), 0..3_u64), 1..12),
        requests in prop::collection::vec(requests(), 1..16),
    ) {
        let mut ranked: Vec<_> = nodes.iter().enumerate().map(|(at, (node, priority))| (*priority, at, node)).collect();
        let routes = ranked.iter().map(|(priority, at, node)| {
            let mut route = Route::new(&at.to_string());
            route.id = Uuid::from_u128(*at as u128);
            (route.expression, route.priority) = (Some(node.to_string()), Some(*priority));
            (Arc::new(route), *at)
        });
        let router = Router::with_flavor(Flavor::Expressions, routes).unwrap_or_else(|errors| panic!("{errors:?}"));
        ranked.sort_by_key(|(priority, at, _)| std::cmp::Reverse((*priority, *at)));
        for given in &requests {
            let expected = ranked.iter().find_map(|(_, at, node)| {
                let mut model = Model::default();
                model.holds(node, given, true).then_some((*at, model.taken))
            });
            let found = router.find(&given.head()).map(|found| (*found.value, found.matched));
            prop_assert_eq!(found, expected, "{:?} of {:?}", given, ranked);
        }
    }

    #[test]
    fn no_text_breaks_the_parser(text in r##"(http\.path|net\.src\.ip|tls\.sni|any\(|lower\(|==|~|\^=|in|not|&&|\|\||!|\(|\)|"|r#"|"#|\\|1|0x|/8|::|\.|_| |\n|\PC){0,24}"##) {
        match Expression::parse(&text) {
            Ok(expression) => prop_assert!(Expression::parse(&expression.to_string()).is_ok()),
            Err(error) => prop_assert!(error.to_string().lines().count() >= 5),
        }
    }
}
