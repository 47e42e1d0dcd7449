//! What a node is told besides its entities.

use crate::{
    health::Recovery,
    reply::Branding,
    router::{Dialect, Flavor},
    sanitize::{Rules, Trust},
    upstream::PoolLimits,
};

/// Settings of a gateway. They are the node's, not the configuration's: two nodes that serve the same
/// `kong.yml` may differ in them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Whose word about the client counts. Default: nobody's.
    pub trust: Trust,
    /// How strict the edge is, and how much it takes. Default: as Kong, with the limits of `docs/settings.md`.
    pub rules: Rules,
    /// The names in headers and metrics. Default: Kong's.
    pub branding: Branding,
    /// Answers `Kong-Debug: 1` with the route and service that were found. Default off.
    pub debug_header: bool,
    /// Shows the reason word of a failure as `X-Gateway-Reason`. Default off.
    pub reason_header: bool,
    /// Whether the certificates of services are verified where a service does not say. Default on.
    pub tls_verify: bool,
    /// A request body up to so many bytes is read before it is forwarded, unless its route says
    /// `request_buffering: false`. Default 65536.
    pub request_buffer: usize,
    /// How routes are ranked. Default: `traditional_compatible`, Kong's.
    pub router_flavor: Flavor,
    /// Whether a path of a route with a brace is a template, `/users/{id}`. Default off: it is a prefix, as in Kong.
    pub path_templates: bool,
    /// How endpoints that traffic made unhealthy come back (D20); none: not by themselves, as in Kong. With
    /// `rules.compat` at `kong-3.9-strict` there is none.
    pub recovery: Option<Recovery>,
    /// The zone of this node: targets with its tag, `zone:b`, come first in their group. Default: none, zones do not
    /// count.
    pub zone: Option<String>,
    /// Bounds of the connection pools.
    pub pool: PoolLimits,
    /// Workers that have a share of pools and counters of their own. Default: one a core.
    pub shards: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trust: Trust::default(),
            rules: Rules::default(),
            branding: Branding::default(),
            debug_header: false,
            reason_header: false,
            tls_verify: true,
            request_buffer: 64 * 1024,
            router_flavor: Flavor::default(),
            path_templates: false,
            recovery: Some(Recovery::default()),
            zone: None,
            pool: PoolLimits::default(),
            shards: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Settings {
    /// How routes are read.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let mut dialect = Dialect::from(self.router_flavor);
        dialect.path_templates = self.path_templates;
        dialect
    }
}
