//! Connections that come to rest, and go when they have rested for too long.

use std::{
    future::{Future, poll_fn},
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Endpoint,
    pool::{Connection, Sweeper},
};
use crate::clock;

impl Endpoint {
    /// Gives a connection back after a complete exchange.
    pub(crate) fn give_back(self: &Arc<Self>, shard: usize, mut connection: Box<Connection>) {
        connection.requests += 1;
        let pool = self.pool();
        if connection.requests >= pool.limits.requests || pool.limits.idle == 0 {
            return;
        }
        connection.wire.come_to_rest();
        let Some(mut idle) = pool.lock(shard) else { return };
        if let Sweeper::Watching(waker) = &idle.sweeper
            && !connection.wire.poll_quiet(&mut Context::from_waker(waker))
        {
            return;
        }
        // The oldest makes room: a client that shows many names must not keep out what others use.
        while idle.idle.len() >= pool.limits.idle {
            idle.idle.pop_front();
        }
        idle.idle.push_back((clock::now(), connection));
        if matches!(idle.sweeper, Sweeper::None) {
            idle.sweeper = Sweeper::Spawned;
            tokio::spawn(sweep(Arc::downgrade(self), shard, pool.limits.idle_timeout));
        }
    }
}

/// Closes idle connections of a shard until none are left or the endpoint is gone.
async fn sweep(endpoint: Weak<Endpoint>, shard: usize, every: Duration) {
    loop {
        let mut tick = std::pin::pin!(tokio::time::sleep(every / 2));
        let left = poll_fn(|cx| {
            let left = endpoint.upgrade().is_some_and(|it| it.pool().sweep(shard, clock::now(), cx));
            if left && tick.as_mut().poll(cx).is_pending() { Poll::Pending } else { Poll::Ready(left) }
        });
        if !left.await {
            return;
        }
    }
}
