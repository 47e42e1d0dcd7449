//! Idle connections to one endpoint, kept by the worker that made them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use tokio::task::{AbortHandle, JoinHandle};

use super::{Endpoint, Transport, interim::Awaiting};
use crate::{Body, clock};

/// Bounds of the idle connections of one endpoint; the defaults are Kong's upstream keep-alive settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolLimits {
    /// Most idle connections to one endpoint and worker; one more closes the oldest. Default 512.
    pub idle: usize,
    /// How long a connection may be idle. Default 60 s.
    pub idle_timeout: Duration,
    /// Most requests on one connection. Default 10000.
    pub requests: u32,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { idle: 512, idle_timeout: Duration::from_secs(60), requests: 10_000 }
    }
}

/// What must be equal for a connection to serve another request: the transport, and the server
/// name shown in the handshake (empty in clear).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) sni: &'a str,
}

/// An open connection, idle or lent out. It closes when this goes.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Body>,
    pub(crate) awaiting: Awaiting,
    _driver: Driver,
    transport: u64,
    sni: Box<str>,
    requests: u32,
}

impl Connection {
    pub(crate) fn new(sender: SendRequest<Body>, driver: Driver, awaiting: Awaiting, key: Key<'_>) -> Self {
        let (transport, sni) = (key.transport.id(), key.sni.into());
        Self { sender, awaiting, _driver: driver, transport, sni, requests: 0 }
    }

    /// Whether it has served a request before: then a failure may mean no more than that the
    /// endpoint closed an idle connection.
    pub(crate) const fn reused(&self) -> bool {
        self.requests > 0
    }

    fn fits(&self, key: Key<'_>) -> bool {
        self.transport == key.transport.id() && *self.sni == *key.sni
    }
}

/// The task that drives a connection, ended at once when the connection is dropped: an exchange that is
/// given up leaves no upload or download behind.
pub(crate) struct Driver(AbortHandle);

impl Driver {
    pub(crate) fn new<T>(task: &JoinHandle<T>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The idle connections of one endpoint. It goes, and closes them, with its endpoint.
///
/// Each worker has its own shard, so the lock is taken by one thread only and never waited for,
/// and a connection stays on the runtime that drives it.
pub(crate) struct Pool {
    shards: Box<[Mutex<Shard>]>,
    limits: PoolLimits,
}

#[derive(Default)]
struct Shard {
    /// With when each came to rest, in milliseconds of the coarse clock; the oldest first.
    idle: VecDeque<(u64, Connection)>,
    swept: bool,
}

impl Pool {
    pub(crate) fn new(shards: usize, limits: PoolLimits) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(), limits }
    }

    /// The connection that was used last, still open and fit for `key`.
    pub(crate) fn take(&self, shard: usize, key: Key<'_>) -> Option<Connection> {
        let mut shard = self.lock(shard)?;
        let mut at = shard.idle.len();
        while at > 0 {
            at -= 1;
            let (_, connection) = shard.idle.get(at)?;
            if connection.sender.is_closed() {
                shard.idle.remove(at);
            } else if connection.sender.is_ready() && connection.fits(key) {
                return shard.idle.remove(at).map(|(_, connection)| connection);
            }
        }
        None
    }

    fn lock(&self, shard: usize) -> Option<std::sync::MutexGuard<'_, Shard>> {
        let shard = self.shards.get(shard % self.shards.len())?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes what has been idle for too long; whether any are left.
    fn sweep(&self, shard: usize, now: u64) -> bool {
        let Some(mut shard) = self.lock(shard) else { return false };
        let old = |since: u64| now.saturating_sub(since) >= clock::millis(self.limits.idle_timeout);
        while shard
            .idle
            .front()
            .is_some_and(|(since, connection)| old(*since) || connection.sender.is_closed())
        {
            shard.idle.pop_front();
        }
        shard.swept = !shard.idle.is_empty();
        shard.swept
    }

    /// Idle connections of all workers.
    pub(crate) fn idle(&self) -> usize {
        (0..self.shards.len()).filter_map(|shard| self.lock(shard)).map(|shard| shard.idle.len()).sum()
    }
}

impl Endpoint {
    /// Gives a connection back after a complete exchange.
    pub(crate) fn give_back(self: &Arc<Self>, shard: usize, mut connection: Connection) {
        connection.requests += 1;
        let pool = self.pool();
        if connection.sender.is_closed() || connection.requests >= pool.limits.requests {
            return;
        }
        let Some(mut idle) = pool.lock(shard) else { return };
        if pool.limits.idle == 0 {
            return;
        }
        // The oldest makes room: a client that shows many names must not keep out what others use.
        while idle.idle.len() >= pool.limits.idle {
            idle.idle.pop_front();
        }
        idle.idle.push_back((clock::now(), connection));
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), shard, pool.limits.idle_timeout));
        }
    }
}

/// Closes idle connections of a shard until none are left or the endpoint is gone.
async fn sweep(endpoint: Weak<Endpoint>, shard: usize, every: Duration) {
    loop {
        tokio::time::sleep(every / 2).await;
        let Some(endpoint) = endpoint.upgrade() else { return };
        if !endpoint.pool().sweep(shard, clock::now()) {
            return;
        }
    }
}
