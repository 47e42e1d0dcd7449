//! What compiling takes besides a configuration.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;

use crate::{
    forwarder::Outbound,
    health::Recovery,
    observe::Metrics,
    router::Dialect,
    upstream::{PoolLimits, Resolve},
};

/// The owners of what outlives a snapshot, and the node's settings that compiling asks for.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) shards: usize,
    pub(crate) dialect: Dialect,
    pub(crate) pool: PoolLimits,
    pub(crate) tls_verify: bool,
    /// How endpoints that traffic made unhealthy come back; none: not by themselves.
    pub(crate) recovery: Option<Recovery>,
    /// The zone of this node.
    pub(crate) zone: Option<Arc<str>>,
    /// Whether tags of upstreams and targets say anything.
    pub(crate) tags: bool,
    /// Where tasks run before a request has begun them; known once a worker serves.
    pub(crate) runtime: OnceLock<Handle>,
}
