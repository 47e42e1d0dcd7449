//! A target: one member of an upstream.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Reference, Upstream, derived_id, number};

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
    /// For how many seconds it stays after its last sign of life, 1 to 86,400, where there is a store; none: until
    /// somebody takes it out. Not Kong's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Unix seconds with milliseconds.
    #[serde(serialize_with = "number::serialize")]
    pub created_at: f64,
    /// Unix seconds with milliseconds.
    #[serde(serialize_with = "number::serialize")]
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
            ttl: None,
            created_at: 0.0,
            updated_at: 0.0,
        }
    }
}
