//! The counters of a route, added up.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use super::{
    histogram::Distribution,
    route::{Labels, RouteMetrics},
    statuses::Answered,
};
use crate::{error::Reason, plugin::Series};

/// The counters of one route, summed over the workers.
pub(super) struct Totals {
    pub(super) labels: Labels,
    pub(super) series: Option<Series>,
    pub(super) consumers: BTreeMap<String, Traffic>,
    pub(super) gateway: Distribution<17>,
    pub(super) upstream: Distribution<13>,
    pub(super) request: Distribution<13>,
    pub(super) reasons: [u64; Reason::ALL.len()],
}

#[derive(Default)]
pub(super) struct Traffic {
    pub(super) statuses: BTreeMap<Answered, u64>,
    pub(super) ingress: u64,
    pub(super) egress: u64,
}

impl Totals {
    pub(super) fn of(route: &RouteMetrics) -> Self {
        let mut totals = Self {
            labels: route.labels.clone(),
            series: route.series,
            consumers: BTreeMap::new(),
            gateway: Distribution::default(),
            upstream: Distribution::default(),
            request: Distribution::default(),
            reasons: [0; Reason::ALL.len()],
        };
        for cell in route.cells.iter() {
            totals.gateway.add(&cell.gateway);
            totals.upstream.add(&cell.upstream);
            totals.request.add(&cell.request);
            for (sum, (_, count)) in totals.reasons.iter_mut().zip(cell.reasons()) {
                *sum += count;
            }
            cell.for_each_consumer(|name, traffic| {
                // Where consumers are no longer told apart, what they did is still in the sum.
                let name = if route.per_consumer() { name } else { "" };
                let sum = totals.consumers.entry(name.to_owned()).or_default();
                sum.ingress += traffic.ingress.load(Relaxed);
                sum.egress += traffic.egress.load(Relaxed);
                for (answered, count) in traffic.statuses.iter() {
                    *sum.statuses.entry(answered).or_default() += count;
                }
            });
        }
        totals
    }
}
