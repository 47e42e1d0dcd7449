//! What an upstream learns from requests and probes.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{Endpoint, Upstream, attempt::Failure, watch::By};
use crate::health::Outcome;

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
