//! Rules found by host and then by path.
//!
//! Every rule stands under each of its hosts, and there under each of its paths: a prefix under itself, an
//! expression under the literal text that it starts with. A request meets the rules under its own host, under the
//! wildcards that fit and under "any host"; in each it meets those of the prefixes of its path, the longest first.
//! What cannot beat the best so far is left out.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    Head,
    candidate::{Candidate, Found},
    entries::Entries,
    guard::Guard,
    host::{Host, HostMap},
    list::Entry,
    rank::Rank,
    request::Request,
    rule::Rule,
    slots::Slot,
    trie::{Forward, Trie},
};

/// Finds the best rule of a request. A clone shares all, and a change copies little more than it touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    hosts: HostMap<Trie<Entries>>,
}

impl Index {
    /// Adds the rules of the route `owner`, of which none is there and whose value stands in `slot`.
    pub(super) fn insert(&mut self, owner: Uuid, slot: Slot, rules: Vec<(Rank, Rule)>) {
        for place in places(owner, slot, rules) {
            let Place { host, keys, rule } = place;
            let port = host.as_ref().and_then(|host| host.port);
            let entry = Entry { rule, port };
            self.update(host.as_ref(), &keys, |entries| entries.insert(entry.clone()));
        }
    }

    /// Takes out the rules of the route `owner`, which were compiled a second time: that is sooner done than keeping
    /// all places of all rules.
    pub(super) fn remove(&mut self, owner: Uuid, rules: Vec<(Rank, Rule)>) {
        for Place { host, keys, rule } in places(owner, Slot::default(), rules) {
            self.update(host.as_ref(), &keys, |entries| entries.remove(&rule));
        }
    }

    /// The best rule that takes `head`.
    pub(super) fn find(&self, head: &Head<'_>) -> Option<Found<'_>> {
        let request = Request::new(head);
        let path = Forward(head.path.as_bytes());
        let mut best = None;
        self.hosts.visit(head.host, |paths| {
            paths.visit(path, |entries, prefix| best = entries.find(best, prefix, &request));
        });
        best
    }

    fn update(&mut self, host: Option<&Host>, keys: &[String], mut change: impl FnMut(&mut Entries)) {
        self.hosts.update(host.map(|host| &host.name), |paths| {
            let mut trie = paths.take().unwrap_or_default();
            for key in keys {
                trie.update(key.as_bytes(), |entries| {
                    let mut list = entries.take().unwrap_or_default();
                    change(&mut list);
                    *entries = (!list.is_empty()).then_some(list);
                });
            }
            *paths = (!trie.is_empty()).then_some(trie);
        });
    }
}

/// A rule with one of its hosts and the texts under which it stands there.
struct Place {
    host: Option<Host>,
    keys: Arc<[String]>,
    rule: Arc<Candidate>,
}

fn places(owner: Uuid, slot: Slot, rules: Vec<(Rank, Rule)>) -> impl Iterator<Item = Place> {
    rules.into_iter().enumerate().flat_map(move |(part, (rank, rule))| {
        let Rule { hosts, path, predicates } = rule;
        let (keys, tail) = path.into_keys();
        let keys: Arc<[String]> = keys.into();
        let rule = Arc::new(Candidate::new(rank, owner, part, slot, Guard::new(tail, predicates)));
        let any = hosts.is_empty().then_some(None);
        let hosts = hosts.into_iter().map(Some).chain(any);
        hosts.map(move |host| Place { host, keys: Arc::clone(&keys), rule: Arc::clone(&rule) })
    })
}
