//! Under which hosts and prefixes an expression must stand: what every request that it takes has.
//!
//! The index finds a rule by these, and the whole expression is checked then. They may be wider than the
//! expression, never narrower.

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
        let hosts = needed(node, &host).unwrap_or_default();
        let prefixes = needed(node, &prefix).unwrap_or_default();
        let is_small = hosts.len().saturating_mul(prefixes.len()) <= MOST_PLACES;
        Self { hosts, prefixes: if is_small { prefixes } else { Vec::new() } }
    }
}

/// One of these is what `node` needs; `None`: nothing that is known. `key` says what a predicate needs.
///
/// Of the parts of an `All` the one with the fewest keys counts, of an `Any` all together.
fn needed<K: Eq>(node: &Node, key: &impl Fn(&Predicate) -> Option<K>) -> Option<Vec<K>> {
    match node {
        Node::Predicate(predicate) => key(predicate).map(|key| vec![key]),
        Node::Not(_) => None,
        Node::All(nodes) => nodes.iter().filter_map(|node| needed(node, key)).min_by_key(Vec::len),
        Node::Any(nodes) => {
            let mut all = Vec::new();
            for node in nodes {
                for key in needed(node, key)? {
                    if !all.contains(&key) {
                        all.push(key);
                    }
                }
            }
            Some(all)
        }
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
