//! Idle connections to one endpoint, kept by the worker that made them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::{Transport, deadline::Deadline, http1::Wire, http2};
use crate::clock;

/// Bounds of the idle connections of one endpoint; the defaults are Kong's upstream keep-alive settings. Over HTTP/2 a
/// connection serves 128 requests at a time, and there are at most 64 to one endpoint and worker.
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

/// An open connection, idle or lent out, which is always in a box: it is handed on many times. It closes when this
/// goes.
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) deadline: Deadline,
    transport: u64,
    sni: Box<str>,
    pub(super) requests: u32,
}

impl Connection {
    pub(crate) fn boxed(wire: Wire, key: Key<'_>) -> Box<Self> {
        let (transport, sni) = (key.transport.id(), key.sni.into());
        Box::new(Self { wire, deadline: Deadline::new(Instant::now()), transport, sni, requests: 0 })
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

/// The idle connections of one endpoint. It goes, and closes them, with its endpoint.
///
/// Each worker has its own shard, so the lock is taken by one thread only and never waited for,
/// and a connection stays on the runtime that drives it.
pub(crate) struct Pool {
    shards: Box<[Mutex<Shard>]>,
    pub(super) limits: PoolLimits,
}

/// The idle connections of one worker.
#[derive(Default)]
pub(super) struct Shard {
    /// With when each came to rest, in milliseconds of the coarse clock; the oldest first.
    pub(super) idle: VecDeque<(u64, Box<Connection>)>,
    /// The task that closes what has been idle for too long or was closed by the other end.
    pub(super) sweeper: Sweeper,
}

/// The task that closes idle connections.
#[derive(Default)]
pub(super) enum Sweeper {
    #[default]
    None,
    /// It has not looked yet.
    Spawned,
    Watching(Waker),
}

impl Pool {
    pub(crate) fn new(shards: usize, limits: PoolLimits) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(), limits }
    }

    /// One for HTTP/2, with as many shards and the same bounds.
    pub(super) fn alike(&self) -> http2::Pool {
        http2::Pool::new(self.shards.len(), self.limits)
    }

    /// The connection that was used last, still open and fit for `key`.
    pub(crate) fn take(&self, shard: usize, key: Key<'_>) -> Option<Box<Connection>> {
        let mut shard = self.lock(shard)?;
        let mut at = shard.idle.len();
        while at > 0 {
            at -= 1;
            let (_, connection) = shard.idle.get_mut(at)?;
            if !connection.fits(key) {
                continue;
            }
            let quiet = connection.wire.is_quiet();
            let (_, connection) = shard.idle.remove(at)?;
            if quiet {
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn lock(&self, shard: usize) -> Option<std::sync::MutexGuard<'_, Shard>> {
        let shard = self.shards.get(shard % self.shards.len())?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes what has been idle for too long, was closed by the other end, or has brought bytes that nobody
    /// asked for; whether any are left. The task of `cx` is woken when the other end does so.
    pub(super) fn sweep(&self, shard: usize, now: u64, cx: &mut Context<'_>) -> bool {
        let Some(mut shard) = self.lock(shard) else { return false };
        let young = |since: u64| now.saturating_sub(since) < clock::millis(self.limits.idle_timeout);
        shard.idle.retain_mut(|(since, connection)| young(*since) && connection.wire.poll_quiet(cx));
        let left = !shard.idle.is_empty();
        shard.sweeper = if left { Sweeper::Watching(cx.waker().clone()) } else { Sweeper::None };
        left
    }

    /// Idle connections of all workers.
    pub(crate) fn idle(&self) -> usize {
        (0..self.shards.len()).filter_map(|shard| self.lock(shard)).map(|shard| shard.idle.len()).sum()
    }
}
