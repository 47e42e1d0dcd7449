//! An upstream: a named group of targets, balanced and health-checked.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Healthchecks, Reference, derived_id};

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
