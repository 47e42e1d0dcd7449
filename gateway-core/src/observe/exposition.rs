//! The counters as Prometheus reads them.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    sync::Arc,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, text::encode_registry},
    metrics::MetricType,
    registry::Registry,
};

use super::{
    histogram::{Distribution, GATEWAY, REQUEST},
    metrics::Metrics,
    node::{NodeState, PolicyReading, TargetHealth, TargetState},
    route::Labels,
    server::ServerStatus,
    totals::{Totals, Traffic},
};
use crate::{error::Reason, plugin::Series, reply::Branding};

/// Which metrics are shown: the switches of Kong's plugin `prometheus`. All are on by default; they bound
/// the page of a node with very many routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `http_requests_total`: Kong's `status_code_metrics`.
    pub status_codes: bool,
    /// `bandwidth_bytes`: Kong's `bandwidth_metrics`.
    pub bandwidth: bool,
    /// The three histograms: Kong's `latency_metrics`.
    pub latencies: bool,
    /// `upstream_target_health`: Kong's `upstream_health_metrics`.
    pub upstream_health: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self { status_codes: true, bandwidth: true, latencies: true, upstream_health: true }
    }
}

/// Renders [`Metrics`] with Kong's names and labels, and the gateway's own (compat P51).
///
/// It is a [`Collector`]: an embedder may register it among metrics of their own. [`text`](Self::text)
/// gives the page as Kong serves it.
pub struct Exposition {
    metrics: Arc<Metrics>,
    node: Box<dyn Fn() -> NodeState + Send + Sync>,
    prefix: &'static str,
    shown: Shown,
}

impl Exposition {
    /// The media type of [`text`](Self::text).
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Renders `metrics`, and what `node` says at each scrape.
    pub fn new(
        metrics: Arc<Metrics>,
        branding: &Branding,
        node: impl Fn() -> NodeState + Send + Sync + 'static,
    ) -> Self {
        Self { metrics, node: Box::new(node), prefix: branding.metrics, shown: Shown::default() }
    }

    /// The same, showing only these.
    #[must_use]
    pub const fn showing(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }

    /// The page, in the text format 0.0.4.
    #[must_use]
    pub fn text(self: &Arc<Self>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(self)));
        let mut page = String::new();
        // Writing to a string does not fail.
        encode_registry(&mut page, &registry).ok();
        page
    }
}

impl Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposition").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page { encoder, prefix: self.prefix };
        let routes: Vec<_> = self.metrics.counted().iter().map(|route| Totals::of(route)).collect();
        if self.shown.status_codes {
            page.requests(&showing(&routes, |series| series.status_codes))?;
        }
        if self.shown.bandwidth {
            page.bandwidth(&showing(&routes, |series| series.bandwidth))?;
        }
        if self.shown.latencies {
            page.latencies(&showing(&routes, |series| series.latencies))?;
        }
        page.reasons(&routes)?;
        let node = (self.node)();
        page.node(&node)?;
        page.policies(&node.readings)?;
        if self.shown.upstream_health && self.metrics.shows_upstream_health() {
            page.targets(&node.targets)?;
        }
        Ok(())
    }
}

struct Page<'e> {
    encoder: DescriptorEncoder<'e>,
    prefix: &'static str,
}

/// One sample of a number.
fn sample(metric: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    metric.encode_family(labels)?.encode_gauge(&value)
}

impl Page<'_> {
    /// Describes a metric and gives the encoder of its samples.
    ///
    /// Samples of counters are written with [`sample`] too: the library's own encoding would add
    /// `_total` to names that have it, and to `bandwidth_bytes`, which has none in Kong.
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let name = format!("{}_{name}", self.prefix);
        samples(&mut self.encoder.encode_descriptor(&name, help, None, kind)?)
    }

    fn requests(&mut self, routes: &[&Totals]) -> fmt::Result {
        let help = "HTTP status codes per consumer/service/route";
        let prefix = self.prefix;
        self.family("http_requests_total", help, MetricType::Counter, |metric| {
            for_each_consumer(routes, |labels, consumer, traffic| {
                traffic.statuses.iter().try_for_each(|(answered, count)| {
                    let code = answered.code().to_string();
                    let labels = [
                        ("service", &*labels.service),
                        ("route", &*labels.route),
                        ("code", &code),
                        ("source", if answered.by_service() { "service" } else { prefix }),
                        ("workspace", "default"),
                        ("consumer", consumer),
                    ];
                    sample(metric, &labels, *count)
                })
            })
        })
    }

    fn bandwidth(&mut self, routes: &[&Totals]) -> fmt::Result {
        let help = "Total bandwidth (ingress/egress) throughput in bytes";
        self.family("bandwidth_bytes", help, MetricType::Counter, |metric| {
            for_each_consumer(routes, |labels, consumer, traffic| {
                let directions = [("egress", traffic.egress), ("ingress", traffic.ingress)];
                directions.into_iter().filter(|(_, bytes)| *bytes > 0).try_for_each(|(direction, bytes)| {
                    let labels = [
                        ("service", &*labels.service),
                        ("route", &*labels.route),
                        ("direction", direction),
                        ("workspace", "default"),
                        ("consumer", consumer),
                    ];
                    sample(metric, &labels, bytes)
                })
            })
        })
    }

    fn latencies(&mut self, routes: &[&Totals]) -> fmt::Result {
        let help = "Latency added by the gateway and enabled plugins for each service/route";
        let gateway = routes.iter().map(|route| (&route.labels, &route.gateway));
        self.histogram(&format!("{}_latency_ms", self.prefix), help, &GATEWAY, gateway)?;
        let help = "Latency added by upstream response for each service/route";
        let upstream = routes.iter().map(|route| (&route.labels, &route.upstream));
        self.histogram("upstream_latency_ms", help, &REQUEST, upstream)?;
        let help = "Total latency incurred during requests for each service/route";
        let request = routes.iter().map(|route| (&route.labels, &route.request));
        self.histogram("request_latency_ms", help, &REQUEST, request)
    }

    fn histogram<'t, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        bounds: &[u32; N],
        routes: impl Iterator<Item = (&'t Labels, &'t Distribution<N>)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Histogram, |metric| {
            routes.filter(|(_, latency)| latency.count() > 0).try_for_each(|(labels, latency)| {
                let labels =
                    [("service", &*labels.service), ("route", &*labels.route), ("workspace", "default")];
                let buckets = latency.buckets(bounds);
                let mut metric = metric.encode_family(&labels)?;
                metric.encode_histogram::<NoLabelSet>(latency.sum(), latency.count(), &buckets, None)
            })
        })
    }

    fn reasons(&mut self, routes: &[Totals]) -> fmt::Result {
        let help = "Requests that the gateway answered by itself or cut short, by reason";
        let mut metric =
            self.encoder.encode_descriptor("gateway_reasons_total", help, None, MetricType::Counter)?;
        for route in routes {
            let counts = Reason::ALL.iter().zip(route.reasons).filter(|(_, count)| *count > 0);
            for (reason, count) in counts {
                let (service, route) = (&*route.labels.service, &*route.labels.route);
                let labels = [("service", service), ("route", route), ("reason", reason.word())];
                sample(&mut metric, &labels, count)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &NodeState) -> fmt::Result {
        self.connections(&node.server)?;
        let help = "Datastore reachable from the node, 0 is unreachable";
        self.family("datastore_reachable", help, MetricType::Gauge, |metric| {
            metric.encode_gauge(&u64::from(node.datastore_reachable))
        })?;
        self.family("node_info", "Node metadata information", MetricType::Gauge, |metric| {
            sample(metric, &[("node_id", &*node.node_id), ("version", &*node.version)], 1)
        })?;
        let name = "gateway_access_log_dropped_total";
        let help = "Access log lines that were dropped because the log could not keep up";
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_gauge(&node.access_log_dropped)
    }

    fn policies(&mut self, readings: &[PolicyReading]) -> fmt::Result {
        let mut metrics = BTreeMap::<&str, Vec<&PolicyReading>>::new();
        for reading in readings {
            metrics.entry(&reading.reading.metric).or_default().push(reading);
        }
        for (name, mut samples) in metrics {
            samples.sort_by(|a, b| a.order().cmp(&b.order()));
            let Some(first) = samples.first() else { continue };
            let grows = ["_total", "_count", "_sum"].iter().any(|end| name.ends_with(end));
            let kind = if grows { MetricType::Counter } else { MetricType::Gauge };
            let mut metric = self.encoder.encode_descriptor(name, first.reading.help, None, kind)?;
            for PolicyReading { service, plugin, reading } in samples {
                let service = (!service.is_empty()).then(|| ("service", service.clone()));
                let mut labels: Vec<_> = service.into_iter().chain([("plugin", plugin.clone())]).collect();
                labels.extend(reading.labels.iter().cloned());
                sample(&mut metric, &labels.as_slice(), reading.value)?;
            }
        }
        Ok(())
    }

    fn connections(&mut self, server: &ServerStatus) -> fmt::Result {
        let help = "Number of connections by subsystem";
        self.family("nginx_connections_total", help, MetricType::Gauge, |metric| {
            let states = [
                ("accepted", server.connections_accepted),
                ("active", server.connections_active),
                ("handled", server.connections_handled),
                ("reading", server.connections_reading),
                ("waiting", server.connections_waiting),
                ("writing", server.connections_writing),
            ];
            states.into_iter().try_for_each(|(state, count)| {
                sample(metric, &[("subsystem", "http"), ("state", state)], count)
            })
        })?;
        self.family("nginx_requests_total", "Number of requests total", MetricType::Gauge, |metric| {
            metric.encode_gauge(&server.total_requests)
        })
    }

    fn targets(&mut self, targets: &[TargetState]) -> fmt::Result {
        let help = "Health status of targets of upstream. States = \
                    healthchecks_off|healthy|unhealthy|dns_error, value is 1 when state is populated.";
        self.family("upstream_target_health", help, MetricType::Gauge, |metric| {
            let states = targets.iter().flat_map(|target| TargetHealth::ALL.map(|state| (target, state)));
            states.into_iter().try_for_each(|(target, state)| {
                let labels = [
                    ("upstream", &*target.upstream),
                    ("target", &*target.target),
                    ("address", &*target.address),
                    ("state", state.word()),
                    ("subsystem", "http"),
                ];
                sample(metric, &labels, u64::from(target.health == state))
            })
        })?;
        self.probes(targets)
    }

    /// Whether probes are alive: a prober that has stopped shows nowhere else.
    fn probes(&mut self, targets: &[TargetState]) -> fmt::Result {
        let probed = || targets.iter().filter_map(|target| Some((target, target.probed?)));
        if probed().next().is_none() {
            return Ok(());
        }
        let labels = |target: &TargetState| {
            let TargetState { upstream, target, address, .. } = target.clone();
            [("upstream", upstream), ("target", target), ("address", address)]
        };
        let (name, help) = ("gateway_upstream_probes_total", "Probes of a target that have ended");
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (target, (count, _)) in probed() {
            sample(&mut metric, &labels(target).as_slice(), count)?;
        }
        let (name, help) =
            ("gateway_upstream_probe_age_seconds", "How long ago the last probe of a target ended");
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (target, (_, ago)) in probed() {
            sample(&mut metric, &labels(target).as_slice(), ago.as_secs())?;
        }
        Ok(())
    }
}

/// The routes that show what `switch` stands for.
fn showing(routes: &[Totals], switch: fn(&Series) -> bool) -> Vec<&Totals> {
    routes.iter().filter(|route| route.series.as_ref().is_none_or(switch)).collect()
}

fn for_each_consumer(
    routes: &[&Totals],
    mut see: impl FnMut(&Labels, &str, &Traffic) -> fmt::Result,
) -> fmt::Result {
    for route in routes {
        for (consumer, traffic) in &route.consumers {
            see(&route.labels, consumer, traffic)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
