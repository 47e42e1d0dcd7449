//! The connections to one endpoint, kept by the worker that made them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::{
    super::{
        Endpoint,
        connect::open_stream,
        pool::{Key, PoolLimits},
    },
    MOST_CONNECTIONS,
    connection::{Connection, Seat},
};
use crate::error::{Error, Reason};

/// The connections to one endpoint. It goes with its endpoint, and with it those that no stream is on.
///
/// Each worker has its own shard, as in the pool of HTTP/1.1.
pub(crate) struct Pool {
    shards: Box<[Shard]>,
    limits: PoolLimits,
}

#[derive(Default)]
struct Shard {
    open: Mutex<Vec<Arc<Connection>>>,
    /// Held by the request that opens the next one: those that come meanwhile may find a seat on it.
    opening: tokio::sync::Mutex<()>,
    /// Told when a stream ends.
    room: Arc<Notify>,
}

/// Whether a request may use a connection that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Any,
    /// A new one, while there may be one more.
    New,
}

impl Pool {
    pub(crate) fn new(shards: usize, limits: PoolLimits) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Shard::default()).collect(), limits }
    }

    /// Open connections of all workers that no stream is on.
    pub(crate) fn idle(&self) -> usize {
        let idle = |shard: &Shard| {
            let open = shard.connections();
            open.iter().filter(|connection| connection.is_idle() && !connection.is_retired()).count()
        };
        self.shards.iter().map(idle).sum()
    }

    /// A seat on a connection that fits `key`, opened if need be.
    ///
    /// # Errors
    /// With the reason why there is none: what kept a new connection from opening within `limit`, or
    /// [`Reason::Overloaded`] where no more may be opened and no stream has ended in that time.
    pub(super) async fn seat(
        &self,
        endpoint: &Endpoint,
        shard: usize,
        key: Key<'_>,
        limit: Duration,
        open: Open,
    ) -> Result<Seat, Error> {
        let shard = self.shards.get(shard % self.shards.len()).ok_or(Reason::Internal)?;
        if open == Open::Any
            && let Some(seat) = shard.find(key)
        {
            return Ok(seat);
        }
        let taking = async {
            loop {
                let room = shard.room.notified();
                if let Some(seat) = self.open(shard, endpoint, key, open).await? {
                    return Ok(seat);
                }
                room.await;
            }
        };
        match timeout(limit, taking).await {
            Ok(taken) => taken,
            Err(_) if shard.is_full() => Err(Reason::Overloaded.into()),
            Err(_) => Err(Reason::ConnectTimeout.into()),
        }
    }

    /// A seat on a new connection, or on one that somebody else has opened meanwhile; none where there are too many, or
    /// one that is new will soon say how many it takes.
    async fn open(
        &self,
        shard: &Shard,
        endpoint: &Endpoint,
        key: Key<'_>,
        open: Open,
    ) -> Result<Option<Seat>, Error> {
        let _turn = shard.opening.lock().await;
        let is_room = open == Open::New && shard.make_room(key);
        if !is_room && let Some(seat) = shard.find(key) {
            return Ok(Some(seat));
        }
        if !is_room && (shard.is_settling(key) || !shard.make_room(key)) {
            return Ok(None);
        }
        let stream = open_stream(endpoint, key).await?;
        let limits = (self.limits.requests, self.limits.idle_timeout);
        let opened = Connection::open(stream, key, Arc::clone(&shard.room), limits).await;
        let connection = Arc::new(opened.map_err(|error| Error::new(Reason::Reset, error))?);
        // One that has been closed already is no reason to open another.
        let seat = connection.seat().ok_or(Reason::Reset)?;
        shard.connections().push(connection);
        Ok(Some(seat))
    }
}

impl Shard {
    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat on the first connection that has one: the last ones become idle, and close.
    fn find(&self, key: Key<'_>) -> Option<Seat> {
        let mut open = self.connections();
        open.retain(|connection| !connection.is_retired());
        open.iter().filter(|connection| connection.fits(key)).find_map(Connection::seat)
    }

    fn is_full(&self) -> bool {
        self.connections().len() >= MOST_CONNECTIONS
    }

    fn is_settling(&self, key: Key<'_>) -> bool {
        let new = |connection: &Arc<Connection>| connection.fits(key) && !connection.is_settled();
        self.connections().iter().any(|connection| new(connection) && !connection.is_retired())
    }

    /// Whether one more may be opened. One that nobody uses makes room: a client that shows many names must not keep
    /// out what others use.
    fn make_room(&self, key: Key<'_>) -> bool {
        let mut open = self.connections();
        open.retain(|connection| !connection.is_retired());
        if open.len() < MOST_CONNECTIONS {
            return true;
        }
        let spare = open.iter().position(|connection| connection.is_idle() && !connection.fits(key));
        spare.map(|at| open.remove(at)).is_some()
    }
}
