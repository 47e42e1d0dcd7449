//! What an upstream learns from the outcomes of requests and probes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{Endpoint, prober::Prober, target::Group};
use crate::{
    balance::SlowStart,
    clock,
    config::{Algorithm, Healthchecks},
    error::Reason,
    health::{Counted, Judge, Outcome, Outliers, Quorum, Recovery, Rounds},
};

/// What an upstream watches, where it watches anything.
pub(super) struct Watch {
    /// Requests are judged.
    passive: Option<Judge>,
    /// Probes are sent, and judged.
    pub(super) prober: Option<Arc<Prober>>,
    active: Judge,
    /// How those that traffic ejected come back; none: not by themselves.
    pub(super) recovery: Option<Recovery>,
    pub(super) quorum: Quorum,
    /// Whether any check is on: else only latency is measured.
    pub(super) checks: bool,
    latency: bool,
    /// Who is out as it fails more often than the others, and when they are compared. That goes on where another was.
    pub(super) outliers: Option<Outliers>,
    rounds: Arc<Rounds>,
    /// How those that are new or well again come to their full share.
    pub(super) slow_start: Option<SlowStart>,
    /// Counts changes of health over all that the upstream has been, so that one which goes on where another
    /// was notices what it missed.
    generation: Arc<AtomicU64>,
}

/// Who reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Traffic,
    Probe,
}

/// A failed try weighs as one that took this long, in microseconds: what fails at once is not fast.
const FAILURE: u32 = 1_000_000;

impl Watch {
    /// What `group` asks for; none where it asks for nothing.
    pub(super) fn new(group: &Group, previous: Option<&Self>) -> Option<Box<Self>> {
        let checks = &group.checks;
        let (passive, active) = (Judge::passive(checks), Judge::active(checks));
        let prober = Prober::new(group);
        let judged = passive.counts_failures() || passive.counts_successes() || group.outliers.is_some();
        let latency = group.algorithm == Algorithm::Latency;
        let checked = is_checked(checks) || group.outliers.is_some();
        if !checked && !latency && !group.is_graded() {
            return None;
        }
        // Where probes bring endpoints back, that is left to them, as in Kong.
        let probed_back = active.counts_successes() && checks.active.unhealthy.interval > 0.0;
        let panic_threshold = group.recovery.map_or(0, |recovery| recovery.panic_threshold);
        Some(Box::new(Self {
            passive: (checked && judged).then_some(passive),
            prober: prober.map(Arc::new),
            active,
            recovery: group.recovery.filter(|_| !probed_back),
            quorum: Quorum { threshold: checks.threshold, panic_threshold },
            checks: checked,
            latency,
            outliers: group.outliers,
            rounds: previous.map(|previous| Arc::clone(&previous.rounds)).unwrap_or_default(),
            slow_start: group.slow_start.filter(|_| group.algorithm != Algorithm::ConsistentHashing),
            generation: previous.map(|previous| Arc::clone(&previous.generation)).unwrap_or_default(),
        }))
    }

    /// How often health has changed so far.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Notes a change of health.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// Takes an outcome; whether that changes who takes requests.
    pub(super) fn report(
        &self,
        endpoint: &Endpoint,
        outcome: Outcome,
        by: By,
        spare: impl Fn() -> bool,
    ) -> bool {
        let judge = match by {
            By::Traffic => self.passive.as_ref(),
            By::Probe => Some(&self.active),
        };
        let Some(judge) = judge else { return false };
        let recovery = self.recovery.as_ref().filter(|_| by == By::Traffic);
        let counted = self.of_trial(endpoint, outcome, by).unwrap_or_else(|| judge.count(outcome));
        let ejects = recovery.is_some() && counted.is_failure() && endpoint.health().is_available();
        if ejects && !spare() {
            return false;
        }
        let changed = endpoint.vital().report(counted, recovery, clock::now);
        if changed {
            self.changed();
        }
        changed
    }

    /// What the outcome of a trial counts as, where outliers are ejected: for them a failure is one whatever counters are on.
    fn of_trial(&self, endpoint: &Endpoint, outcome: Outcome, by: By) -> Option<Counted> {
        let fails = self.outliers.is_some() && by == By::Traffic && is_failure(outcome);
        (fails && endpoint.vital().trial_at().is_some()).then_some(Counted::HttpFailure(1))
    }

    /// Counts what became of a try; whether it is time to compare endpoints by such counts.
    pub(super) fn count(&self, endpoint: &Endpoint, outcome: Outcome) -> bool {
        let Some(outliers) = &self.outliers else { return false };
        endpoint.vital().tally().add(is_failure(outcome));
        self.rounds.is_over(clock::millis(outliers.interval), clock::now())
    }

    /// Takes the time that a try took, and how it failed, if it did.
    pub(super) fn measure(&self, endpoint: &Endpoint, took: Duration, failed: Option<Reason>) {
        if self.latency {
            let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
            let micros = if failed.is_some() { micros.max(FAILURE) } else { micros };
            endpoint.load().observe(micros, clock::now());
        }
    }
}

/// What an outlier has more of than others: statuses of 500 and above, and no answer at all, as Envoy counts.
const fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Status(status) => status >= 500,
        Outcome::Failed | Outcome::TcpFailure | Outcome::Timeout => true,
        Outcome::Passed => false,
    }
}

/// Whether any check is on, as Kong sees it: successes of traffic alone are none.
fn is_checked(checks: &Healthchecks) -> bool {
    let (active, passive) = (&checks.active, &checks.passive.unhealthy);
    active.healthy.interval > 0.0
        || active.unhealthy.interval > 0.0
        || passive.tcp_failures > 0
        || passive.timeouts > 0
        || passive.http_failures > 0
}
