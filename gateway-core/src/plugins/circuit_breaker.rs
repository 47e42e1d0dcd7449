//! Circuit breakers around services and their endpoints.

mod policy;
mod site;

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    breaker::Settings,
    config::{
        self,
        schema::{Field, Record, Rule, Violation},
    },
    plugin::{Configured, Plugin},
};

use policy::{BreakerPolicy, Rules};

/// Stops asking for a while what keeps failing: `circuit-breaker`, a plugin of this gateway's own.
///
/// A service that fails as a whole is answered for with 503 `breaker_open`; an endpoint that fails is passed over
/// for another. What counts is what the upstream did: connections that fail, answers that do not come, statuses of
/// the list; never what a client or the gateway itself did. Each configuration has breakers of its own, one a
/// service and one an endpoint of it; they survive every change that keeps the plugin's entity.
#[derive(Debug)]
pub struct CircuitBreaker {
    schema: Record,
}

impl CircuitBreaker {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self::new()
    }
}

/// An hour, in milliseconds.
const HOUR: i64 = 3_600_000;

fn schema() -> Record {
    let percent = |name| Field::integer(name).required().between(0, 100);
    let time = |name| Field::integer(name).required().between(1, HOUR);
    Record::new(vec![
        Field::set("apply_to", Field::one_of("", &["endpoint", "service"]))
            .required()
            .shortest(1)
            .default(json!(["endpoint", "service"]))
            .doc("what has a breaker: each endpoint, the service as a whole"),
        time("window").default(10_000).doc("how far back calls count, in milliseconds"),
        Field::integer("window_calls")
            .required()
            .between(0, 1_000_000)
            .default(0)
            .doc("in place of that so many calls count, however long ago they were; 0: by time"),
        Field::integer("minimum_calls")
            .required()
            .between(1, 1_000_000)
            .default(20)
            .doc("so many calls must be in the window before shares count"),
        percent("failure_percent").default(50).doc("opens once this share of them has failed; 0: never"),
        percent("slow_percent").default(0).doc("opens once this share of them was slow; 0: never"),
        time("slow_time").default(60_000).doc("a call that takes longer is slow, in milliseconds"),
        Field::integer("consecutive_failures")
            .required()
            .between(0, 1_000_000)
            .default(5)
            .doc("opens after so many failures in a row; 0: never"),
        time("open_time")
            .default(5_000)
            .doc("how long it is open at first, in milliseconds; then twice as long"),
        time("max_open_time").default(60_000).doc("the longest it is open, in milliseconds"),
        Field::integer("half_open_probes")
            .required()
            .between(1, 1_000)
            .default(3)
            .doc("so many requests may try at a time while it is half-open, and must all succeed"),
        Field::integer("ramp").required().between(0, HOUR).default(0).doc(
            "over so long it lets ever more requests in once it closes, in milliseconds; 0: all at once",
        ),
        Field::set("failure_statuses", Field::integer("").between(100, 999))
            .required()
            .default(json!([500, 502, 503, 504]))
            .doc("statuses of the upstream that are failures"),
    ])
    .rule(Rule::With { of: &["open_time", "max_open_time"], check: the_longest_is_no_shorter })
    .rule(Rule::With { of: &["window_calls", "minimum_calls"], check: the_window_has_room })
    .rule(Rule::With {
        of: &["failure_percent", "slow_percent", "consecutive_failures"],
        check: something_opens_it,
    })
    .no_consumer()
}

fn the_longest_is_no_shorter(fields: &Map<String, Value>) -> Vec<Violation> {
    let of = |name| fields.get(name).and_then(Value::as_i64);
    let shorter = matches!((of("open_time"), of("max_open_time")), (Some(first), Some(most)) if most < first);
    let violation = || Violation::field("max_open_time", "must not be less than 'open_time'");
    shorter.then(violation).into_iter().collect()
}

fn the_window_has_room(fields: &Map<String, Value>) -> Vec<Violation> {
    let of = |name| fields.get(name).and_then(Value::as_i64);
    let (Some(window @ 1..), Some(least)) = (of("window_calls"), of("minimum_calls")) else {
        return Vec::new();
    };
    let text = "must be 0, or at least 10 and not less than 'minimum_calls'";
    let violation = || Violation::field("window_calls", text);
    (window < least.max(10)).then(violation).into_iter().collect()
}

fn something_opens_it(fields: &Map<String, Value>) -> Vec<Violation> {
    let names = ["failure_percent", "slow_percent", "consecutive_failures"];
    let never = names.iter().all(|name| fields.get(*name).and_then(Value::as_i64) == Some(0));
    let text = "one of 'failure_percent', 'slow_percent', 'consecutive_failures' must be greater than 0";
    never.then(|| Violation::entity(text)).into_iter().collect()
}

#[derive(Deserialize)]
struct Config {
    apply_to: Vec<Part>,
    window: u64,
    window_calls: u32,
    minimum_calls: u32,
    failure_percent: u8,
    slow_percent: u8,
    slow_time: u64,
    consecutive_failures: u32,
    open_time: u64,
    max_open_time: u64,
    half_open_probes: u32,
    ramp: u64,
    failure_statuses: Vec<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Endpoint,
    Service,
}

impl From<Config> for Rules {
    fn from(config: Config) -> Self {
        Self {
            settings: Settings {
                window: Duration::from_millis(config.window),
                window_calls: config.window_calls,
                minimum: config.minimum_calls,
                failure_percent: config.failure_percent,
                slow_percent: config.slow_percent,
                slow_after: Duration::from_millis(config.slow_time),
                consecutive: config.consecutive_failures,
                open_for: Duration::from_millis(config.open_time),
                max_open: Duration::from_millis(config.max_open_time),
                probes: config.half_open_probes,
                ramp: Duration::from_millis(config.ramp),
            },
            statuses: config.failure_statuses.into(),
            of_endpoints: config.apply_to.contains(&Part::Endpoint),
            of_services: config.apply_to.contains(&Part::Service),
        }
    }
}

impl Plugin for CircuitBreaker {
    fn name(&self) -> &'static str {
        "circuit-breaker"
    }

    fn priority(&self) -> i32 {
        20
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        Ok(Configured::policy(BreakerPolicy::new(config.into(), Arc::default())))
    }

    fn reconfigure(&self, entity: &config::Plugin, before: &Configured) -> Result<Configured, String> {
        let config: Config = super::decode(&entity.config)?;
        let sites = super::policy_before(before, BreakerPolicy::sites);
        Ok(Configured::policy(BreakerPolicy::new(config.into(), sites.unwrap_or_default())))
    }
}
