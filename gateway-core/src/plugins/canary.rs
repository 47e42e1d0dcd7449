//! A new version beside the one that is known to work, as Kong's plugin `canary` has it, with a way back.

mod handler;

use std::sync::Arc;

use http::uri::PathAndQuery;
use serde::Deserialize;
use serde_json::Value;

use super::told_apart::{ToldApart, header_name};
use crate::{
    clock::unix_seconds,
    config::{
        self,
        schema::{Field, Must, Record, Rule},
    },
    plugin::{Configured, Destination, Plugin},
    split::{Limits, Plan, Share},
};

use handler::{CanaryHandler, Choice, Trial};

/// Sends a growing share of a route's requests to a canary: `canary`, with Kong's fields.
///
/// Who is in the canary stays in it as it grows. Beyond Kong, a cookie may choose as well as a header, and a canary
/// that turns out to be worse than the stable side is broken off by itself.
#[derive(Debug)]
pub struct Canary {
    schema: Record,
}

impl Canary {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self::new()
    }
}

/// A hundred years, in seconds.
const AGES: i64 = 100 * 365 * 86_400;

fn schema() -> Record {
    Record::new(vec![
        Field::number("start")
            .between(0, i64::from(u32::MAX) * 4)
            .doc("when it begins, in Unix seconds; without it when the plugin was made, or first seen"),
        Field::one_of("hash", &["consumer", "ip", "none", "allow", "deny", "header"])
            .required()
            .default("consumer")
            .doc("who is kept to one side; or that only `groups` are in the canary, or all but `groups`"),
        Field::string("hash_header").doc("the header for `hash: header`"),
        Field::number("duration")
            .required()
            .between(0, AGES)
            .default(3_600)
            .doc("from the beginning until all requests go to the canary, in seconds"),
        Field::number("steps").required().between(1, 1_000_000).default(1_000).doc("in so many equal steps"),
        Field::number("percentage")
            .between(0, 100)
            .doc("a share that stays; `start`, `duration` and `steps` do not count then"),
        Field::string("upstream_host").doc("the canary: an upstream by its name, or a host"),
        Field::integer("upstream_port").between(0, 65_535).doc("its port, where that is another"),
        Field::string("upstream_uri")
            .starts_with("/")
            .doc("the path that is asked for there, in place of the request's"),
        Field::boolean("upstream_fallback")
            .required()
            .default(false)
            .doc("whether the stable side answers where the canary has nobody who is well"),
        Field::set("groups", Field::string(""))
            .doc("groups of consumers (`acls`) for `hash: allow` and `deny`"),
        Field::string("canary_by_header_name")
            .doc("a header with `always` or `never` decides for itself, whatever the share is"),
        Field::string("canary_by_cookie_name").doc("the same for a cookie, where the header does not decide"),
        Field::integer("abort_error_points")
            .between(0, 100)
            .doc("broken off where so many points of percent more requests fail than on the stable side"),
        Field::integer("abort_latency_percent")
            .between(1, 10_000)
            .doc("broken off where nine answers of ten take so many percent longer than on the stable side"),
        Field::integer("abort_minimum")
            .required()
            .between(1, 1_000_000)
            .default(50)
            .doc("so many requests of the canary must be known before it is broken off"),
        Field::integer("abort_window")
            .required()
            .between(1, 86_400)
            .default(60)
            .doc("how far back requests count for that, in seconds"),
    ])
    .rule(Rule::at_least_one_of(["upstream_host", "upstream_port", "upstream_uri"]))
    .rule(Rule::Conditional { when: "hash", is: &["header"], then: "hash_header", must: Must::BeSet })
    .rule(Rule::Conditional { when: "hash", is: &["allow", "deny"], then: "groups", must: Must::BeSet })
}

#[derive(Deserialize)]
struct Config {
    start: Option<f64>,
    hash: String,
    hash_header: Option<String>,
    duration: f64,
    steps: f64,
    percentage: Option<f64>,
    upstream_host: Option<String>,
    upstream_port: Option<u16>,
    upstream_uri: Option<String>,
    upstream_fallback: bool,
    groups: Option<Vec<String>>,
    canary_by_header_name: Option<String>,
    canary_by_cookie_name: Option<String>,
    abort_error_points: Option<u8>,
    abort_latency_percent: Option<u16>,
    abort_minimum: u32,
    abort_window: u64,
}

impl Config {
    /// `made`: when the plugin was made, in Unix seconds.
    fn plan(&self, made: u64) -> Plan {
        match self.percentage {
            Some(percent) => Plan::Fixed(Share::percents(percent)),
            None => Plan::Steps {
                start: self.start.map_or(made, whole),
                duration: whole(self.duration),
                steps: u32::try_from(whole(self.steps)).unwrap_or(u32::MAX),
            },
        }
    }

    fn choice(&self, made: u64) -> Result<Choice, String> {
        let groups = || self.groups.iter().flatten().map(|group| group.as_str().into()).collect();
        Ok(match self.hash.as_str() {
            "allow" => Choice::Allow(groups()),
            "deny" => Choice::Deny(groups()),
            word => {
                let told_apart = ToldApart::new(word, self.hash_header.as_deref(), None);
                Choice::Share(told_apart.map_err(|error| format!("hash_header: {error}"))?, self.plan(made))
            }
        })
    }

    fn limits(&self) -> Option<Limits> {
        let limits = Limits {
            errors: self.abort_error_points,
            latency: self.abort_latency_percent,
            minimum: self.abort_minimum,
            window: self.abort_window * 1_000,
        };
        (limits.errors.is_some() || limits.latency.is_some()).then_some(limits)
    }

    fn handler(self, made: u64) -> Result<CanaryHandler, String> {
        let uri = self.upstream_uri.as_deref().map(str::parse::<PathAndQuery>).transpose();
        let header = self.canary_by_header_name.as_deref().map(header_name).transpose();
        let port = self.upstream_port.filter(|port| *port > 0);
        Ok(CanaryHandler {
            destination: Arc::new(Destination::host(self.upstream_host.as_deref(), port)),
            choice: self.choice(made)?,
            uri: uri.map_err(|error| format!("upstream_uri: {error}"))?,
            fallback: self.upstream_fallback,
            by_header: header.map_err(|error| format!("canary_by_header_name: {error}"))?,
            trial: self.limits().map(Trial::new),
            by_cookie: self.canary_by_cookie_name.map(Into::into),
            sent: Default::default(),
        })
    }
}

/// A number of seconds or steps as a whole one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the schema bounds it")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

impl Plugin for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    fn priority(&self) -> i32 {
        20
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        Ok(Configured::handler(config.handler(unix_seconds())?))
    }

    fn configure_entity(&self, entity: &config::Plugin) -> Result<Configured, String> {
        let config: Config = super::decode(&entity.config)?;
        let made = if entity.created_at > 0 { entity.created_at } else { unix_seconds() };
        Ok(Configured::handler(config.handler(made)?))
    }
}
