//! Log records to an HTTP server, as Kong's plugin `http-log` sends them (compat A10, O3).

mod courier;
mod delivery;
mod queue;
mod server;

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use courier::Courier;
use delivery::{Retries, deliver};
use queue::{Limits, Queue};
use server::{Server, Settings, headers};

use super::lua_fields::custom_fields_by_lua;
use crate::{
    Body,
    config::schema::{Field, Record},
    observe::push_record,
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
    upstream::{Dns, Resolve},
};

/// Batches under way at a time where Kong sets no limit.
const UNLIMITED: usize = 64;

/// Sends [Kong's log record](push_record) of each request to an HTTP server.
///
/// A request only puts its record into the bounded queue of its configuration; when that is full, the oldest ones
/// are dropped, counted and told in the gateway's own log. One thread sends for all configurations, with the
/// gateway's own client: names are looked up in the background, TLS is verified by the system's anchors, each try has
/// an end. What is queued when a configuration goes is sent for up to 10 s more, at the end of the process for 2 s.
pub struct HttpLog {
    schema: Record,
    resolver: Arc<dyn Resolve>,
    /// From the first configuration on, to the end of the plugin.
    courier: Mutex<Option<Courier>>,
}

impl HttpLog {
    /// The plugin, with the system's name servers.
    #[must_use]
    pub fn new() -> Self {
        Self::resolving(Dns::system())
    }

    /// The plugin, with this resolver for the names of log servers.
    #[must_use]
    pub fn resolving(resolver: impl Resolve) -> Self {
        Self { schema: schema(), resolver: Arc::new(resolver), courier: Mutex::default() }
    }

    /// Begins a delivery, which goes on until its queue is closed.
    fn begin(&self, delivery: impl Future<Output = ()> + Send + 'static) -> Result<(), String> {
        let mut slot = self.courier.lock().unwrap_or_else(PoisonError::into_inner);
        let courier = match slot.take() {
            Some(courier) => courier,
            None => Courier::start().map_err(|error| error.to_string())?,
        };
        slot.insert(courier).spawn(delivery);
        Ok(())
    }
}

impl Default for HttpLog {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLog").finish_non_exhaustive()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::string("http_endpoint")
            .required()
            .referenceable()
            .check(valid_url)
            .doc("URL that records go to"),
        Field::one_of("method", &["POST", "PUT", "PATCH"]).default("POST").doc("method of its requests"),
        Field::one_of("content_type", &["application/json", "application/json; charset=utf-8"])
            .default("application/json")
            .doc("media type of their bodies"),
        Field::number("timeout").default(10_000).doc("milliseconds to connect, to write and to read, each"),
        Field::number("keepalive")
            .default(60_000)
            .doc("milliseconds for which an idle connection is kept; 0: as long as it lives"),
        Field::integer("retry_count").deprecated("queue.max_retry_time").doc("without effect, as in Kong"),
        Field::integer("queue_size")
            .deprecated("queue.max_batch_size")
            .doc("most records in a batch, unless 1"),
        Field::number("flush_timeout")
            .deprecated("queue.max_coalescing_delay")
            .doc("seconds for which the first record of a batch waits, unless 2"),
        Field::map("headers", Field::string(""), Field::string("").referenceable())
            .check(valid_headers)
            .doc("further fields of the requests"),
        Field::record("queue", queue_schema()).required().doc("how records are batched, kept and sent again"),
        custom_fields_by_lua(),
    ])
}

fn queue_schema() -> Record {
    Record::new(vec![
        Field::integer("max_batch_size").default(1).between(1, 1_000_000).doc("most records in one request"),
        Field::number("max_coalescing_delay")
            .default(1)
            .between(0, 3600)
            .doc("seconds for which the first record of a batch waits for others"),
        Field::integer("max_entries").default(10_000).between(1, 1_000_000).doc("most records that wait"),
        Field::integer("max_bytes")
            .check(above_zero)
            .doc("most bytes that wait; unset: no bound but `max_entries`"),
        Field::number("max_retry_time")
            .default(60)
            .doc("seconds after which a batch that fails is dropped; -1: no further try"),
        Field::number("initial_retry_delay")
            .default(0.01)
            .check(between_millisecond_and_million)
            .doc("seconds before the first further try; it doubles with each"),
        Field::number("max_retry_delay")
            .default(60)
            .check(between_millisecond_and_million)
            .doc("longest time between two tries, seconds"),
        Field::integer("concurrency_limit")
            .default(1)
            .check(one_or_unlimited)
            .doc("batches under way at a time: 1, or -1 for up to 64"),
    ])
}

fn valid_url(url: &Value) -> Result<(), String> {
    let uri = url.as_str().unwrap_or_default().parse::<http::Uri>();
    match uri {
        Ok(uri) if uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => Err("missing host in url".to_owned()),
    }
}

/// Kong's words for fields that are the plugin's own.
fn valid_headers(headers: &Value) -> Result<(), String> {
    let mut names = headers.as_object().into_iter().flatten().map(|(name, _)| name);
    let own = ["Host", "Content-Length", "Content-Type"];
    match names.find_map(|name| own.into_iter().find(|own| own.eq_ignore_ascii_case(name))) {
        Some(own) => Err(format!("cannot contain '{own}' header")),
        None => Ok(()),
    }
}

fn above_zero(value: &Value) -> Result<(), String> {
    if value.as_i64().is_some_and(|number| number < 1) {
        Err("value must be greater than 0".to_owned())
    } else {
        Ok(())
    }
}

fn between_millisecond_and_million(value: &Value) -> Result<(), String> {
    let fits = value.as_f64().is_none_or(|number| (0.001..=1_000_000.0).contains(&number));
    if fits { Ok(()) } else { Err("value should be between 0.001 and 1000000".to_owned()) }
}

fn one_or_unlimited(value: &Value) -> Result<(), String> {
    if matches!(value.as_i64(), None | Some(1 | -1)) {
        Ok(())
    } else {
        Err("expected one of: 1, -1".to_owned())
    }
}

#[derive(Deserialize)]
struct Config {
    http_endpoint: String,
    method: Option<String>,
    content_type: Option<String>,
    timeout: Option<f64>,
    keepalive: Option<f64>,
    retry_count: Option<i64>,
    queue_size: Option<i64>,
    flush_timeout: Option<f64>,
    headers: Option<IndexMap<String, String>>,
    #[serde(default)]
    queue: QueueConfig,
}

/// Every field may be null; then it has its default.
#[derive(Default, Deserialize)]
#[serde(default)]
struct QueueConfig {
    max_batch_size: Option<usize>,
    max_coalescing_delay: Option<f64>,
    max_entries: Option<usize>,
    max_bytes: Option<usize>,
    max_retry_time: Option<f64>,
    initial_retry_delay: Option<f64>,
    max_retry_delay: Option<f64>,
    concurrency_limit: Option<i64>,
}

impl Config {
    /// The old names count where they differ from their old defaults, as in Kong.
    fn limits(&self) -> Result<Limits, String> {
        let queue = &self.queue;
        let old = self.queue_size.filter(|size| *size != 1).map(usize::try_from).transpose();
        let old = old.ok().filter(|size| *size != Some(0)).ok_or("queue_size: must be greater than 0")?;
        let delay = self.flush_timeout.filter(|delay| (delay - 2.0).abs() > f64::EPSILON);
        Ok(Limits {
            batch: old.or(queue.max_batch_size).unwrap_or(1),
            coalescing: seconds("flush_timeout", delay.or(queue.max_coalescing_delay).unwrap_or(1.0))?,
            entries: queue.max_entries.unwrap_or(10_000),
            bytes: queue.max_bytes.unwrap_or(usize::MAX),
        })
    }

    fn retries(&self) -> Result<Retries, String> {
        let queue = &self.queue;
        let most = queue.max_retry_time.unwrap_or(60.0);
        Ok(Retries {
            initial_delay: seconds("queue.initial_retry_delay", queue.initial_retry_delay.unwrap_or(0.01))?,
            max_delay: seconds("queue.max_retry_delay", queue.max_retry_delay.unwrap_or(60.0))?,
            max_time: (most >= 0.0).then(|| seconds("queue.max_retry_time", most)).transpose()?,
        })
    }

    fn server(&self, lists: bool, resolver: Arc<dyn Resolve>) -> Result<Server, String> {
        let timeout = seconds("timeout", self.timeout.unwrap_or(10_000.0) / 1000.0)?;
        if timeout.is_zero() {
            return Err("timeout: must be greater than 0".to_owned());
        }
        let keepalive = seconds("keepalive", self.keepalive.unwrap_or(60_000.0) / 1000.0)?;
        let content_type = self.content_type.as_deref().unwrap_or("application/json");
        let fields = self.headers.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = Settings {
            endpoint: &self.http_endpoint,
            method: self.method.as_deref().unwrap_or("POST").parse().unwrap_or(Method::POST),
            content_type: HeaderValue::try_from(content_type).map_err(|error| error.to_string())?,
            headers: headers(fields)?,
            timeout,
            keepalive: if keepalive.is_zero() { YEAR } else { keepalive },
            lists,
        };
        Server::new(settings, resolver)
    }
}

/// As good as for ever.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn seconds(field: &str, value: f64) -> Result<Duration, String> {
    let time = Duration::try_from_secs_f64(value).ok().filter(|time| *time <= YEAR);
    time.ok_or_else(|| format!("{field}: not a time of up to a year"))
}

impl Plugin for HttpLog {
    fn name(&self) -> &'static str {
        "http-log"
    }

    fn priority(&self) -> i32 {
        12
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let (limits, retries) = (config.limits()?, config.retries()?);
        let server = config.server(limits.batch > 1, Arc::clone(&self.resolver))?;
        if config.retry_count.is_some() {
            tracing::warn!(
                "http-log: config.retry_count no longer works, use config.queue.max_retry_time instead"
            );
        }
        let parallel = if config.queue.concurrency_limit == Some(-1) { UNLIMITED } else { 1 };
        let queue = Arc::new(Queue::new(limits));
        self.begin(deliver(Arc::clone(&queue), Arc::new(server), retries, parallel))?;
        Ok(Configured::handler(HttpLogHandler { queue }))
    }
}

struct HttpLogHandler {
    queue: Arc<Queue>,
}

/// What is queued is still sent, for a while.
impl Drop for HttpLogHandler {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Handler for HttpLogHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        exchange.record(request);
        Flow::Continue
    }

    fn on_skipped(&self, request: &Request<Body>, exchange: &mut Exchange) {
        exchange.record(request);
    }

    fn on_log(&self, exchange: &Exchange) {
        let mut record = Vec::with_capacity(2048);
        push_record(&mut record, exchange, SystemTime::now());
        self.queue.push(Bytes::from(record));
    }
}

#[cfg(test)]
mod tests;
