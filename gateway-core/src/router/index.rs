//! Rules, best first, found by host and then by path.
//!
//! Every rule stands under each of its hosts, and there under each of its paths: a prefix under itself, an
//! expression or a template under the literal text that it starts with. A request meets the lists under its own host, under the
//! wildcards that fit and under "any host"; in each it meets those of the prefixes of its path, the longest first.
//! The place of a rule is its rank, so lists are in order and a list that starts behind the best so far is left out.

use foldhash::HashMap;

use super::{
    Head,
    captures::PathPattern,
    guard::{Guard, Request, Taken},
    host::{HostMap, Name},
    rule::Rule,
    trie::{Forward, Trie},
};

/// Finds the best rule of a request.
#[derive(Debug)]
pub(super) struct Index {
    /// What is left to check of each rule once host and prefix fit.
    guards: Vec<Guard>,
    hosts: HostMap<Trie<Entries>>,
}

/// The best rule that takes a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'i> {
    /// Its place.
    pub(super) rule: u32,
    /// How many bytes of the path it matched.
    pub(super) matched: usize,
    /// The expression or template that did.
    pub(super) pattern: Option<PathPattern<'i>>,
}

/// The rules under one host and one prefix, best first.
#[derive(Debug)]
struct Entries {
    own: Box<[Entry]>,
    /// The best place here or under a shorter prefix.
    best: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rule: u32,
    port: Option<u16>,
}

impl Index {
    /// An index over these rules, the best first.
    pub(super) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut guards = Vec::new();
        let mut lists: HashMap<Option<Name>, Vec<(Vec<u8>, Entry)>> = HashMap::default();
        for (place, Rule { hosts, path, predicates }) in (0..).zip(rules) {
            let (keys, tail) = path.into_keys();
            let any = hosts.is_empty().then_some((None, None));
            for (name, port) in hosts.into_iter().map(|host| (Some(host.name), host.port)).chain(any) {
                let entries = keys.iter().map(|key| (key.clone().into_bytes(), Entry { rule: place, port }));
                lists.entry(name).or_default().extend(entries);
            }
            guards.push(Guard::new(tail, predicates));
        }
        let hosts = HostMap::new(lists.into_iter().map(|(name, list)| (name, paths(list))));
        Self { guards, hosts }
    }

    /// The best rule that takes `head`.
    pub(super) fn find(&self, head: &Head<'_>) -> Option<Found<'_>> {
        let request = Request::new(head);
        let path = Forward(head.path.as_bytes());
        let mut best: Option<Found<'_>> = None;
        for paths in self.hosts.get(head.host) {
            for (entries, matched) in paths.prefixes_of(path) {
                let limit = best.map_or(u32::MAX, |best| best.rule);
                if entries.best >= limit {
                    break;
                }
                let better = entries.own.iter().take_while(|entry| entry.rule < limit);
                best = better.copied().find_map(|entry| self.check(entry, matched, &request)).or(best);
            }
        }
        best
    }

    fn check(&self, entry: Entry, prefix: usize, request: &Request<'_>) -> Option<Found<'_>> {
        let guard = self.guards.get(entry.rule as usize)?;
        if entry.port.is_some_and(|port| port != request.head.port) {
            return None;
        }
        let Taken { matched, pattern } = guard.check(prefix, request)?;
        Some(Found { rule: entry.rule, matched, pattern })
    }
}

fn paths(mut entries: Vec<(Vec<u8>, Entry)>) -> Trie<Entries> {
    entries.sort_unstable();
    let lists = entries.chunk_by(|(a, _), (b, _)| a == b).filter_map(|list| {
        let (key, first) = list.first()?;
        let own = list.iter().map(|(_, entry)| *entry).collect();
        Some((key.clone(), Entries { own, best: first.rule }))
    });
    let mut trie = Trie::new(lists.collect());
    trie.inherit(|up: &Entries, own: &mut Entries| own.best = own.best.min(up.best));
    trie
}
