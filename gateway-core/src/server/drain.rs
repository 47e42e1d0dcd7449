//! Stopping without losing a request.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use tokio::sync::{Notify, watch};

use crate::Closing;

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No stop was asked for.
    Serving,
    /// No new connections. Idle ones close, running requests finish, HTTP/1 answers say
    /// `Connection: close`, HTTP/2 peers get a two-step GOAWAY (RFC 9113 6.8), tunnels go on.
    Draining,
    /// Everything that is still there is cut.
    Stopped,
}

/// The handle of a graceful stop; clones are the same one.
///
/// ```
/// use gateway_core::server::{Drain, Phase};
///
/// let drain = Drain::new();
/// drain.signal();
/// assert_eq!(drain.phase(), Phase::Draining);
/// drain.signal(); // somebody is in a hurry
/// assert_eq!(drain.phase(), Phase::Stopped);
/// ```
#[derive(Clone)]
pub struct Drain(Arc<Inner>);

const SHARDS: usize = 16;

struct Inner {
    phase: AtomicU8,
    watch: watch::Sender<Phase>,
    /// Told with [`Phase::Stopped`].
    cut: watch::Sender<bool>,
    connections: AtomicUsize,
    /// Told when a connection goes during a stop.
    gone: Notify,
    next: AtomicU64,
    /// The tasks of connections, to be woken when the phase changes. In shards, as each connection of
    /// each worker comes here once when it opens and once when it closes.
    wakers: [Mutex<HashMap<u64, Waker, foldhash::fast::FixedState>>; SHARDS],
}

impl Drain {
    /// A handle of something that serves.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            phase: AtomicU8::new(Phase::Serving as u8),
            watch: watch::Sender::new(Phase::Serving),
            cut: watch::Sender::new(false),
            connections: AtomicUsize::new(0),
            gone: Notify::new(),
            next: AtomicU64::new(0),
            wakers: std::array::from_fn(|_| Mutex::default()),
        }))
    }

    /// What a signal to stop does: the first one drains, the next one stops at once.
    pub fn signal(&self) {
        match self.phase() {
            Phase::Serving => self.begin(),
            Phase::Draining | Phase::Stopped => self.stop(),
        }
    }

    /// Begins to drain; nothing if it has begun already.
    pub fn begin(&self) {
        self.advance(Phase::Draining);
    }

    /// Cuts everything now.
    pub fn stop(&self) {
        self.advance(Phase::Stopped);
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Connections still open, tunnels included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Acquire)
    }

    /// Waits until `phase` is reached. Cancel safe.
    pub async fn reached(&self, phase: Phase) {
        // The sender lives in `self`, so the channel cannot close.
        let _ = self.0.watch.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// What tells a connection that it is about to be cut.
    #[must_use]
    pub fn closing(&self) -> Closing {
        self.0.cut.subscribe().into()
    }

    /// Waits until a stop has begun and no connection is left. Cancel safe.
    pub async fn finished(&self) {
        self.reached(Phase::Draining).await;
        self.quiet(|| self.connections() == 0).await;
    }

    /// Waits until `is_quiet`, looking each time when a connection goes.
    pub(super) async fn quiet(&self, is_quiet: impl Fn() -> bool) {
        loop {
            let gone = self.0.gone.notified();
            if is_quiet() {
                return;
            }
            gone.await;
        }
    }

    fn advance(&self, phase: Phase) {
        if self.0.phase.fetch_max(phase as u8, Ordering::AcqRel) >= phase as u8 {
            return;
        }
        self.0.watch.send_modify(|now| *now = phase.max(*now));
        self.0.cut.send_if_modified(|cut| phase == Phase::Stopped && !std::mem::replace(cut, true));
        for shard in &self.0.wakers {
            let wakers: Vec<_> = lock(shard).values().cloned().collect();
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Takes a connection into account until the guard goes.
    pub(super) fn enter(&self) -> Entered {
        self.0.connections.fetch_add(1, Ordering::AcqRel);
        Entered { drain: self.clone() }
    }

    /// A place for the waker of a connection's task.
    pub(super) fn bell(&self) -> Bell {
        Bell { id: self.0.next.fetch_add(1, Ordering::Relaxed), waker: None, drain: self.clone() }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("phase", &self.phase())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// A connection that counts in [`Drain::connections`] while this lives.
#[derive(Debug)]
pub(super) struct Entered {
    drain: Drain,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.drain.0.connections.fetch_sub(1, Ordering::AcqRel);
        if self.drain.phase() != Phase::Serving {
            self.drain.0.gone.notify_waiters();
        }
    }
}

/// Wakes the task of a connection when the phase changes.
pub(super) struct Bell {
    id: u64,
    waker: Option<Waker>,
    drain: Drain,
}

impl Bell {
    /// The phase now; the task of `waker` is woken when it changes. Locks only when the task is another.
    pub(super) fn listen(&mut self, waker: &Waker) -> Phase {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
            if let Some(shard) = self.shard() {
                lock(shard).insert(self.id, waker.clone());
            }
        }
        self.drain.phase()
    }

    #[expect(clippy::cast_possible_truncation, reason = "a remainder of 16")]
    fn shard(&self) -> Option<&Mutex<HashMap<u64, Waker, foldhash::fast::FixedState>>> {
        self.drain.0.wakers.get((self.id % SHARDS as u64) as usize)
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.waker.is_some()
            && let Some(shard) = self.shard()
        {
            lock(shard).remove(&self.id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Drain, Phase};
    use std::time::Duration;

    #[tokio::test]
    async fn it_is_finished_when_the_last_connection_goes() {
        let drain = Drain::new();
        let (first, second) = (drain.enter(), drain.enter());
        let finished = tokio::spawn({
            let drain = drain.clone();
            async move { drain.finished().await }
        });
        drop(first);
        drain.begin();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!((drain.connections(), finished.is_finished()), (1, false));
        drop(second);
        tokio::time::timeout(Duration::from_secs(5), finished).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_change_of_phase_wakes_the_connections() {
        let drain = Drain::new();
        let mut bell = drain.bell();
        let waits = tokio::spawn(std::future::poll_fn(move |cx| match bell.listen(cx.waker()) {
            Phase::Stopped => std::task::Poll::Ready(()),
            _ => std::task::Poll::Pending,
        }));
        tokio::task::yield_now().await;
        drain.signal();
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drain.signal();
        drain.reached(Phase::Stopped).await;
        tokio::time::timeout(Duration::from_secs(5), waits).await.unwrap().unwrap();
    }
}
