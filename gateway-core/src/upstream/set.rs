//! The endpoints of one moment, and who of them takes requests.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Endpoint, balancing::Balancing, dns::Resolved, watch::Watch};
use crate::{
    balance::Pick,
    clock,
    error::Reason,
    health::{Recovery, Standing},
};

/// The endpoints of one moment; immutable.
pub(super) struct Set {
    pub(super) endpoints: Box<[Arc<Endpoint>]>,
    /// Their configured weights.
    pub(super) weights: Box<[u16]>,
    pub(super) balancing: Balancing,
    /// The last good answer for each target that is a name.
    pub(super) names: HashMap<Arc<str>, Resolved>,
    /// Why no endpoint takes requests, once that is known.
    pub(super) empty: Option<Reason>,
    /// Whether names have been looked up, well or not.
    pub(super) looked_up: bool,
    /// The state of affairs that it shows.
    pub(super) generation: u64,
    /// What there is to do for those that are unwell; none where all are well.
    pub(super) ailing: Option<Box<Ailing>>,
}

/// Endpoints that are unwell.
pub(super) struct Ailing {
    /// Those that traffic ejected.
    ejected: Box<[Arc<Endpoint>]>,
    /// When the first of them may be tried.
    next: AtomicU64,
    /// So many are unwell that nobody looks at health.
    panic: bool,
}

impl Set {
    /// The same endpoints, as their health has them now: who is unwell is not picked.
    pub(super) fn judged(&self, watch: &Watch) -> Self {
        // Before looking, so that a change in the meantime is looked at again.
        let generation = watch.generation();
        let well = |endpoint: &Endpoint| !watch.checks || endpoint.health().is_available();
        let weighed = self.endpoints.iter().zip(&self.weights);
        let available: Vec<u16> =
            weighed.map(|(endpoint, weight)| if well(endpoint) { *weight } else { 0 }).collect();
        let standing = match (sum(&available), sum(&self.weights)) {
            // Nothing to be judged.
            (_, 0) => Standing::Enough,
            _ if !watch.checks => Standing::Enough,
            (available, total) => watch.quorum.standing(available, total),
        };
        let none = || vec![0; available.len()];
        let (weights, empty) = match standing {
            Standing::Enough => (available, self.empty.filter(|reason| !is_of_health(*reason))),
            Standing::Panic => (self.weights.to_vec(), None),
            Standing::BelowThreshold => (none(), Some(Reason::BelowThreshold)),
            Standing::AllUnhealthy => (none(), Some(Reason::AllUnhealthy)),
        };
        let ailing = weights != *self.weights || standing != Standing::Enough;
        Self {
            endpoints: self.endpoints.clone(),
            weights: self.weights.clone(),
            balancing: self.balancing.with_weights(&self.endpoints, &weights),
            names: self.names.clone(),
            empty,
            looked_up: self.looked_up,
            generation,
            ailing: ailing.then(|| Box::new(Ailing::new(self, standing == Standing::Panic))),
        }
    }

    /// Whether the health of an endpoint lets it take requests: always where all are well, or nobody looks.
    pub(super) fn is_well(&self, endpoint: &Endpoint) -> bool {
        let looked_at = self.ailing.as_ref().is_some_and(|ailing| !ailing.panic);
        !looked_at || endpoint.health().is_available()
    }

    /// The set after a look-up: if it is empty now, the names do not resolve.
    pub(super) fn settled(mut self) -> Self {
        self.looked_up = true;
        if self.weights.iter().all(|weight| *weight == 0) {
            self.empty = self.empty.or(Some(Reason::DnsError));
        }
        self
    }

    /// How many endpoints that may get requests there are, and how many of them are ejected.
    pub(super) fn ejected(&self) -> (usize, usize) {
        let total = self.weights.iter().filter(|weight| **weight > 0).count();
        let out = self.endpoints.iter().filter(|endpoint| endpoint.vital().trial_at().is_some());
        (out.count(), total)
    }

    /// The endpoint to try next; those in `tried` only once all have been.
    pub(super) fn pick(
        &self,
        shard: usize,
        hash: Option<u32>,
        tried: &[Arc<Endpoint>],
    ) -> Option<Arc<Endpoint>> {
        let any = Pick::any(shard).hashed(hash);
        let index = if tried.is_empty() {
            self.balancing.pick(any)
        } else {
            let was_tried = |index: usize| {
                let endpoint = self.endpoints.get(index);
                endpoint.is_some_and(|endpoint| is_among(endpoint, tried))
            };
            let fresh = Pick::but(shard, &was_tried).hashed(hash);
            self.balancing.pick(fresh).or_else(|| self.balancing.pick(any))
        };
        self.endpoints.get(index?).cloned()
    }
}

impl Ailing {
    fn new(set: &Set, panic: bool) -> Self {
        let weighed = set.endpoints.iter().zip(&set.weights);
        let ejected =
            weighed.filter(|(endpoint, weight)| **weight > 0 && endpoint.vital().trial_at().is_some());
        let ejected: Box<[_]> = ejected.map(|(endpoint, _)| Arc::clone(endpoint)).collect();
        let next = AtomicU64::new(first_trial(&ejected));
        Self { ejected, next, panic }
    }

    /// An endpoint whose back-off is over, for this request to try it.
    pub(super) fn begin_trial(&self, recovery: &Recovery, tried: &[Arc<Endpoint>]) -> Option<Arc<Endpoint>> {
        let now = clock::now();
        if now < self.next.load(Relaxed) {
            return None;
        }
        let fresh = self.ejected.iter().filter(|endpoint| !is_among(endpoint, tried));
        let mut due = fresh.filter(|endpoint| endpoint.vital().begin_trial(recovery, now));
        let begun = due.next().cloned();
        self.next.store(first_trial(&self.ejected), Relaxed);
        begun
    }
}

fn sum(weights: &[u16]) -> u64 {
    weights.iter().map(|weight| u64::from(*weight)).sum()
}

/// Whether it is for their health that no endpoint takes requests.
const fn is_of_health(reason: Reason) -> bool {
    matches!(reason, Reason::AllUnhealthy | Reason::BelowThreshold)
}

fn first_trial(ejected: &[Arc<Endpoint>]) -> u64 {
    ejected.iter().filter_map(|endpoint| endpoint.vital().trial_at()).min().unwrap_or(u64::MAX)
}

fn is_among(endpoint: &Arc<Endpoint>, tried: &[Arc<Endpoint>]) -> bool {
    tried.iter().any(|other| Arc::ptr_eq(other, endpoint))
}
