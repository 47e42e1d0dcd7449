//! A service: where the requests of its routes go.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Protocol, Reference, derived_id};

/// An upstream application: protocol, host (a name, an address or an [`Upstream`](super::Upstream)'s
/// name), port, path and limits. Field names and defaults are Kong's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Service {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// Unique name.
    pub name: Option<String>,
    /// How to speak to it. Default `http`.
    pub protocol: Protocol,
    /// Host name, IP address, or the name of an upstream.
    pub host: String,
    /// Port. Default 80; not used where `host` names an upstream.
    pub port: u16,
    /// Prefix put before the (stripped) request path.
    pub path: Option<String>,
    /// Further tries after a first one that failed in transport, 0 to 32767. Default 5.
    pub retries: u16,
    /// Milliseconds to make a connection. Default 60000.
    pub connect_timeout: u32,
    /// Milliseconds between two writes to it. Default 60000.
    pub write_timeout: u32,
    /// Milliseconds between two reads from it. Default 60000.
    pub read_timeout: u32,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Certificate shown to it.
    pub client_certificate: Option<Reference>,
    /// Whether its certificate is verified; unset: the node's setting.
    pub tls_verify: Option<bool>,
    /// Longest chain accepted, 0 to 64.
    pub tls_verify_depth: Option<u16>,
    /// Trust anchors in place of the node's.
    pub ca_certificates: Option<Vec<Uuid>>,
    /// Off: its routes do not match. Default true.
    pub enabled: bool,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

impl Service {
    /// A service with Kong's defaults that speaks HTTP to `host`, port 80.
    ///
    /// ```
    /// use gateway_core::config::Service;
    ///
    /// let mut users = Service::new("users", "users.internal");
    /// users.port = 8080;
    /// users.path = Some("/v2".into());
    /// assert_eq!(users.retries, 5);
    /// ```
    #[must_use]
    pub fn new(name: &str, host: &str) -> Self {
        Self {
            id: derived_id("services", name),
            name: Some(name.to_owned()),
            protocol: Protocol::Http,
            host: host.to_owned(),
            port: 80,
            path: None,
            retries: 5,
            connect_timeout: 60_000,
            write_timeout: 60_000,
            read_timeout: 60_000,
            tags: None,
            client_certificate: None,
            tls_verify: None,
            tls_verify_depth: None,
            ca_certificates: None,
            enabled: true,
            created_at: 0,
            updated_at: 0,
        }
    }
}
