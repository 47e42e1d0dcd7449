//! Health checks: when a target counts as well, and when not.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::number;

/// Health checks of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Healthchecks {
    /// Percentage of weight that must be available, 0 to 100. Default 0.
    #[serde(serialize_with = "number::serialize")]
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
    #[serde(serialize_with = "number::serialize")]
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
    #[serde(serialize_with = "number::serialize")]
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
    #[serde(serialize_with = "number::serialize")]
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
