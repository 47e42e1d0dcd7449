//! What is tried again, and within which budget.

use std::{any::Any, sync::Arc, time::Duration};

use http::{HeaderName, Method, StatusCode, header::InvalidHeaderName};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::sites::Sites;
use crate::{
    config::{
        self,
        schema::{Field, Record, Rule, Violation},
    },
    plugin::{Bound, Configured, Plugin, Policy, Reading, Retrying, Spending},
    retry::{Backoff, Causes, DeadlineHeader, Settings, Share},
};

/// Says what is tried again, when, and how much of it there may be: `retry`, a plugin of this gateway's own.
///
/// It takes the place of what the gateway does by itself: failures of transport on the next endpoint at once, as
/// often as the service's `retries` say. The guard stays: a request that may have been acted on is sent again
/// only if its method is in `methods`, by default those that are idempotent (RFC 9110 section 9.2.2). Each service
/// has a budget: an upstream that is down sees a fifth more requests than one that is up, not six times as many.
#[derive(Debug)]
pub struct Retry {
    schema: Record,
}

impl Retry {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

/// An hour, in milliseconds.
const HOUR: i64 = 3_600_000;

fn schema() -> Record {
    Record::new(vec![
        Field::integer("retries")
            .between(0, 32_767)
            .doc("further tries after the first; without it as many as the service's `retries`"),
        Field::set("causes", Field::one_of("", &["connect", "reset", "timeout"]))
            .required()
            .default(json!(["connect", "reset", "timeout"]))
            .doc("failures that are tried again: no connection, one that broke, no answer in time"),
        Field::set("statuses", Field::integer("").between(400, 599))
            .required()
            .default(json!([502, 503, 504]))
            .doc("answers of the upstream that are tried again"),
        Field::set("grpc_statuses", Field::one_of("", &GRPC.map(|(name, _)| name)))
            .required()
            .default(json!([]))
            .doc("codes of gRPC in the head of an answer that are tried again, whatever the method"),
        Field::set("methods", Field::string("").check(is_method))
            .required()
            .default(json!(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]))
            .doc("methods that may be sent again after they have been written"),
        Field::integer("per_try_timeout")
            .between(1, HOUR)
            .doc("from the beginning of a try to the head of its answer, in milliseconds"),
        Field::integer("total_timeout")
            .between(1, HOUR)
            .doc("the same for all tries and the waits between them, in milliseconds"),
        Field::string("deadline_header")
            .check(is_field_name)
            .doc("where a client says how long it waits, and the upstream is told what is left: `grpc-timeout`, or a field of milliseconds"),
        Field::integer("backoff_base")
            .required()
            .between(0, HOUR)
            .default(25)
            .doc("the longest wait before the first repetition, in milliseconds; then twice as long"),
        Field::integer("backoff_max")
            .required()
            .between(0, HOUR)
            .default(250)
            .doc("the longest wait before any repetition, in milliseconds"),
        Field::integer("budget_percent")
            .required()
            .between(0, 1_000)
            .default(20)
            .doc("so many repetitions for a hundred requests of the last ten seconds"),
        Field::integer("budget_per_second")
            .required()
            .between(0, 1_000_000)
            .default(10)
            .doc("so many repetitions a second besides"),
        Field::integer("body_size")
            .required()
            .between(0, 16 << 20)
            .default(65_536)
            .doc("a request body up to so many bytes is kept to be sent again"),
    ])
    .rule(Rule::With { of: &["backoff_base", "backoff_max"], check: the_longest_wait_is_no_shorter })
    .rule(Rule::With { of: &["per_try_timeout", "total_timeout"], check: all_tries_take_no_less_than_one })
}

/// Codes of gRPC that a repetition may change.
const GRPC: [(&str, u16); 8] = [
    ("CANCELLED", 1),
    ("UNKNOWN", 2),
    ("DEADLINE_EXCEEDED", 4),
    ("RESOURCE_EXHAUSTED", 8),
    ("ABORTED", 10),
    ("INTERNAL", 13),
    ("UNAVAILABLE", 14),
    ("DATA_LOSS", 15),
];

fn is_field_name(value: &Value) -> Result<(), String> {
    let owned = ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "trailer"];
    let name = value.as_str().and_then(|text| text.parse::<HeaderName>().ok());
    match name {
        Some(name) if !owned.contains(&name.as_str()) => Ok(()),
        _ => Err("must be the name of a header field that is free".to_owned()),
    }
}

fn is_method(value: &Value) -> Result<(), String> {
    let known = value.as_str().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_uppercase()));
    if known { Ok(()) } else { Err("must be a method in capital letters".to_owned()) }
}

/// A violation where the second of two numbers is less than the first.
fn is_less(fields: &Map<String, Value>, first: &str, second: &'static str) -> Vec<Violation> {
    let of = |name: &str| fields.get(name).and_then(Value::as_i64);
    let less = matches!((of(first), of(second)), (Some(first), Some(second)) if second < first);
    let violation = || Violation::field(second, format!("must not be less than '{first}'"));
    less.then(violation).into_iter().collect()
}

fn the_longest_wait_is_no_shorter(fields: &Map<String, Value>) -> Vec<Violation> {
    is_less(fields, "backoff_base", "backoff_max")
}

fn all_tries_take_no_less_than_one(fields: &Map<String, Value>) -> Vec<Violation> {
    is_less(fields, "per_try_timeout", "total_timeout")
}

#[derive(Deserialize)]
struct Config {
    retries: Option<u32>,
    causes: Vec<Cause>,
    statuses: Vec<u16>,
    #[serde(default)]
    grpc_statuses: Vec<String>,
    methods: Vec<String>,
    per_try_timeout: Option<u64>,
    total_timeout: Option<u64>,
    deadline_header: Option<String>,
    backoff_base: u64,
    backoff_max: u64,
    budget_percent: u32,
    budget_per_second: u32,
    body_size: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cause {
    Connect,
    Reset,
    Timeout,
}

impl Config {
    fn settings(&self) -> Result<Settings, String> {
        let on = |cause| self.causes.contains(&cause);
        let method =
            |name: &String| Method::from_bytes(name.as_bytes()).map_err(|error| format!("methods: {error}"));
        let status = |code: &u16| StatusCode::from_u16(*code).map_err(|error| format!("statuses: {error}"));
        let named = |name: &str| self.grpc_statuses.iter().any(|named| named == name);
        let deadline = |name: &String| {
            name.parse()
                .map(DeadlineHeader::new)
                .map_err(|error: InvalidHeaderName| format!("deadline_header: {error}"))
        };
        let time = Duration::from_millis;
        Ok(Settings {
            retries: self.retries,
            on: Causes { connect: on(Cause::Connect), reset: on(Cause::Reset), timeout: on(Cause::Timeout) },
            statuses: self.statuses.iter().map(status).collect::<Result<_, _>>()?,
            grpc_statuses: GRPC.iter().filter(|(name, _)| named(name)).map(|(_, code)| *code).collect(),
            methods: self.methods.iter().map(method).collect::<Result<_, _>>()?,
            per_try: self.per_try_timeout.map(time),
            total: self.total_timeout.map(time),
            deadline_header: self.deadline_header.as_ref().map(deadline).transpose()?,
            backoff: Backoff { base: time(self.backoff_base), max: time(self.backoff_max) },
        })
    }
}

impl Plugin for Retry {
    fn name(&self) -> &'static str {
        "retry"
    }

    fn priority(&self) -> i32 {
        10
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        RetryPolicy::new(config, Arc::default()).map(Configured::policy)
    }

    fn reconfigure(&self, entity: &config::Plugin, before: &Configured) -> Result<Configured, String> {
        let kept = super::policy_before(before, |before: &RetryPolicy| Arc::clone(&before.spendings));
        RetryPolicy::new(&entity.config, kept.unwrap_or_default()).map(Configured::policy)
    }
}

/// One configuration of the plugin.
struct RetryPolicy {
    settings: Settings,
    share: Share,
    replay: usize,
    spendings: Arc<Sites<Spending>>,
}

impl RetryPolicy {
    fn new(config: &Value, spendings: Arc<Sites<Spending>>) -> Result<Self, String> {
        let config: Config = super::decode(config)?;
        let share = Share { percent: config.budget_percent, per_second: config.budget_per_second };
        Ok(Self { settings: config.settings()?, share, replay: config.body_size, spendings })
    }
}

impl Policy for RetryPolicy {
    fn at(&self, service: Uuid) -> Bound {
        let spending = self.spendings.get_or_make(service, Spending::default);
        Bound::Retry(Arc::new(Retrying::new(self.settings.clone(), self.replay, self.share, spending)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn readings(&self) -> Vec<Reading> {
        let of = |(service, spending): (Uuid, Arc<Spending>)| {
            [
                Reading {
                    metric: "gateway_retries_total".into(),
                    help: "Tries that were repetitions",
                    service: Some(service),
                    labels: Vec::new(),
                    value: spending.repeated(),
                },
                Reading {
                    metric: "gateway_retries_over_budget_total".into(),
                    help: "Repetitions that the budget did not allow",
                    service: Some(service),
                    labels: Vec::new(),
                    value: spending.refused(),
                },
            ]
        };
        self.spendings.all().into_iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, plugins};

    #[test]
    fn impossible_settings_are_refused() {
        for (config, problem) in [
            ("{backoff_base: 500}", "must not be less than 'backoff_base'"),
            ("{per_try_timeout: 500, total_timeout: 499}", "must not be less than 'per_try_timeout'"),
            ("{statuses: [200]}", "value should be between 400 and 599"),
            ("{methods: [get]}", "must be a method in capital letters"),
            ("{grpc_statuses: [OK]}", "expected one of: CANCELLED"),
            ("{deadline_header: 'a b'}", "must be the name of a header field that is free"),
            ("{deadline_header: Content-Length}", "must be the name of a header field that is free"),
            ("{causes: [dns]}", "expected one of: connect, reset, timeout"),
            ("{per_try_timeout: 0}", "value should be between 1"),
        ] {
            let text = format!("{{_format_version: '3.0', plugins: [{{name: retry, config: {config}}}]}}");
            let problems = Config::parse(&text, &plugins::bundled()).unwrap_err().to_string();
            assert!(problems.contains(problem), "{config}: {problems}");
        }
    }

    #[test]
    fn only_statuses_may_be_asked_for() {
        let text = "{_format_version: '3.0', plugins: [{name: retry, config: {causes: [], statuses: [429], per_try_timeout: 5}}]}";
        assert!(Config::parse(text, &plugins::bundled()).is_ok());
    }
}
