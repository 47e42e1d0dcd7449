//! The rules under one host and one path.

use std::sync::Arc;

use super::{
    candidate::{Candidate, Found},
    crowd::Crowd,
    list::{Entry, List},
    request::Request,
};

/// A few rules are checked one by one, many by the signs that a request shows.
#[derive(Clone, Debug)]
pub(super) enum Entries {
    Few(List),
    Many(Arc<Crowd>),
}

/// From this many on, looking up signs costs less than checking rules.
const MANY: usize = 4;

impl Entries {
    pub(super) fn insert(&mut self, entry: Entry) {
        match self {
            Self::Few(list) if list.len() + 1 < MANY => list.insert(entry),
            Self::Few(list) => {
                let mut crowd = Crowd::default();
                list.iter().cloned().chain([entry]).for_each(|entry| crowd.insert(entry));
                *self = Self::Many(Arc::new(crowd));
            }
            Self::Many(crowd) => Arc::make_mut(crowd).insert(entry),
        }
    }

    pub(super) fn remove(&mut self, rule: &Candidate) {
        match self {
            Self::Few(list) => drop(list.remove(rule)),
            Self::Many(crowd) => Arc::make_mut(crowd).remove(rule),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(list) => list.best().is_none(),
            Self::Many(crowd) => crowd.is_empty(),
        }
    }

    /// As [`List::find`].
    pub(super) fn find<'i>(
        &'i self,
        best: Option<Found<'i>>,
        prefix: usize,
        request: &Request<'_>,
    ) -> Option<Found<'i>> {
        match self {
            Self::Few(list) => list.find(best, prefix, request),
            Self::Many(crowd) => crowd.find(best, prefix, request),
        }
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self::Few(List::default())
    }
}
