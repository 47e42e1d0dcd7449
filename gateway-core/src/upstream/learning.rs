//! What an upstream learns from requests and probes.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{
    Endpoint, Upstream,
    attempt::Failure,
    watch::{By, Watch},
};
use crate::{
    clock,
    health::{Outcome, Tally},
};

impl Upstream {
    /// Whether the outcome of tries is to be told.
    pub(crate) const fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// Takes what became of a try: the status of the answer, or the failure.
    pub(crate) fn learn(&self, endpoint: &Endpoint, outcome: Result<u16, &Failure>, took: Duration) {
        let Some(watch) = &self.watch else { return };
        let failed = outcome.as_ref().err().map(|failure| failure.error.reason());
        let outcome = match failed {
            None => outcome.ok().map(Outcome::Status),
            Some(reason) => Outcome::of_failure(reason),
        };
        if let Some(outcome) = outcome {
            watch.measure(endpoint, took, failed);
            self.report(endpoint, outcome, By::Traffic);
            if watch.count(endpoint, outcome) {
                self.eject_outliers(watch);
            }
        }
    }

    /// Takes what became of a probe.
    pub(crate) fn learn_from_probe(&self, endpoint: &Endpoint, outcome: Outcome) {
        self.report(endpoint, outcome, By::Probe);
    }

    fn report(&self, endpoint: &Endpoint, outcome: Outcome, by: By) {
        let Some(watch) = &self.watch else { return };
        let spare = || {
            let (out, total) = self.set.load().ejected();
            watch.recovery.is_none_or(|recovery| recovery.allows(out, total))
        };
        if watch.report(endpoint, outcome, by, spare) || self.set.load().generation != watch.generation() {
            self.judge_again();
        }
    }

    /// Compares what endpoints did since the last time, and takes out who did worse than the others, as many as may be.
    #[cold]
    fn eject_outliers(&self, watch: &Watch) {
        let (Some(outliers), set) = (&watch.outliers, self.set.load()) else { return };
        let weighed = set.endpoints.iter().zip(&set.weights);
        let tally = |(endpoint, weight): (&Arc<Endpoint>, &u16)| {
            let tally = endpoint.vital().tally().take();
            if *weight > 0 && endpoint.health().is_available() { tally } else { Tally::default() }
        };
        let tallies: Vec<_> = weighed.map(tally).collect();
        let allowed = self.group.recovery.unwrap_or_default();
        let mut changed = false;
        for endpoint in outliers.find(&tallies).into_iter().filter_map(|index| set.endpoints.get(index)) {
            let (out, total) = set.out();
            if !allowed.allows(out, total) {
                break;
            }
            changed |= endpoint.vital().eject_outlier(watch.recovery.as_ref(), clock::now());
        }
        if changed {
            watch.changed();
            self.judge_again();
        }
    }

    /// The endpoints in the set of now.
    pub(super) fn probed(&self) -> Vec<Arc<Endpoint>> {
        let set = self.set.load();
        let weighed = set.endpoints.iter().zip(&set.weights);
        weighed.filter(|(_, weight)| **weight > 0).map(|(endpoint, _)| Arc::clone(endpoint)).collect()
    }

    /// Told when health has changed.
    pub(super) const fn turned(&self) -> &Arc<Notify> {
        &self.turned
    }
}
