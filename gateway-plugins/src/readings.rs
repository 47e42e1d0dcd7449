//! What a plugin shows in the gateway's metrics: what it did, and what its guests define.

use std::{borrow::Cow, collections::BTreeSet};

use gateway_core::plugin::Reading;

use crate::{Metric, MetricValue, Stats};

/// The samples of a plugin, under its version where it has one.
pub(crate) fn of(version: Option<&str>, stats: &Stats, metrics: &[Metric]) -> Vec<Reading> {
    let labels: Vec<_> = version.map(|version| ("version", version.to_owned())).into_iter().collect();
    let show = |metric: Cow<'static, str>, help, value| Reading {
        metric,
        help,
        service: None,
        labels: labels.clone(),
        value,
    };
    let own = did(stats).into_iter().map(|(metric, help, value)| show(metric.into(), help, value));
    let mut names = BTreeSet::new();
    let guests = metrics.iter().flat_map(samples);
    // Two names of one plugin that become the same would be one sample twice.
    let guests = guests.filter(|(name, _)| names.insert(name.clone()));
    own.chain(guests.map(|(name, value)| show(name.into(), GUESTS, value))).collect()
}

const GUESTS: &str = "A metric that a plugin defines";

/// What it did.
fn did(stats: &Stats) -> [(&'static str, &'static str, u64); 13] {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    [
        ("gateway_plugin_entries_total", "Callbacks of plugins that were entered", stats.entries),
        ("gateway_plugin_traps_total", "Instances of plugins that ended in a trap", stats.traps),
        ("gateway_plugin_timeouts_total", "Of them, those that ran out of time", stats.timeouts),
        ("gateway_plugin_failed_total", "Requests that got a plugin's error policy", stats.failed),
        (
            "gateway_plugin_no_room_total",
            "Of them, those for which there was no room for an instance of their own",
            stats.no_room,
        ),
        ("gateway_plugin_restarted_total", "Requests that began anew in another instance", stats.restarted),
        ("gateway_plugin_skipped_total", "Later phases that went with an instance", stats.skipped),
        (
            "gateway_plugin_put_off_total",
            "Callbacks for no request that waited for their turn",
            stats.put_off,
        ),
        ("gateway_plugin_lines_left_out_total", "Lines of the log that were too many", stats.lines_left_out),
        ("gateway_plugin_quarantines_total", "How often a plugin was shut out", stats.quarantines),
        ("gateway_plugin_quarantined", "Whether a plugin is shut out now", u64::from(stats.quarantined)),
        ("gateway_plugin_instances", "Instances of plugins that are alive", count(stats.instances_alive)),
        ("gateway_plugin_contexts", "Requests that have a context in a plugin", count(stats.contexts)),
    ]
}

/// The samples of one metric of a guest.
fn samples(metric: &Metric) -> Vec<(String, u64)> {
    let name = safe(&metric.name);
    match metric.value {
        MetricValue::Counter(value) => vec![(ended(name, "_total"), value)],
        // The end of a name says what only grows.
        MetricValue::Gauge(value) if GROW.iter().any(|end| name.ends_with(end)) => {
            vec![(name + "_gauge", value)]
        }
        MetricValue::Gauge(value) => vec![(name, value)],
        MetricValue::Histogram { count, sum } => {
            vec![(format!("{name}_count"), count), (format!("{name}_sum"), sum)]
        }
    }
}

const GROW: [&str; 3] = ["_total", "_count", "_sum"];

/// A name as Prometheus takes it, and none of the gateway's own.
fn safe(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    format!("gateway_guest_{}", name.chars().map(letter).collect::<String>())
}

fn ended(name: String, end: &str) -> String {
    if name.ends_with(end) { name } else { name + end }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::{Metric, MetricValue, Stats};

    #[test]
    fn names_are_safe_tell_their_kind_and_come_once() {
        let metric = |name: &str, value| Metric { name: name.into(), value };
        let metrics = [
            metric("hits", MetricValue::Counter(1)),
            metric("requests_total", MetricValue::Counter(2)),
            metric("a.b-c{d=\"e\"}\n\u{e4}", MetricValue::Gauge(3)),
            metric("in_total", MetricValue::Gauge(4)),
            metric("size", MetricValue::Histogram { count: 5, sum: 6 }),
            metric("hits_total", MetricValue::Counter(7)),
            metric("", MetricValue::Gauge(8)),
        ];
        let shown = of(Some("1.0"), &Stats::default(), &metrics);
        let guests: Vec<_> = shown
            .iter()
            .filter(|reading| reading.metric.starts_with("gateway_guest_"))
            .map(|reading| (&*reading.metric, reading.value))
            .collect();
        assert_eq!(
            guests,
            [
                ("gateway_guest_hits_total", 1),
                ("gateway_guest_requests_total", 2),
                ("gateway_guest_a_b_c_d__e____", 3),
                ("gateway_guest_in_total_gauge", 4),
                ("gateway_guest_size_count", 5),
                ("gateway_guest_size_sum", 6),
                ("gateway_guest_", 8),
            ]
        );
        assert!(shown.iter().all(|reading| reading.labels == [("version", "1.0".to_owned())]));
    }
}
