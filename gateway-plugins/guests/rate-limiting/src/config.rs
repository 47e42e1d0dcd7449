//! The configuration, in Kong's words.

use plugin_sdk::{
    prelude::*,
    ratelimit::{self, Period, Store, Window},
};

/// The configuration.
#[config(
    at_least_one_of = ["second", "minute", "hour", "day", "month", "year"],
    required_where = ["policy", "redis", "redis.host"],
    required_where = ["limit_by", "header", "header_name"],
    required_where = ["limit_by", "path", "path"],
    shorthand = ("redis_host", "redis.host"),
    shorthand = ("redis_port", "redis.port"),
    shorthand = ("redis_timeout", "redis.timeout"),
    shorthand = ("redis_username", "redis.username"),
    shorthand = ("redis_password", "redis.password"),
    shorthand = ("redis_database", "redis.database"),
    shorthand = ("redis_ssl", "redis.ssl"),
    shorthand = ("redis_ssl_verify", "redis.ssl_verify"),
    shorthand = ("redis_server_name", "redis.server_name"),
)]
pub struct Config {
    /// Requests a second.
    #[field(greater_than = 0)]
    pub(crate) second: Option<f64>,
    /// Requests a minute.
    #[field(greater_than = 0)]
    pub(crate) minute: Option<f64>,
    /// Requests an hour.
    #[field(greater_than = 0)]
    pub(crate) hour: Option<f64>,
    /// Requests a day.
    #[field(greater_than = 0)]
    pub(crate) day: Option<f64>,
    /// Requests a month of the calendar.
    #[field(greater_than = 0)]
    pub(crate) month: Option<f64>,
    /// Requests a year of the calendar.
    #[field(greater_than = 0)]
    pub(crate) year: Option<f64>,
    /// What is counted by. Where a request has no such thing, its address is.
    #[field(default = "consumer")]
    pub(crate) limit_by: LimitBy,
    /// The header field that is counted by, for `limit_by: header`.
    #[field(format = "header-name")]
    pub(crate) header_name: Option<String>,
    /// The path that is counted by, for `limit_by: path`.
    #[field(format = "path")]
    pub(crate) path: Option<String>,
    /// Where is counted: in this process, or in a Redis server for all nodes.
    #[field(default = "local")]
    pub(crate) policy: Policy,
    /// Whether requests pass while nothing can be counted. Otherwise they are answered 500.
    #[field(default = true)]
    pub(crate) fault_tolerant: bool,
    /// The Redis server, for `policy: redis`.
    pub(crate) redis: Redis,
    /// Whether clients are not told of limits.
    #[field(default = false)]
    pub(crate) hide_client_headers: bool,
    /// The status of refusals.
    #[field(default = 429, greater_than = 0)]
    pub(crate) error_code: f64,
    /// What refusals say.
    #[field(default = "API rate limit exceeded")]
    pub(crate) error_message: String,
    /// Seconds between two exchanges with the Redis server, while counts are kept here; -1 asks it for each request.
    #[field(default = -1)]
    pub(crate) sync_rate: f64,
}

/// What is counted by.
#[config]
pub(crate) enum LimitBy {
    Consumer,
    Credential,
    Ip,
    Service,
    Header,
    Path,
}

/// Where is counted.
#[config]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Local,
    Redis,
}

/// A Redis server.
#[config]
pub(crate) struct Redis {
    /// Its name or address.
    #[field(format = "host")]
    host: Option<String>,
    /// Its port.
    #[field(default = 6379, between = (0, 65_535))]
    port: u16,
    /// Milliseconds for the connection and for each answer.
    #[field(default = 2000, between = (0, 2_147_483_646))]
    timeout: u32,
    /// Who logs in.
    #[field(referenceable)]
    username: Option<String>,
    /// With which password.
    #[field(referenceable, shortest = 0)]
    password: Option<String>,
    /// The number of the database.
    #[field(default = 0)]
    database: u32,
    /// Whether it is spoken to by TLS.
    #[field(default = false)]
    ssl: bool,
    /// Whether its certificate is verified.
    #[field(default = false)]
    ssl_verify: bool,
    /// The name its certificate must have, where that is not the host's.
    #[field(format = "server-name")]
    server_name: Option<String>,
}

/// The names of the windows, from the shortest to the longest.
const PERIODS: [(&str, Period); 6] = [
    ("second", Period::Second),
    ("minute", Period::Minute),
    ("hour", Period::Hour),
    ("day", Period::Day),
    ("month", Period::Month),
    ("year", Period::Year),
];

impl Config {
    /// The windows that are limited, each with its name, from the shortest to the longest.
    ///
    /// # Errors
    /// A window with a lower limit than a shorter one (compat A38).
    pub(crate) fn windows(&self) -> Result<Vec<(&'static str, Window)>, String> {
        let limits = [self.second, self.minute, self.hour, self.day, self.month, self.year];
        let limited = PERIODS.into_iter().zip(limits);
        let limited: Vec<_> =
            limited.filter_map(|((name, period), limit)| Some((name, period, limit?))).collect();
        for (at, (shorter, _, least)) in limited.iter().enumerate() {
            if let Some((longer, _, limit)) = limited.iter().skip(at + 1).find(|(_, _, limit)| limit < least)
            {
                return Err(format!(
                    "The limit for {longer}({limit:.1}) cannot be lower than the limit for {shorter}({least:.1})"
                ));
            }
        }
        // Part of a request is one.
        let window = |period, limit: f64| Window { period, limit: limit.ceil() as u64 };
        Ok(limited.into_iter().map(|(name, period, limit)| (name, window(period, limit))).collect())
    }

    /// Where is counted.
    pub(crate) fn store(&self) -> Store<'_> {
        if self.policy == Policy::Local {
            return Store::Local;
        }
        let redis = &self.redis;
        Store::Redis(ratelimit::Redis {
            host: redis.host.as_deref().unwrap_or_default(),
            port: redis.port,
            timeout: redis.timeout,
            username: redis.username.as_deref(),
            password: redis.password.as_deref(),
            database: redis.database,
            tls: redis.ssl,
            verify: redis.ssl_verify,
            server_name: redis.server_name.as_deref(),
            sync: self.sync(),
        })
    }

    /// Milliseconds between two exchanges with the server.
    pub(crate) fn sync(&self) -> Option<u32> {
        (self.sync_rate >= 0.0).then_some((self.sync_rate * 1_000.0) as u32)
    }
}
