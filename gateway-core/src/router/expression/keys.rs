//! Under which hosts and prefixes an expression must stand: what every request that it takes has.
//!
//! The index finds a rule by these. They may be wider than the expression, never narrower; what they decide need not
//! be asked again.

use std::cmp::Reverse;

use super::{
    super::{
        host::Name,
        path::{encoded, stands_plain},
    },
    field::TextField,
    node::Node,
    operator::Operator,
    predicate::{Comparison, Predicate},
    probe::canonical,
    program::Program,
};

/// So many places in the index one expression may have.
const MOST_PLACES: usize = 4_096;

/// Hosts and prefixes of the path; none of either: any.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) hosts: Vec<Name>,
    pub(super) prefixes: Vec<String>,
}

/// The keys of an expression, and what is left to ask once a request has one of them.
pub(super) fn keyed(node: &Node) -> (Keys, Program) {
    let parts = if let Node::All(parts) = node { parts.as_slice() } else { std::slice::from_ref(node) };
    let (by_host, hosts) = best(parts, &host, &exactness).unzip();
    let (by_prefix, prefixes) = best(parts, &prefix, &String::len).unzip();
    let (hosts, mut prefixes) = (hosts.unwrap_or_default(), prefixes.unwrap_or_default());
    let is_small = hosts.len().saturating_mul(prefixes.len()) <= MOST_PLACES;
    if !is_small {
        prefixes.clear();
    }
    let decided_host = by_host.filter(|at| parts.get(*at).is_some_and(is_hosts));
    let decided_prefix = by_prefix.filter(|at| {
        let before = parts.get(..*at).unwrap_or_default();
        is_small && parts.get(*at).is_some_and(is_plain_prefix) && !before.iter().any(asks_path)
    });
    let is_left = |at: usize| Some(at) != decided_host && Some(at) != decided_prefix;
    let left = parts.iter().enumerate().filter(|(at, _)| is_left(*at)).map(|(_, part)| part);
    (Keys { hosts, prefixes }, Program::of_all(left, decided_prefix.is_some()))
}

/// Whether `node` holds for just the hosts that are its keys.
fn is_hosts(node: &Node) -> bool {
    match node {
        Node::Predicate(predicate) => host(predicate).is_some(),
        Node::Any(nodes) => nodes.iter().all(is_hosts),
        Node::Not(_) | Node::All(_) => false,
    }
}

/// Whether `node` holds for just the paths that start with its key, which is what it takes: a prefix that is the same
/// decoded and on the wire.
fn is_plain_prefix(node: &Node) -> bool {
    let Node::Predicate(Predicate { lower: false, comparison, .. }) = node else { return false };
    let Comparison::Text(TextField::Path, Operator::Prefix, text) = comparison else { return false };
    !text.is_empty() && text.bytes().all(|octet| stands_plain(octet) && octet != b'%')
}

/// Whether what `node` takes of the path would come before what a later part takes.
fn asks_path(node: &Node) -> bool {
    node.predicates().iter().any(|predicate| {
        matches!(
            predicate.comparison,
            Comparison::Text(TextField::Path, ..) | Comparison::Search(TextField::Path, _)
        )
    })
}

/// The part whose keys tell most, and its keys.
fn best<K: Eq>(
    parts: &[Node],
    key: &impl Fn(&Predicate) -> Option<K>,
    weight: &impl Fn(&K) -> usize,
) -> Option<(usize, Vec<K>)> {
    let told = |(_, keys): &(usize, Vec<K>)| (keys.iter().map(weight).min(), Reverse(keys.len()));
    let known = parts.iter().enumerate().filter_map(|(at, node)| Some((at, needed(node, key, weight)?)));
    known.max_by_key(told)
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
        Node::All(nodes) => best(nodes, key, weight).map(|(_, keys)| keys),
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
        let Keys { hosts, prefixes } = keyed(&parse(text, Subsystem::Http).unwrap()).0;
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
    fn what_the_index_decides_is_not_asked_again() {
        let left = |text: &str| {
            format!("{:?}", keyed(&parse(text, Subsystem::Http).unwrap()).1).matches("Step").count()
        };
        assert_eq!(left(r#"http.host == "a.t" && http.path ^= "/a""#), 0);
        assert_eq!(left(r#"(http.host == "a.t" || http.host =^ ".t") && http.method == "GET""#), 1);
        for asked in [
            r#"http.path ^= "/a b""#,
            r#"http.path ^= "/%41""#,
            r#"http.path == "/a""#,
            r#"lower(http.path) ^= "/1""#,
            r#"http.path ~ "^/a""#,
            r#"!(http.host == "a")"#,
        ] {
            assert_eq!(left(asked), 1, "{asked}");
        }
        assert_eq!(
            left(r#"http.path ~ "^/a.*" && http.path ^= "/ab""#),
            2,
            "the prefix is what counts for the strip"
        );
        assert_eq!(left(r#"http.path ^= "/a" || http.path ^= "/ab""#), 2, "the first that holds counts");
        assert_eq!(left(r#"http.host == "a" || (http.host == "b" && http.method == "GET")"#), 3);
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
