//! An upstream: a named group of targets, balanced and health-checked.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Reference, derived_id};

/// A virtual host name in front of several targets. Field names and defaults are Kong's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Upstream {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// Unique host-like name; a service whose `host` is this name uses the upstream.
    pub name: String,
    /// How a target is picked. Default `round-robin`.
    pub algorithm: Algorithm,
    /// Points of the hash ring, 10 to 65536. Default 10000.
    pub slots: u32,
    /// What is hashed. Default `none`.
    pub hash_on: HashOn,
    /// What is hashed where `hash_on` finds nothing. Default `none`.
    pub hash_fallback: HashOn,
    /// Header for `hash_on: header`.
    pub hash_on_header: Option<String>,
    /// Header for `hash_fallback: header`.
    pub hash_fallback_header: Option<String>,
    /// Cookie for `hash_on: cookie`, issued where missing.
    pub hash_on_cookie: Option<String>,
    /// Path of that cookie. Default `/`.
    pub hash_on_cookie_path: String,
    /// Query argument for `hash_on: query_arg`.
    pub hash_on_query_arg: Option<String>,
    /// Query argument for `hash_fallback: query_arg`.
    pub hash_fallback_query_arg: Option<String>,
    /// Capture for `hash_on: uri_capture`.
    pub hash_on_uri_capture: Option<String>,
    /// Capture for `hash_fallback: uri_capture`.
    pub hash_fallback_uri_capture: Option<String>,
    /// `Host` sent to the targets in place of their own.
    pub host_header: Option<String>,
    /// Certificate shown to the targets.
    pub client_certificate: Option<Reference>,
    /// Whether the SRV name, rather than the target's, is the `Host`.
    pub use_srv_name: bool,
    /// Active and passive health checks.
    pub healthchecks: Healthchecks,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// How a target is picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// By hash ring.
    ConsistentHashing,
    /// Fewest requests in flight for its weight.
    LeastConnections,
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Lowest moving average of latency.
    Latency,
}

/// What feeds the hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HashOn {
    /// Nothing: the target is picked without a hash.
    #[default]
    None,
    /// The consumer's id.
    Consumer,
    /// The client's address.
    Ip,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// The path.
    Path,
    /// A query argument.
    QueryArg,
    /// A capture of the route's regular expression.
    UriCapture,
}

/// Health checks of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Healthchecks {
    /// Percentage of weight that must be available, 0 to 100. Default 0.
    pub threshold: f64,
    /// Probes.
    pub active: ActiveChecks,
    /// Judgement by traffic.
    pub passive: PassiveChecks,
}

/// What a probe speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    /// A TCP connection.
    Tcp,
    /// A GET in clear.
    #[default]
    Http,
    /// A GET over TLS.
    Https,
    /// gRPC health in clear.
    Grpc,
    /// gRPC health over TLS.
    Grpcs,
}

/// Probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveChecks {
    /// What a probe speaks. Default `http`.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// Seconds a probe may take. Default 1.
    pub timeout: f64,
    /// Probes at a time. Default 10.
    pub concurrency: u32,
    /// Path asked for. Default `/`.
    pub http_path: String,
    /// Server name of TLS probes.
    pub https_sni: Option<String>,
    /// Whether the certificate is verified. Default true.
    pub https_verify_certificate: bool,
    /// Extra headers of a probe.
    pub headers: Option<IndexMap<String, Vec<String>>>,
    /// Towards healthy.
    pub healthy: ActiveHealthy,
    /// Towards unhealthy.
    pub unhealthy: ActiveUnhealthy,
}

/// When probes make a target healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveHealthy {
    /// Seconds between probes of healthy targets; 0: none. Default 0.
    pub interval: f64,
    /// Successes needed; 0: off. Default 0.
    pub successes: u8,
    /// Statuses that count as success.
    pub http_statuses: Vec<u16>,
}

/// When probes make a target unhealthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveUnhealthy {
    /// Seconds between probes of unhealthy targets; 0: none. Default 0.
    pub interval: f64,
    /// Failed statuses needed; 0: off. Default 0.
    pub http_failures: u8,
    /// Failed connections needed; 0: off. Default 0.
    pub tcp_failures: u8,
    /// Timeouts needed; 0: off. Default 0.
    pub timeouts: u8,
    /// Statuses that count as failure.
    pub http_statuses: Vec<u16>,
}

/// Judgement by traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PassiveChecks {
    /// What the traffic speaks. Default `http`.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// Towards healthy.
    pub healthy: PassiveHealthy,
    /// Towards unhealthy.
    pub unhealthy: PassiveUnhealthy,
}

/// When traffic makes a target healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassiveHealthy {
    /// Successes needed; 0: off. Default 0.
    pub successes: u8,
    /// Statuses that count as success.
    pub http_statuses: Vec<u16>,
}

/// When traffic makes a target unhealthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassiveUnhealthy {
    /// Failed statuses needed; 0: off. Default 0.
    pub http_failures: u8,
    /// Failed connections needed; 0: off. Default 0.
    pub tcp_failures: u8,
    /// Timeouts needed; 0: off. Default 0.
    pub timeouts: u8,
    /// Statuses that count as failure.
    pub http_statuses: Vec<u16>,
}

impl Default for ActiveChecks {
    fn default() -> Self {
        Self {
            kind: CheckType::Http,
            timeout: 1.0,
            concurrency: 10,
            http_path: "/".to_owned(),
            https_sni: None,
            https_verify_certificate: true,
            headers: None,
            healthy: ActiveHealthy { interval: 0.0, successes: 0, http_statuses: vec![200, 302] },
            unhealthy: ActiveUnhealthy {
                interval: 0.0,
                http_failures: 0,
                tcp_failures: 0,
                timeouts: 0,
                http_statuses: vec![429, 404, 500, 501, 502, 503, 504, 505],
            },
        }
    }
}

impl Default for PassiveHealthy {
    fn default() -> Self {
        let http_statuses = (200..=208).chain([226]).chain(300..=308).collect();
        Self { successes: 0, http_statuses }
    }
}

impl Default for PassiveUnhealthy {
    fn default() -> Self {
        Self { http_failures: 0, tcp_failures: 0, timeouts: 0, http_statuses: vec![429, 500, 503] }
    }
}

impl Upstream {
    /// An upstream with Kong's defaults and no targets yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            id: derived_id("upstreams", name),
            name: name.to_owned(),
            algorithm: Algorithm::RoundRobin,
            slots: 10_000,
            hash_on: HashOn::None,
            hash_fallback: HashOn::None,
            hash_on_header: None,
            hash_fallback_header: None,
            hash_on_cookie: None,
            hash_on_cookie_path: "/".to_owned(),
            hash_on_query_arg: None,
            hash_fallback_query_arg: None,
            hash_on_uri_capture: None,
            hash_fallback_uri_capture: None,
            host_header: None,
            client_certificate: None,
            use_srv_name: false,
            healthchecks: Healthchecks::default(),
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }
}

/// One member of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Target {
    /// Identity.
    pub id: Uuid,
    /// Host and port, `10.0.0.1:8080` or `name:8080`; a missing port is 8000.
    pub target: String,
    /// Share of the traffic, 0 to 65535; 0: none. Default 100.
    pub weight: u16,
    /// The upstream it belongs to.
    pub upstream: Reference,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds with milliseconds.
    pub created_at: f64,
    /// Unix seconds with milliseconds.
    pub updated_at: f64,
}

impl Target {
    /// A member of `upstream` at `address` (`host:port`) with the default weight.
    #[must_use]
    pub fn new(upstream: &Upstream, address: &str) -> Self {
        Self {
            id: derived_id("targets", &format!("{}:{address}", upstream.id)),
            target: address.to_owned(),
            weight: 100,
            upstream: upstream.id.into(),
            tags: None,
            created_at: 0.0,
            updated_at: 0.0,
        }
    }
}
