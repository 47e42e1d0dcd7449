//! One address that requests go to, with its live state.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::HeaderValue;

use super::{
    Transport,
    hosts::Hosts,
    http2,
    pool::{Pool, PoolLimits},
    vital::Vital,
};
use crate::{balance::Load, health::State};

/// One address of a target. It lives as long as its target resolves to it, across every change
/// of configuration, and takes its connections with it when it goes.
pub struct Endpoint {
    address: SocketAddr,
    name: Arc<str>,
    hosts: Hosts,
    pool: Pool,
    /// For those who speak HTTP/2 to it.
    http2: OnceLock<Box<http2::Pool>>,
    load: Load,
    vital: Arc<Vital>,
}

impl Endpoint {
    /// An endpoint of the target `name` (host without port), called `hosts` in `Host`.
    pub(crate) fn new(
        address: SocketAddr,
        name: Arc<str>,
        hosts: Hosts,
        shards: usize,
        limits: PoolLimits,
        (load, vital): (Load, Arc<Vital>),
    ) -> Self {
        Self { address, name, hosts, pool: Pool::new(shards, limits), http2: OnceLock::new(), load, vital }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host name or address that its target gives.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it is called in `Host`, over TLS or in clear.
    pub(crate) const fn host(&self, transport: &Transport) -> &HeaderValue {
        if transport.config().is_some() { &self.hosts.tls } else { &self.hosts.clear }
    }

    pub(crate) const fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Requests under way to it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.load.in_flight()
    }

    /// Open connections without a request.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.pool.idle() + self.http2.get().map_or(0, |pool| pool.idle())
    }

    /// How it is, as the checks of its upstream see it; healthy where nobody checks.
    #[must_use]
    pub fn health(&self) -> State {
        self.vital.state()
    }

    /// How many probes of it have ended, and how long ago the last one did; none where none has.
    #[must_use]
    pub fn probed(&self) -> Option<(u64, Duration)> {
        self.vital.probed().map(|(count, ago)| (count, Duration::from_millis(ago)))
    }

    pub(crate) const fn vital(&self) -> &Arc<Vital> {
        &self.vital
    }

    pub(crate) const fn load(&self) -> &Load {
        &self.load
    }

    pub(crate) const fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn http2(&self) -> &http2::Pool {
        self.http2.get_or_init(|| Box::new(self.pool.alike()))
    }

    /// Counts a request for as long as the guard lives.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.load.enter();
        InFlight(Arc::clone(self))
    }
}

impl AsRef<Load> for Endpoint {
    fn as_ref(&self) -> &Load {
        &self.load
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.address)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A request under way to an endpoint.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Endpoint>);

impl InFlight {
    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.load.leave();
    }
}
