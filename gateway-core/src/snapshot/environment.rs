//! What compiling takes besides a configuration.

use std::sync::Arc;

use crate::{
    forwarder::Outbound,
    observe::Metrics,
    plugin::Registry,
    router::Dialect,
    upstream::{PoolLimits, Resolve},
};

/// The owners of what outlives a snapshot, and the node's settings that compiling asks for.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) registry: Arc<Registry>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) shards: usize,
    pub(crate) dialect: Dialect,
    pub(crate) pool: PoolLimits,
    pub(crate) tls_verify: bool,
}
