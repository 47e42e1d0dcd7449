//! Under which hosts and prefixes an expression must stand: what every request that it takes has.
//!
//! The index finds a rule by these, and the whole expression is checked then. They may be wider than the
//! expression, never narrower.

use std::cmp::Reverse;

use super::{
    super::{host::Name, path::encoded},
    field::TextField,
    node::Node,
    operator::Operator,
    predicate::{Comparison, Predicate},
    probe::canonical,
};

/// So many places in the index one expression may have.
const MOST_PLACES: usize = 4_096;

/// Hosts and prefixes of the path; none of either: any.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) hosts: Vec<Name>,
    pub(super) prefixes: Vec<String>,
}

impl Keys {
    pub(super) fn new(node: &Node) -> Self {
        let hosts = needed(node, &host, &exactness).unwrap_or_default();
        let prefixes = needed(node, &prefix, &String::len).unwrap_or_default();
        let is_small = hosts.len().saturating_mul(prefixes.len()) <= MOST_PLACES;
        Self { hosts, prefixes: if is_small { prefixes } else { Vec::new() } }
    }
}

/// One of these is what `node` needs; `None`: nothing that is known. `key` says what a predicate needs, and `weight`
/// how much of a request a key tells.
///
/// Of the parts of an `All` the one counts whose keys tell most, of an `Any` all together.
fn needed<K: Eq>(
    node: &Node,
    key: &impl Fn(&Predicate) -> Option<K>,
    weight: &impl Fn(&K) -> usize,
) -> Option<Vec<K>> {
    match node {
        Node::Predicate(predicate) => key(predicate).map(|key| vec![key]),
        Node::Not(_) => None,
        Node::All(nodes) => {
            let told = |keys: &Vec<K>| (keys.iter().map(weight).min(), Reverse(keys.len()));
            nodes.iter().filter_map(|node| needed(node, key, weight)).max_by_key(told)
        }
        Node::Any(nodes) => {
            let mut all = Vec::new();
            for node in nodes {
                for key in needed(node, key, weight)? {
                    if !all.contains(&key) {
                        all.push(key);
                    }
                }
            }
            Some(all)
        }
    }
}

fn exactness(name: &Name) -> usize {
    match name {
        Name::Exact(_) => usize::MAX,
        Name::EndsWith(text) | Name::StartsWith(text) => text.len(),
    }
}

fn host(predicate: &Predicate) -> Option<Name> {
    let Comparison::Text(field @ TextField::Host, operator, text) = &predicate.comparison else {
        return None;
    };
    let name = canonical(field, *operator, text);
    match operator {
        Operator::Equals => Some(Name::Exact(name)),
        Operator::Suffix if !name.is_empty() => Some(Name::EndsWith(name)),
        Operator::Prefix if !name.is_empty() => Some(Name::StartsWith(name)),
        _ => None,
    }
}

/// What the path starts with on the wire.
fn prefix(predicate: &Predicate) -> Option<String> {
    use Operator::{Equals, Prefix};
    let start = match &predicate.comparison {
        Comparison::Text(TextField::Path, Equals | Prefix, text) => text.clone(),
        Comparison::Text(TextField::Segments(0, _), Equals | Prefix, text) => format!("/{text}"),
        Comparison::Search(TextField::Path, search) => search.literal_start(),
        _ => return None,
    };
    // What `lower` changes may have been anything.
    let is_kept = |letter: &char| !predicate.lower || (letter.is_ascii() && !letter.is_ascii_alphabetic());
    let start: String = start.chars().take_while(is_kept).collect();
    (!start.is_empty()).then(|| encoded(&start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::expression::{field::Subsystem, parser::parse};

    fn keys(text: &str) -> (Vec<Name>, Vec<String>) {
        let Keys { hosts, prefixes } = Keys::new(&parse(text, Subsystem::Http).unwrap());
        (hosts, prefixes)
    }

    fn prefixes(text: &str) -> Vec<String> {
        keys(text).1
    }

    #[test]
    fn hosts_and_prefixes_come_from_the_predicates_that_must_hold() {
        let (hosts, prefixes) =
            keys(r#"http.host == "A.t" && http.path ^= "/sp ace" && http.method == "GET""#);
        assert_eq!((hosts, prefixes), (vec![Name::Exact("a.t".into())], vec!["/sp%20ace".into()]));
        let (hosts, prefixes) =
            keys(r#"(http.host =^ ".t" || http.host ^= "a.") && http.path ~ "^/u/(a|b)""#);
        assert_eq!(hosts, [Name::EndsWith(".t".into()), Name::StartsWith("a.".into())]);
        assert_eq!(prefixes, ["/u/"]);
    }

    #[test]
    fn one_side_of_an_or_without_a_key_leaves_none() {
        assert_eq!(prefixes(r#"http.path == "/a" || http.path == "/b" || http.path == "/a""#), ["/a", "/b"]);
        assert!(prefixes(r#"http.path == "/a" || http.method == "GET""#).is_empty());
        assert!(prefixes(r#"!(http.path != "/a")"#).is_empty());
        assert!(prefixes(r#"http.path =^ "a" && http.path contains "b" && http.path ~ "/c""#).is_empty());
        assert_eq!(keys(r#"http.host != "a" && http.host ^= "" && http.host contains "a""#).0, []);
    }

    #[test]
    fn the_part_that_tells_most_is_taken() {
        assert_eq!(prefixes(r#"http.path ^= "/" && http.path ^= "/api" && http.path ~ "^/a""#), ["/api"]);
        assert_eq!(
            prefixes(r#"http.path ^= "/" && (http.path == "/aa" || http.path == "/bb")"#),
            ["/aa", "/bb"]
        );
        assert_eq!(keys(r#"http.host ^= "a." && http.host == "a.t""#).0, [Name::Exact("a.t".into())]);
        assert_eq!(prefixes(r#"http.path.segments.0 == "a b""#), ["/a%20b"]);
        assert_eq!(prefixes(r#"lower(http.path) ^= "/1/a""#), ["/1/"]);
    }

    #[test]
    fn places_in_the_index_are_bounded() {
        let any = |field: &str, count: usize| {
            let all: Vec<_> = (0..count).map(|at| format!(r#"{field} == "/{at}""#)).collect();
            all.join(" || ")
        };
        let (hosts, prefixes) = keys(&format!("({}) && ({})", any("http.host", 100), any("http.path", 100)));
        assert_eq!((hosts.len(), prefixes.len()), (100, 0));
    }
}
