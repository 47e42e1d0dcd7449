//! Which metrics are shown, as Kong's plugin `prometheus` says it (compat A10, P51).

use serde::Deserialize;
use serde_json::Value;

use crate::{
    config::schema::{Field, Record},
    plugin::{Configured, Handler, Plugin, Series},
};

/// Chooses which metrics of its routes are shown.
///
/// The gateway counts every request whether this plugin is there or not, and shows all metrics of a route that no
/// configuration applies to. Where one applies, its switches decide, and all of them are off by default, as in Kong.
/// `per_consumer` also makes the gateway count by consumer: up to 1000 for each route and worker, the others
/// together as `_other`.
#[derive(Debug)]
pub struct Prometheus {
    schema: Record,
}

impl Prometheus {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for Prometheus {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    let switch = |name| Field::boolean(name).default(false);
    Record::new(vec![
        switch("per_consumer").doc("whether requests and bandwidth have the label consumer"),
        switch("status_code_metrics").doc("whether requests are shown by status"),
        switch("ai_metrics")
            .check(refuse_true)
            .doc("only false is taken: there are no plugins that it would show"),
        switch("latency_metrics").doc("whether latencies are shown"),
        switch("bandwidth_metrics").doc("whether bytes are shown"),
        switch("upstream_health_metrics").doc("whether the health of targets is shown"),
    ])
    .no_consumer()
}

fn refuse_true(value: &Value) -> Result<(), String> {
    let on = value.as_bool() == Some(true);
    if on { Err("there are no AI plugins here whose metrics could be shown".to_owned()) } else { Ok(()) }
}

/// Every field may be null, which is off.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    per_consumer: Option<bool>,
    status_code_metrics: Option<bool>,
    latency_metrics: Option<bool>,
    bandwidth_metrics: Option<bool>,
    upstream_health_metrics: Option<bool>,
}

impl Plugin for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn priority(&self) -> i32 {
        13
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let on = |switch: Option<bool>| switch.unwrap_or(false);
        Ok(Configured::handler(PrometheusHandler(Series {
            status_codes: on(config.status_code_metrics),
            bandwidth: on(config.bandwidth_metrics),
            latencies: on(config.latency_metrics),
            upstream_health: on(config.upstream_health_metrics),
            per_consumer: on(config.per_consumer),
        })))
    }
}

struct PrometheusHandler(Series);

impl Handler for PrometheusHandler {
    fn series(&self) -> Option<Series> {
        Some(self.0)
    }
}
