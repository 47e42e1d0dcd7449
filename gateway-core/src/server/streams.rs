//! The HTTP/2 answers of one connection that wait for their stream's window.
//!
//! A peer can stop one answer and let the others run, and each stopped one holds an upstream's
//! connection. hyper waits for the window without asking the body again, so nothing inside the answer
//! can end it; the watchdog ends its task, which makes h2 reset the stream.
//!
//! The lock is taken by the tasks of one connection only, which share a worker.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::pace::{Pace, Reading};

#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Slot>,
    /// The one that was opened last and has no task yet.
    opened: Option<usize>,
}

/// One answer, from its request to the last byte that is written.
#[derive(Debug, Default)]
struct Slot {
    is_open: bool,
    unsent: u32,
    wait: Reading,
    task: Option<AbortHandle>,
}

impl Slot {
    const fn is_free(&self) -> bool {
        !self.is_open && self.unsent == 0
    }
}

/// The place of an answer in [`Streams`].
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamSlot(usize);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, slot: StreamSlot, f: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.lock().slots.get_mut(slot.0).map(f)
    }

    /// A place for an answer whose task comes next.
    pub(super) fn open(&self) -> StreamSlot {
        let mut slots = self.lock();
        let free = slots.slots.iter().position(Slot::is_free).unwrap_or(slots.slots.len());
        if free == slots.slots.len() {
            slots.slots.push(Slot::default());
        }
        slots.opened = Some(free);
        if let Some(slot) = slots.slots.get_mut(free) {
            *slot = Slot { is_open: true, ..Slot::default() };
        }
        StreamSlot(free)
    }

    /// The task of the place that was opened last.
    pub(super) fn attach(&self, task: AbortHandle) {
        let mut slots = self.lock();
        if let Some(slot) = slots.opened.take().and_then(|opened| slots.slots.get_mut(opened)) {
            slot.task = Some(task);
        }
    }

    /// The answer's body has gone; chunks of it may remain.
    pub(super) fn close(&self, slot: StreamSlot) {
        let task = self.with(slot, |slot| {
            slot.is_open = false;
            slot.task.take()
        });
        // Freed outside of the lock.
        drop(task);
    }

    pub(super) fn chunk_out(&self, slot: StreamSlot, now: u64) {
        self.with(slot, |slot| {
            slot.unsent += 1;
            if slot.wait.since == 0 {
                slot.wait.since = now;
            }
        });
    }

    pub(super) fn chunk_moved(&self, slot: StreamSlot, now: u64, bytes: u64, pace: Pace) {
        self.with(slot, |slot| slot.wait = Reading { since: now, ..slot.wait.after(now, bytes, pace) });
    }

    pub(super) fn chunk_gone(&self, slot: StreamSlot) {
        self.with(slot, |slot| {
            slot.unsent = slot.unsent.saturating_sub(1);
            if slot.unsent == 0 {
                slot.wait.since = 0;
            }
        });
    }

    /// Ends the answers that waited too long at `now`; gives how many, and when the next one may.
    pub(super) fn expire(&self, now: u64, pace: Pace) -> (usize, Option<u64>) {
        let (mut late, mut next) = (Vec::new(), None::<u64>);
        for slot in self.lock().slots.iter_mut().filter(|slot| slot.task.is_some()) {
            match slot.wait.deadline(pace) {
                Some(deadline) if deadline <= now => late.extend(slot.task.take()),
                Some(deadline) => next = Some(next.map_or(deadline, |next| next.min(deadline))),
                None => {}
            }
        }
        // Without the lock: a task that ends closes its slot.
        late.iter().for_each(AbortHandle::abort);
        (late.len(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::Streams;
    use crate::pace::Pace;

    const PACE: Pace = Pace { idle: 30_000, grace: 5_000, rate: 240 };

    #[tokio::test]
    async fn only_the_answer_that_waits_too_long_is_ended() {
        let streams = Streams::default();
        let forever = || tokio::spawn(std::future::pending::<()>());
        let (stopped, running) = (forever(), forever());
        let first = streams.open();
        streams.attach(stopped.abort_handle());
        let second = streams.open();
        streams.attach(running.abort_handle());
        streams.chunk_out(first, 1_000);
        streams.chunk_out(second, 1_000);
        streams.chunk_moved(second, 5_000, 16_384, PACE);
        assert_eq!(streams.expire(6_000, PACE), (0, Some(6_001)));
        assert_eq!(streams.expire(6_001, PACE), (1, Some(35_000)));
        assert!(stopped.await.unwrap_err().is_cancelled());
        streams.chunk_gone(second);
        assert_eq!(streams.expire(99_000, PACE), (0, None));
        assert!(!running.is_finished());
    }

    #[tokio::test]
    async fn a_place_is_used_again_when_the_last_chunk_has_gone() {
        let streams = Streams::default();
        let first = streams.open();
        streams.chunk_out(first, 1_000);
        streams.close(first);
        assert_eq!(streams.expire(99_000, PACE), (0, None));
        assert_ne!(streams.open().0, first.0);
        streams.chunk_gone(first);
        assert_eq!(streams.open().0, first.0);
    }
}
