//! The endpoints of one moment, and who of them takes requests.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Endpoint, balancing::Balancing, dns::Resolved, sticky::Sessions, target::Group, watch::Watch};
use crate::{
    balance::{Graded, Pick, spill_over},
    clock,
    error::Reason,
    health::{Recovery, Standing},
};

/// The endpoints of one moment; immutable.
pub(super) struct Set {
    pub(super) endpoints: Box<[Arc<Endpoint>]>,
    /// Their configured weights.
    pub(super) weights: Box<[u16]>,
    /// Where cookies find them; empty where none is looked at.
    pub(super) sessions: Sessions,
    /// Their levels, lower ones first; empty where all are equal.
    pub(super) levels: Box<[u32]>,
    /// The weights that they are balanced by now.
    pub(super) shares: Box<[u16]>,
    pub(super) balancing: Balancing,
    /// The same for those of each subset alone, by its name: one endpoint may be in several.
    pub(super) subsets: Box<[(Arc<str>, Self)]>,
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

/// Who warms up comes to its share in so many steps.
const STEPS: u64 = 20;
/// But none is shorter, in milliseconds.
const SHORTEST_STEP: u64 = 100;

/// Endpoints that are unwell, or not wholly well again.
pub(super) struct Ailing {
    /// Those that traffic ejected.
    ejected: Box<[Arc<Endpoint>]>,
    /// When the first of them may be tried.
    next: AtomicU64,
    /// So many are unwell that nobody looks at health.
    panic: bool,
    /// When the shares of those that warm up are laid out anew; for ever: nobody does.
    warms_at: AtomicU64,
}

impl Set {
    /// Of nobody, for `group`.
    pub(super) fn empty(group: &Group) -> Self {
        Self {
            endpoints: Box::default(),
            weights: Box::default(),
            sessions: Sessions::default(),
            levels: Box::default(),
            shares: Box::default(),
            balancing: Balancing::new(group, &[], &[], 1, None),
            subsets: Box::default(),
            names: HashMap::new(),
            empty: None,
            looked_up: false,
            generation: 0,
            ailing: None,
        }
    }

    /// Those of a subset, where there is such a one; without a name all of them.
    pub(super) fn within(&self, subset: Option<&str>) -> Option<&Self> {
        let Some(wanted) = subset else { return Some(self) };
        self.subsets.iter().find(|(name, _)| **name == *wanted).map(|(_, set)| set)
    }

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
        let ill = available != *self.weights || standing != Standing::Enough;
        let (ranked, warms_at) = self.ranked(watch, &available);
        let (weights, empty) = match standing {
            Standing::Enough => (ranked, self.empty.filter(|reason| !is_of_health(*reason))),
            Standing::Panic => (self.weights.to_vec(), None),
            Standing::BelowThreshold => (none(), Some(Reason::BelowThreshold)),
            Standing::AllUnhealthy => (none(), Some(self.why_none())),
        };
        let ailing = ill || warms_at.is_some();
        Self {
            endpoints: self.endpoints.clone(),
            weights: self.weights.clone(),
            sessions: self.sessions.clone(),
            levels: self.levels.clone(),
            balancing: self.balancing.with_weights(&self.endpoints, &weights),
            shares: weights.into(),
            subsets: self.subsets.iter().map(|(name, set)| (Arc::clone(name), set.judged(watch))).collect(),
            names: self.names.clone(),
            empty,
            looked_up: self.looked_up,
            generation,
            ailing: ailing.then(|| Box::new(Ailing::new(self, standing == Standing::Panic, warms_at))),
        }
    }

    /// The shares of those that are available, by rank and age, and when they are to be laid out anew: where somebody
    /// warms up.
    fn ranked(&self, watch: &Watch, available: &[u16]) -> (Vec<u16>, Option<u64>) {
        if self.levels.is_empty() {
            return (available.to_vec(), None);
        }
        let now = clock::now();
        let readiness = |endpoint: &Endpoint| {
            watch.slow_start.map_or(1.0, |slow| slow.readiness(endpoint.vital().age(now)))
        };
        let graded =
            |(((endpoint, weight), level), available): (((&Arc<Endpoint>, &u16), &u32), &u16)| Graded {
                weight: *weight,
                level: *level,
                readiness: if *available > 0 { readiness(endpoint) } else { 0.0 },
            };
        let all = self.endpoints.iter().zip(&self.weights).zip(&self.levels).zip(available);
        let all: Vec<_> = all.map(graded).collect();
        let warms = all.iter().any(|it| it.readiness > 0.0 && it.readiness < 1.0);
        let step = watch.slow_start.map_or(0, |slow| clock::millis(slow.window) / STEPS).max(SHORTEST_STEP);
        (spill_over(&all), warms.then(|| now.saturating_add(step)))
    }

    /// Whether others come before an endpoint and take all requests.
    pub(super) fn is_spare(&self, endpoint: &Endpoint) -> bool {
        let shares = self.endpoints.iter().zip(&self.shares);
        let mut own = shares.filter(|(other, _)| std::ptr::eq(other.as_ref(), endpoint));
        !self.levels.is_empty() && own.next().is_some_and(|(_, share)| *share == 0)
    }

    /// Whether the health of an endpoint lets it take requests: always where all are well, or nobody looks.
    pub(super) fn is_well(&self, endpoint: &Endpoint) -> bool {
        let looked_at = self.ailing.as_ref().is_some_and(|ailing| !ailing.panic);
        !looked_at || endpoint.health().is_available()
    }

    /// The set after a look-up: if it is empty now, the names do not resolve.
    pub(super) fn settled(mut self) -> Self {
        self.subsets = self.subsets.into_iter().map(|(name, set)| (name, set.settled())).collect();
        self.looked_up = true;
        if self.weights.iter().all(|weight| *weight == 0) {
            self.empty = self.empty.or(Some(Reason::DnsError));
        }
        self
    }

    /// Why nobody is well: whether all come back by themselves.
    fn why_none(&self) -> Reason {
        let (out, total) = self.ejected();
        if out >= total { Reason::Ejected } else { Reason::AllUnhealthy }
    }

    /// How many endpoints that may get requests there are, and how many of them are ejected.
    pub(super) fn ejected(&self) -> (usize, usize) {
        let weighed = self.endpoints.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0);
        let out = weighed.clone().filter(|(endpoint, _)| endpoint.vital().trial_at().is_some()).count();
        (out, weighed.count())
    }

    /// How many endpoints that may get requests there are, and how many of them take none for their health.
    pub(super) fn out(&self) -> (usize, usize) {
        let weighed = self.endpoints.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0);
        let out = weighed.clone().filter(|(endpoint, _)| !endpoint.health().is_available()).count();
        (out, weighed.count())
    }

    /// The endpoint that a session names, where it takes requests.
    fn session(&self, named: Option<u32>, tried: &[Arc<Endpoint>]) -> Option<&Arc<Endpoint>> {
        let index = self.sessions.find(named?)?;
        let takes_requests = self.shares.get(index).is_some_and(|share| *share > 0);
        self.endpoints.get(index).filter(|endpoint| takes_requests && !is_among(endpoint, tried))
    }

    /// The endpoint to try next; those in `tried` only once all have been.
    pub(super) fn pick(
        &self,
        shard: usize,
        hash: Option<u32>,
        tried: &[Arc<Endpoint>],
    ) -> Option<Arc<Endpoint>> {
        if let Some(endpoint) = self.session(hash, tried) {
            return Some(Arc::clone(endpoint));
        }
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
    fn new(set: &Set, panic: bool, warms_at: Option<u64>) -> Self {
        let weighed = set.endpoints.iter().zip(&set.weights);
        let ejected =
            weighed.filter(|(endpoint, weight)| **weight > 0 && endpoint.vital().trial_at().is_some());
        let ejected: Box<[_]> = ejected.map(|(endpoint, _)| Arc::clone(endpoint)).collect();
        let next = AtomicU64::new(first_trial(&ejected));
        Self { ejected, next, panic, warms_at: AtomicU64::new(warms_at.unwrap_or(u64::MAX)) }
    }

    /// Whether shares are to be laid out anew: said to one who asks.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let at = self.warms_at.load(Relaxed);
        at <= now && self.warms_at.compare_exchange(at, u64::MAX, Relaxed, Relaxed).is_ok()
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
    matches!(reason, Reason::AllUnhealthy | Reason::Ejected | Reason::BelowThreshold)
}

fn first_trial(ejected: &[Arc<Endpoint>]) -> u64 {
    ejected.iter().filter_map(|endpoint| endpoint.vital().trial_at()).min().unwrap_or(u64::MAX)
}

fn is_among(endpoint: &Arc<Endpoint>, tried: &[Arc<Endpoint>]) -> bool {
    tried.iter().any(|other| Arc::ptr_eq(other, endpoint))
}
