//! A limit on requests to a service at a time, with a bounded queue before it.

mod endpoints;

use std::{any::Any, net::SocketAddr, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::sites::Sites;
use crate::{
    clock,
    config::{
        self,
        schema::{Field, Record, Rule, Violation},
    },
    error::{Error, Reason},
    limit::{Entry, Limiter, Mode, Seat, Settings},
    plugin::{Admission, Bound, Configured, Guard, Keep, Keeper, Outcome, Permit, Plugin, Policy, Reading},
    reply::RetryAfter,
};
use endpoints::Endpoints;

/// Lets no more requests to a service than it takes at a time: `concurrency-limit`, a plugin of this gateway's own.
///
/// The limit is set, or finds itself from how long answers take. Who finds it reached waits in a bounded queue; who
/// finds that full is answered 503 `pending_limit`, who waits too long 503 `pending_timeout`. A request counts until the
/// last byte of its answer, an upgraded connection until it is over. With a limit for each endpoint, one that has so many
/// is passed over for the next.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    schema: Record,
}

impl ConcurrencyLimit {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for ConcurrencyLimit {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    let count = |name| Field::integer(name).required().between(1, 1_000_000);
    Record::new(vec![
        Field::one_of("mode", &["fixed", "adaptive"])
            .required()
            .default("fixed")
            .doc("whether `limit` is the limit, or the most that is found"),
        count("limit").default(1_024).doc("the most requests to the service at a time"),
        count("min_limit").default(4).doc("the least that is found"),
        Field::integer("queue")
            .required()
            .between(0, 1_000_000)
            .default(100)
            .doc("so many requests may wait for their turn"),
        Field::integer("queue_timeout")
            .required()
            .between(1, 3_600_000)
            .default(1_000)
            .doc("for so long, in milliseconds"),
        Field::integer("endpoint_limit")
            .required()
            .between(0, 1_000_000)
            .default(0)
            .doc("the most requests, and so connections, to one endpoint at a time; 0: no limit"),
    ])
    .rule(Rule::With { of: &["limit", "min_limit"], check: the_least_is_no_more })
}

fn the_least_is_no_more(fields: &Map<String, Value>) -> Vec<Violation> {
    let of = |name| fields.get(name).and_then(Value::as_i64);
    let adaptive = fields.get("mode").and_then(Value::as_str) == Some("adaptive");
    let more = matches!((of("min_limit"), of("limit")), (Some(least), Some(most)) if least > most);
    let violation = || Violation::field("min_limit", "must not be greater than 'limit'");
    (adaptive && more).then(violation).into_iter().collect()
}

#[derive(Deserialize)]
struct Config {
    mode: Kind,
    limit: u32,
    min_limit: u32,
    queue: usize,
    queue_timeout: u64,
    endpoint_limit: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fixed,
    Adaptive,
}

impl From<Config> for Settings {
    fn from(config: Config) -> Self {
        Self {
            mode: match config.mode {
                Kind::Fixed => Mode::Fixed,
                Kind::Adaptive => Mode::Adaptive,
            },
            most: config.limit,
            least: config.min_limit,
            queue: config.queue,
            patience: Duration::from_millis(config.queue_timeout),
        }
    }
}

impl Plugin for ConcurrencyLimit {
    fn name(&self) -> &'static str {
        "concurrency-limit"
    }

    /// Before the circuit breaker: who waits for a seat holds no place among those that try.
    fn priority(&self) -> i32 {
        30
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        LimitPolicy::new(config, Kept::default()).map(Configured::policy)
    }

    fn reconfigure(&self, entity: &config::Plugin, before: &Configured) -> Result<Configured, String> {
        let kept = super::policy_before(before, |before: &LimitPolicy| before.kept.clone());
        LimitPolicy::new(&entity.config, kept.unwrap_or_default()).map(Configured::policy)
    }
}

/// One configuration of the plugin.
struct LimitPolicy {
    settings: Settings,
    /// The most requests at one endpoint; 0: no limit.
    of_endpoint: u32,
    kept: Kept,
}

/// What goes on when settings change.
#[derive(Clone, Default)]
struct Kept {
    limiters: Arc<Sites<Limiter>>,
    endpoints: Arc<Sites<Endpoints>>,
}

impl LimitPolicy {
    fn new(config: &Value, kept: Kept) -> Result<Self, String> {
        let config: Config = super::decode(config)?;
        Ok(Self { of_endpoint: config.endpoint_limit, settings: config.into(), kept })
    }

    /// How many are at each endpoint, where that is limited.
    fn readings_of_endpoints(&self) -> impl Iterator<Item = Reading> {
        let limited = (self.of_endpoint > 0).then(|| self.kept.endpoints.all());
        limited.into_iter().flatten().flat_map(|(service, endpoints)| {
            endpoints.all().into_iter().map(move |(address, requests)| Reading {
                metric: "gateway_concurrency_endpoint_in_flight".into(),
                help: "Requests that count against the limit of an endpoint",
                service: Some(service),
                labels: vec![("endpoint", address.to_string())],
                value: requests.into(),
            })
        })
    }
}

impl Policy for LimitPolicy {
    fn at(&self, service: Uuid) -> Bound {
        let limiter = self.kept.limiters.get_or_make(service, Limiter::default);
        Bound::Guard(Arc::new(LimitGuard {
            settings: self.settings,
            seats: Arc::new(Seats(limiter)),
            of_endpoint: self.of_endpoint,
            endpoints: self.kept.endpoints.get_or_make(service, Endpoints::default),
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn readings(&self) -> Vec<Reading> {
        let of = |(service, limiter): (Uuid, Arc<Limiter>)| {
            let show = |metric: &'static str, help, value| {
                let metric = metric.into();
                let service = Some(service);
                Reading { metric, help, service, labels: Vec::new(), value }
            };
            [
                show(
                    "gateway_concurrency_limit",
                    "Requests that a service takes at a time",
                    limiter.limit().into(),
                ),
                show(
                    "gateway_concurrency_in_flight",
                    "Requests that count against it",
                    limiter.seated().into(),
                ),
                show(
                    "gateway_concurrency_queued",
                    "Requests that wait for their turn",
                    limiter.queued() as u64,
                ),
            ]
        };
        self.kept.limiters.all().into_iter().flat_map(of).chain(self.readings_of_endpoints()).collect()
    }
}

/// The plugin at one service.
struct LimitGuard {
    settings: Settings,
    seats: Arc<Seats>,
    of_endpoint: u32,
    endpoints: Arc<Endpoints>,
}

impl LimitGuard {
    fn refusal(&self) -> Error {
        Error::new(Reason::PendingLimit, RetryAfter(self.settings.patience))
    }
}

impl Guard for LimitGuard {
    fn admit(&self) -> Admission {
        match self.seats.0.enter(&self.settings, clock::now()) {
            Entry::Seated(seat) => Admission::Go(self.seats.permit(seat)),
            Entry::Full => Admission::Refuse(self.refusal()),
            Entry::Queued(place) => {
                let seats = Arc::clone(&self.seats);
                Admission::Wait(Box::pin(async move {
                    let seat = place.wait().await.ok_or(Reason::PendingTimeout)?;
                    Ok(seats.permit(seat))
                }))
            }
        }
    }

    fn admit_try(&self, endpoint: SocketAddr) -> Result<Permit, Error> {
        if self.of_endpoint == 0 {
            return Ok(Permit::free());
        }
        self.endpoints.enter(endpoint, self.of_endpoint).ok_or_else(|| self.refusal())
    }
}

/// The seats of one service, as permits.
struct Seats(Arc<Limiter>);

impl Seats {
    /// From here on the permit gives the seat back.
    fn permit(self: &Arc<Self>, seat: Seat) -> Permit {
        seat.keep();
        Permit::new(Arc::clone(self) as Arc<dyn Keeper>, 0)
    }
}

impl Keeper for Seats {
    fn settle(&self, _: u64, outcome: &Outcome) -> Keep {
        let dropped = match outcome.result {
            Ok(status) if matches!(status.as_u16(), 429 | 503) => true,
            Ok(status) if !status.is_server_error() => false,
            Err(reason) if reason.blames_upstream() => true,
            // An error that comes fast says nothing about how much the upstream takes.
            _ => return Keep::ToTheEnd,
        };
        self.0.sample(outcome.took, dropped, clock::now());
        Keep::ToTheEnd
    }

    fn release(&self, _: u64) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, plugins};

    #[test]
    fn impossible_settings_are_refused() {
        for (config, problem) in [
            ("{mode: adaptive, limit: 5, min_limit: 6}", "must not be greater than 'limit'"),
            ("{limit: 0}", "value should be between 1"),
            ("{queue: -1}", "value should be between 0"),
            ("{queue_timeout: 0}", "value should be between 1"),
            ("{endpoint_limit: -1}", "value should be between 0"),
        ] {
            let text = format!(
                "{{_format_version: '3.0', plugins: [{{name: concurrency-limit, config: {config}}}]}}"
            );
            let problems = Config::parse(&text, &plugins::bundled()).unwrap_err().to_string();
            assert!(problems.contains(problem), "{config}: {problems}");
        }
    }
}
