//! Request bodies that wait for their sender, and for how long.
//!
//! Only waiting counts: a body that the service does not ask for, or that is there at once, has no
//! deadline, so a slow upstream is never taken for a slow client. Once the answer has begun the two
//! directions may talk as slowly as they like (a gRPC stream), and other timeouts watch.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{
    clock,
    error::{BoxError, Error, Reason},
};

/// The patience with the sender of a body; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long nothing may come.
    pub(crate) idle: u64,
    /// Waiting that is free before the rate counts.
    pub(crate) grace: u64,
    /// Bytes a second, over the time spent waiting; 0 is off.
    pub(crate) rate: u64,
}

impl Pace {
    /// When patience ends if nothing more comes: waiting since `since`, after waits of `waited` in which
    /// `bytes` came.
    pub(crate) fn deadline(self, since: u64, waited: u64, bytes: u64) -> u64 {
        let idle = since.saturating_add(self.idle);
        let earned = bytes.saturating_mul(1000).checked_div(self.rate);
        let slow = earned.map(|earned| {
            since.saturating_add(earned.max(self.grace).saturating_sub(waited)).saturating_add(1)
        });
        slow.map_or(idle, |slow| slow.min(idle))
    }
}

/// One body as its connection sees it.
#[derive(Debug, Default)]
struct Wait {
    id: u32,
    /// When it began to wait; 0 while it does not.
    since: u64,
    /// The waits before this one, together.
    waited: u64,
    bytes: u64,
    answered: bool,
    late: bool,
    waker: Option<Waker>,
}

impl Wait {
    /// When patience ends, if nothing comes until then.
    fn deadline(&self, pace: Pace) -> Option<u64> {
        let waits = self.since != 0 && !self.answered;
        waits.then(|| pace.deadline(self.since, self.waited, self.bytes))
    }

    fn stop(&mut self, now: u64) {
        if self.since != 0 {
            self.waited += now.saturating_sub(self.since);
            self.since = 0;
        }
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

    fn close(&self, ticket: Ticket) {
        self.entries().waits.retain(|wait| wait.id != ticket.0);
    }

    /// The answer to this body's request has begun: no deadline from here on.
    pub(crate) fn answered(&self, ticket: Ticket) {
        self.with(ticket, |wait| wait.answered = true);
    }

    /// Ends the waits that took too long at `now`; gives how many, and when the next one may.
    pub(crate) fn expire(&self, now: u64) -> (usize, Option<u64>) {
        let (mut late, mut next) = (0, None::<u64>);
        for wait in &mut self.entries().waits {
            let Some(deadline) = wait.deadline(self.pace).filter(|_| !wait.late) else { continue };
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
    bytes: u64,
    waiting: bool,
}

impl Paced {
    pub(crate) fn new(incoming: Incoming, waits: Arc<Waits>) -> Self {
        let ticket = waits.open();
        Self { incoming, waits, ticket, bytes: 0, waiting: false }
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
                self.count(&frame);
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let bytes = self.bytes;
        let late = self.waits.with(self.ticket, |wait| {
            wait.bytes = bytes;
            if wait.since == 0 {
                wait.since = clock::now();
            }
            match &mut wait.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            wait.late
        });
        self.waiting = true;
        if late == Some(true) {
            return Poll::Ready(Some(Err(Error::from(Reason::ClientTimeout).into())));
        }
        Poll::Pending
    }

    fn count<E>(&mut self, frame: &Option<Result<Frame<Bytes>, E>>) {
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.bytes += data.len() as u64;
        }
        if std::mem::take(&mut self.waiting) {
            self.waits.with(self.ticket, |wait| wait.stop(clock::now()));
        }
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
        self.waits.close(self.ticket);
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Wait, Waits};

    const PACE: Pace = Pace { idle: 30_000, grace: 5_000, rate: 240 };

    #[test]
    fn nothing_for_the_idle_time_is_too_long() {
        let wait = Wait { since: 1_000, bytes: 1 << 30, ..Wait::default() };
        assert_eq!(wait.deadline(PACE), Some(31_000));
    }

    #[test]
    fn a_drip_ends_when_its_bytes_do_not_pay_for_the_waiting() {
        let fresh = Wait { since: 1_000, ..Wait::default() };
        assert_eq!(fresh.deadline(PACE), Some(6_001));
        let dripping = Wait { since: 1_000, waited: 4_000, bytes: 4, ..Wait::default() };
        assert_eq!(dripping.deadline(PACE), Some(2_001));
        let paying = Wait { since: 1_000, waited: 8_000, bytes: 2_400, ..Wait::default() };
        assert_eq!(paying.deadline(PACE), Some(3_001));
    }

    #[test]
    fn no_deadline_without_waiting_or_after_the_answer_began() {
        assert_eq!(Wait::default().deadline(PACE), None);
        assert_eq!(Wait { since: 1, answered: true, ..Wait::default() }.deadline(PACE), None);
        let off = Pace { rate: 0, ..PACE };
        assert_eq!(Wait { since: 1_000, ..Wait::default() }.deadline(off), Some(31_000));
    }

    #[test]
    fn a_late_body_is_told_once_and_the_next_deadline_is_known() {
        let waits = Waits::new(PACE);
        let (first, second) = (waits.open(), waits.open());
        waits.with(first, |wait| wait.since = 1_000);
        waits.with(second, |wait| wait.since = 2_000);
        assert_eq!(waits.expire(6_001), (1, Some(7_001)));
        assert_eq!(waits.expire(6_001), (0, Some(7_001)));
        waits.answered(second);
        assert_eq!(waits.expire(99_000), (0, None));
        waits.close(first);
        waits.close(second);
        assert!(waits.entries().waits.is_empty());
    }
}
