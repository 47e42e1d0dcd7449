//! Rules, best first.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    candidate::{Candidate, Found},
    request::{Request, Taken},
};

/// Rules under one host and one path, best first: those that a request is checked against one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct List(SmallVec<[Entry; 1]>);

/// A rule under one of its hosts.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) rule: Arc<Candidate>,
    /// The only port that this host of it takes.
    pub(super) port: Option<u16>,
}

impl List {
    pub(super) fn insert(&mut self, entry: Entry) {
        let at = self.0.partition_point(|other| !entry.rule.beats(&other.rule));
        self.0.insert(at, entry);
    }

    /// Takes out `rule`; how often it was there.
    pub(super) fn remove(&mut self, rule: &Candidate) -> usize {
        let before = self.0.len();
        self.0.retain(|entry| !entry.rule.is(rule));
        before - self.0.len()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    pub(super) fn best(&self) -> Option<&Entry> {
        self.0.first()
    }

    /// The best rule that takes the request, of whose path the first `prefix` bytes are the key; `best` if none here
    /// beats it.
    pub(super) fn find<'i>(
        &'i self,
        best: Option<Found<'i>>,
        prefix: usize,
        request: &Request<'_>,
    ) -> Option<Found<'i>> {
        let better = self.0.iter().take_while(|entry| entry.beats(best));
        better.filter_map(|entry| entry.check(prefix, request)).next().or(best)
    }
}

impl Entry {
    /// Whether it would take the request in place of `best`.
    pub(super) fn beats(&self, best: Option<Found<'_>>) -> bool {
        best.is_none_or(|best| self.rule.beats(best.rule))
    }

    fn check(&self, prefix: usize, request: &Request<'_>) -> Option<Found<'_>> {
        if self.port.is_some_and(|port| port != request.head.port) {
            return None;
        }
        let Taken { matched, pattern } = self.rule.guard.check(prefix, request)?;
        Some(Found { rule: &self.rule, matched, pattern })
    }
}
