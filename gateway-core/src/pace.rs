//! How long to wait for a peer, and the request bodies that do.
//!
//! Only waiting counts: a body that the service does not ask for, or that is there at once, has no
//! deadline, so a slow upstream is never taken for a slow client. Once the answer has begun the two
//! directions may talk as slowly as they like (a gRPC stream), and other timeouts watch.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{
    clock,
    error::{BoxError, Error, Reason},
};

/// The patience with a peer; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long nothing may come.
    pub(crate) idle: u64,
    /// Waiting that is free before the rate counts.
    pub(crate) grace: u64,
    /// Bytes a second, over the time spent waiting; 0 is off.
    pub(crate) rate: u64,
}

/// Waiting for a peer, measured: this wait, and what the waits before brought.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    since: AtomicU64,
    waited: AtomicU64,
    bytes: AtomicU64,
}

/// A [`Meter`] at one moment. Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// When the present wait began; 0 while there is none.
    pub(crate) since: u64,
    /// The waits before, together.
    pub(crate) waited: u64,
    /// The bytes that ended them.
    pub(crate) bytes: u64,
}

impl Meter {
    /// A wait begins, unless one has.
    pub(crate) fn begin(&self, now: u64) {
        if self.since.load(Relaxed) == 0 {
            self.since.store(now, Relaxed);
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    /// The wait ends, by that many bytes.
    pub(crate) fn end(&self, now: u64, bytes: u64, pace: Pace) {
        let reading = self.read().after(now, bytes, pace);
        self.since.store(0, Relaxed);
        self.waited.store(reading.waited, Relaxed);
        self.bytes.store(reading.bytes, Relaxed);
    }

    /// Bytes went without a wait: they pay for the waits of their exchange too.
    pub(crate) fn earn(&self, bytes: u64, pace: Pace) {
        let earned = self.bytes.load(Relaxed).saturating_add(bytes);
        self.bytes.store(earned.min(pace.most(self.waited.load(Relaxed))), Relaxed);
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        [&self.since, &self.waited, &self.bytes].into_iter().for_each(|value| value.store(0, Relaxed));
    }

    pub(crate) fn read(&self) -> Reading {
        let [since, waited, bytes] =
            [&self.since, &self.waited, &self.bytes].map(|value| value.load(Relaxed));
        Reading { since, waited, bytes }
    }
}

impl Pace {
    /// The bytes that count after so much waiting. A peer that was fast earns no more than one idle time
    /// ahead: past speed is no excuse for hours of drops.
    const fn most(self, waited: u64) -> u64 {
        waited.saturating_add(self.idle).saturating_mul(self.rate) / 1000
    }
}

impl Reading {
    /// When patience ends, if nothing more comes until then; never while there is no wait.
    pub(crate) fn deadline(self, pace: Pace) -> Option<u64> {
        if self.since == 0 {
            return None;
        }
        let idle = self.since.saturating_add(pace.idle);
        let earned = self.bytes.saturating_mul(1000).checked_div(pace.rate);
        let slow = earned.map(|earned| {
            self.since.saturating_add(earned.max(pace.grace).saturating_sub(self.waited)).saturating_add(1)
        });
        Some(slow.map_or(idle, |slow| slow.min(idle)))
    }

    /// What it is after the present wait ended.
    pub(crate) fn after(self, now: u64, bytes: u64, pace: Pace) -> Self {
        let waited = self.waited.saturating_add(now.saturating_sub(self.since));
        Self { since: 0, waited, bytes: self.bytes.saturating_add(bytes).min(pace.most(waited)) }
    }
}

/// One body as its connection sees it.
#[derive(Debug, Default)]
struct Wait {
    id: u32,
    meter: Meter,
    answered: bool,
    late: bool,
    waker: Option<Waker>,
}

impl Wait {
    fn deadline(&self, pace: Pace) -> Option<u64> {
        if self.answered || self.late { None } else { self.meter.read().deadline(pace) }
    }
}

/// The bodies of one connection. The lock is never contended but by its own requests, and only
/// requests with a body take it.
#[derive(Debug)]
pub(crate) struct Waits {
    pace: Pace,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u32,
    waits: Vec<Wait>,
    /// Whether the body that ended last ended before its end.
    cut_short: bool,
}

/// The name of one body in [`Waits`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u32);

impl Waits {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, ticket: Ticket, f: impl FnOnce(&mut Wait) -> T) -> Option<T> {
        self.entries().waits.iter_mut().find(|wait| wait.id == ticket.0).map(f)
    }

    fn open(&self) -> Ticket {
        let mut entries = self.entries();
        entries.next = entries.next.wrapping_add(1);
        let id = entries.next;
        entries.waits.push(Wait { id, ..Wait::default() });
        Ticket(id)
    }

    fn close(&self, ticket: Ticket, whole: bool) {
        let mut entries = self.entries();
        entries.waits.retain(|wait| wait.id != ticket.0);
        entries.cut_short = !whole;
    }

    /// Whether some of a body may still come: it has not ended, or nobody wanted the rest of it.
    pub(crate) fn more_may_come(&self) -> bool {
        let entries = self.entries();
        entries.cut_short || !entries.waits.is_empty()
    }

    /// The answer to this body's request has begun: no deadline from here on.
    pub(crate) fn answered(&self, ticket: Ticket) {
        self.with(ticket, |wait| wait.answered = true);
    }

    /// Ends the waits that took too long at `now`; gives how many, and when the next one may.
    pub(crate) fn expire(&self, now: u64) -> (usize, Option<u64>) {
        let (mut late, mut next) = (0, None::<u64>);
        for wait in &mut self.entries().waits {
            let Some(deadline) = wait.deadline(self.pace) else { continue };
            if deadline > now {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
                continue;
            }
            wait.late = true;
            late += 1;
            if let Some(waker) = wait.waker.take() {
                waker.wake();
            }
        }
        (late, next)
    }
}

/// A request body under the eyes of its connection.
pub(crate) struct Paced {
    incoming: Incoming,
    waits: Arc<Waits>,
    ticket: Ticket,
    waiting: bool,
}

impl Paced {
    pub(crate) fn new(incoming: Incoming, waits: Arc<Waits>) -> Self {
        let ticket = waits.open();
        Self { incoming, waits, ticket, waiting: false }
    }

    pub(crate) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(frame) => {
                if std::mem::take(&mut self.waiting) {
                    self.end_wait(&frame);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.waiting = true;
        let late = self.waits.with(self.ticket, |wait| {
            wait.meter.begin(clock::now());
            match &mut wait.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            wait.late
        });
        if late == Some(true) {
            return Poll::Ready(Some(Err(Error::from(Reason::ClientTimeout).into())));
        }
        Poll::Pending
    }

    fn end_wait<E>(&self, frame: &Option<Result<Frame<Bytes>, E>>) {
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        let bytes = data.map_or(0, Bytes::len) as u64;
        self.waits.with(self.ticket, |wait| wait.meter.end(clock::now(), bytes, self.waits.pace));
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.waits.close(self.ticket, self.incoming.is_end_stream());
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
