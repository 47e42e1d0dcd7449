//! The task that asks the endpoints of an upstream how they are.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::{Endpoint, Upstream, prober::Prober, vital::Probing};
use crate::clock;

/// Probes the endpoints of an upstream for as long as it is there. Probes under way end with the task.
pub(super) async fn keep_probed(upstream: Weak<Upstream>, prober: Arc<Prober>) {
    let mut probes = JoinSet::new();
    loop {
        let Some(strong) = upstream.upgrade() else { return };
        let due = begin_due(&strong, &prober, &mut probes);
        let turned = Arc::clone(strong.turned());
        drop(strong);
        let mut rest = pin!(sleep(due.next));
        loop {
            tokio::select! {
                // Room for those that wait for it; otherwise all that ends here is the probe.
                Some(_) = probes.join_next() => if due.waiting { break },
                () = turned.notified() => break,
                () = &mut rest => break,
            }
        }
    }
}

/// The longest sleep where nothing is due: endpoints may come.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The shortest, so that an interval of nearly nothing does not keep a worker busy: Kong's timer ticks as often.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// What is left to do.
struct Due {
    /// How long until the next probe is due.
    next: Duration,
    /// Whether one is due now, and has to wait for another to end.
    waiting: bool,
}

/// Begins the probes that are due, as many as may run at a time.
fn begin_due(upstream: &Arc<Upstream>, prober: &Arc<Prober>, probes: &mut JoinSet<()>) -> Due {
    let now = clock::now();
    let mut due = Due { next: LONGEST_SLEEP, waiting: false };
    let timed = |endpoint: Arc<Endpoint>| Some((endpoint.vital().probe_at(prober.schedule, now)?, endpoint));
    let mut all: Vec<_> = upstream.probed().into_iter().filter_map(timed).collect();
    // Who waits longest goes first: one that hangs for longer than its interval would keep others from their turn.
    all.sort_by_key(|(at, _)| *at);
    for (at, endpoint) in all {
        if at > now {
            due.next = due.next.min(Duration::from_millis(at - now));
        } else if probes.len() < prober.concurrency && !endpoint.vital().is_probing() {
            let probing = endpoint.vital().begin_probe(now);
            // The next one is due by what is drawn now.
            let next = endpoint.vital().probe_at(prober.schedule, now).unwrap_or(u64::MAX);
            due.next = due.next.min(Duration::from_millis(next.saturating_sub(now)));
            probes.spawn(probe(Arc::downgrade(upstream), Arc::clone(prober), endpoint, probing));
        } else {
            due.waiting = true;
        }
    }
    due.next = due.next.max(SHORTEST_SLEEP);
    due
}

async fn probe(upstream: Weak<Upstream>, prober: Arc<Prober>, endpoint: Arc<Endpoint>, probing: Probing) {
    let outcome = prober.probe.ask(&endpoint).await;
    probing.end();
    if let Some(upstream) = upstream.upgrade() {
        upstream.learn_from_probe(&endpoint, outcome);
    }
}
