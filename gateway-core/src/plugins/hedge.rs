//! A second try beside one that is slow.

use std::{any::Any, sync::Arc, time::Duration};

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::sites::Sites;
use crate::{
    config::{
        self,
        schema::{Field, Record, Rule, Violation},
    },
    plugin::{Bound, Configured, Hedging, Learned, Plugin, Policy, Reading},
    retry::{Hedge as Settings, Share},
};

/// Asks a second endpoint where the first one takes longer than most answers do: `hedge`, a plugin of this gateway's own.
///
/// The client gets the answer that comes first. Only requests of idempotent methods (RFC 9110 section 9.2.2) whose body
/// is in memory are asked twice, and only within a budget.
#[derive(Debug)]
pub struct Hedge {
    schema: Record,
}

impl Hedge {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for Hedge {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    let time = |name| Field::integer(name).required().between(1, 3_600_000);
    Record::new(vec![
        Field::number("quantile")
            .required()
            .between(50, 100)
            .default(95)
            .doc("a second try begins after the time that so many percent of the answers stay below"),
        Field::integer("minimum_requests")
            .required()
            .between(1, 1_000_000)
            .default(100)
            .doc("so many answers must be known before"),
        time("min_delay").default(10).doc("it begins no sooner than after so many milliseconds"),
        time("max_delay").default(1_000).doc("and no later"),
        Field::set("methods", Field::one_of("", &["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]))
            .required()
            .default(json!(["GET", "HEAD", "OPTIONS"]))
            .doc("methods whose requests may be asked twice"),
        Field::integer("budget_percent")
            .required()
            .between(0, 100)
            .default(10)
            .doc("so many second tries for a hundred requests of the last ten seconds"),
        Field::integer("budget_per_second")
            .required()
            .between(0, 1_000_000)
            .default(1)
            .doc("so many second tries a second besides"),
    ])
    .rule(Rule::With { of: &["min_delay", "max_delay"], check: the_longest_is_no_shorter })
}

fn the_longest_is_no_shorter(fields: &Map<String, Value>) -> Vec<Violation> {
    let of = |name| fields.get(name).and_then(Value::as_i64);
    let shorter = matches!((of("min_delay"), of("max_delay")), (Some(least), Some(most)) if most < least);
    let violation = || Violation::field("max_delay", "must not be less than 'min_delay'");
    shorter.then(violation).into_iter().collect()
}

#[derive(Deserialize)]
struct Config {
    quantile: f64,
    minimum_requests: u32,
    min_delay: u64,
    max_delay: u64,
    methods: Vec<String>,
    budget_percent: u32,
    budget_per_second: u32,
}

impl Plugin for Hedge {
    fn name(&self) -> &'static str {
        "hedge"
    }

    fn priority(&self) -> i32 {
        9
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        HedgePolicy::new(config, Arc::default()).map(Configured::policy)
    }

    fn reconfigure(&self, entity: &config::Plugin, before: &Configured) -> Result<Configured, String> {
        let kept = super::policy_before(before, |before: &HedgePolicy| Arc::clone(&before.learned));
        HedgePolicy::new(&entity.config, kept.unwrap_or_default()).map(Configured::policy)
    }
}

/// One configuration of the plugin.
struct HedgePolicy {
    settings: Settings,
    methods: Arc<[Method]>,
    share: Share,
    learned: Arc<Sites<Learned>>,
}

impl HedgePolicy {
    fn new(config: &Value, learned: Arc<Sites<Learned>>) -> Result<Self, String> {
        let config: Config = super::decode(config)?;
        let method =
            |name: &String| Method::from_bytes(name.as_bytes()).map_err(|error| format!("methods: {error}"));
        Ok(Self {
            settings: Settings {
                quantile: config.quantile,
                minimum: config.minimum_requests,
                shortest: Duration::from_millis(config.min_delay),
                longest: Duration::from_millis(config.max_delay),
            },
            methods: config.methods.iter().map(method).collect::<Result<_, _>>()?,
            share: Share { percent: config.budget_percent, per_second: config.budget_per_second },
            learned,
        })
    }
}

impl Policy for HedgePolicy {
    fn at(&self, service: Uuid) -> Bound {
        let learned = self.learned.get_or_make(service, Learned::default);
        Bound::Hedge(Arc::new(Hedging::new(self.settings, Arc::clone(&self.methods), self.share, learned)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn readings(&self) -> Vec<Reading> {
        let of = |(service, learned): (Uuid, Arc<Learned>)| {
            let show = |metric: &'static str, help, value| Reading {
                metric: metric.into(),
                help,
                service: Some(service),
                labels: Vec::new(),
                value,
            };
            [
                show("gateway_hedges_total", "Second tries beside first ones", learned.begun()),
                show("gateway_hedges_won_total", "Second tries that answered first", learned.won()),
                show(
                    "gateway_hedges_over_budget_total",
                    "Second tries that the budget did not allow",
                    learned.refused(),
                ),
            ]
        };
        self.learned.all().into_iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn impossible_settings_are_refused() {
        let registry = crate::plugins::bundled();
        for (config, problem) in [
            ("{quantile: 10}", "value should be between 50 and 100"),
            ("{min_delay: 100, max_delay: 50}", "must not be less than 'min_delay'"),
            ("{methods: [POST]}", "expected one of: GET, HEAD, OPTIONS, PUT, DELETE"),
            ("{budget_percent: 101}", "value should be between 0 and 100"),
        ] {
            let text = format!("{{_format_version: '3.0', plugins: [{{name: hedge, config: {config}}}]}}");
            let problems = Config::parse(&text, &registry).unwrap_err().to_string();
            assert!(problems.contains(problem), "{config}: {problems}");
        }
    }
}
