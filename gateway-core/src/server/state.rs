//! One connection as its parts see it: the I/O, the requests and the watchdog share this.
//!
//! Everything is a relaxed atomic: the parts run on one worker almost always, and a value that is a
//! moment old moves a deadline by that moment only.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use super::{
    counters::{Counters, Refusal, Timeout},
    deadline::{Look, Times},
    drain::Entered,
    streams::{StreamSlot, Streams},
};
use crate::{
    clock,
    pace::{Meter, Pace, Ticket, Waits},
};

/// What is known of a connection. Times are those of [`clock`], 0 for "not".
#[derive(Debug)]
pub(super) struct ConnState {
    pub(super) counters: Arc<Counters>,
    pub(super) waits: Arc<Waits>,
    write_pace: Pace,
    opened: u64,
    read_at: AtomicU64,
    /// The first byte of a head that is not complete yet.
    head_since: AtomicU64,
    /// Bytes that the socket does not take, in the present exchange.
    blocked: Meter,
    requests: AtomicU64,
    in_flight: AtomicU32,
    idle_since: AtomicU64,
    /// Chunks of HTTP/2 answers handed out and not sent yet; the wait for the peer's window since there
    /// is one.
    unsent: AtomicU32,
    stalled: Meter,
    pub(super) streams: Streams,
    /// HTTP/2 streams of the present window that ended, and ended without an answer.
    ended: AtomicU32,
    cancelled: AtomicU32,
    /// What answers have earned for [`Frames`](super::frames::Frames).
    credit: AtomicU32,
    condemned: AtomicBool,
    abort: AtomicBool,
    leaving: AtomicBool,
    _entered: Entered,
}

impl ConnState {
    pub(super) fn new(counters: Arc<Counters>, times: &Times, entered: Entered) -> Self {
        let now = clock::now();
        counters.active.fetch_add(1, Relaxed);
        counters.handled.fetch_add(1, Relaxed);
        Self {
            counters,
            waits: Arc::new(Waits::new(times.body())),
            write_pace: times.write(),
            opened: now,
            read_at: AtomicU64::new(now),
            head_since: AtomicU64::default(),
            blocked: Meter::default(),
            requests: AtomicU64::default(),
            in_flight: AtomicU32::default(),
            idle_since: AtomicU64::default(),
            unsent: AtomicU32::default(),
            stalled: Meter::default(),
            streams: Streams::default(),
            ended: AtomicU32::default(),
            cancelled: AtomicU32::default(),
            credit: AtomicU32::default(),
            condemned: AtomicBool::default(),
            abort: AtomicBool::default(),
            leaving: AtomicBool::default(),
            _entered: entered,
        }
    }

    /// Bytes came in.
    pub(super) fn on_read(&self) {
        let now = clock::now();
        self.read_at.store(now, Relaxed);
        if self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(now, Relaxed);
        }
    }

    /// Bytes went out.
    pub(super) fn on_write(&self, bytes: usize) {
        if self.blocked.is_waiting() {
            self.blocked.end(clock::now(), bytes as u64, self.write_pace);
        } else {
            self.blocked.earn(bytes as u64, self.write_pace);
        }
    }

    /// Bytes could not go out.
    pub(super) fn on_blocked(&self) {
        if !self.blocked.is_waiting() {
            self.blocked.begin(clock::now());
        }
    }

    /// The bytes up to here were no part of a request (the TLS handshake).
    pub(super) fn begin_http(&self) {
        self.head_since.store(0, Relaxed);
    }

    /// From here on HTTP/1 answers say that the connection closes.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// The values that deadlines depend on.
    pub(super) fn look(&self) -> Look {
        Look {
            opened: self.opened,
            read_at: self.read_at.load(Relaxed),
            head_since: self.head_since.load(Relaxed),
            blocked: self.blocked.read(),
            in_flight: self.in_flight.load(Relaxed),
            idle_since: self.idle_since.load(Relaxed),
            stalled: self.stalled.read(),
            // Each body has them too.
            reading: Arc::strong_count(&self.waits) > 1,
        }
    }

    /// The peer is not worth a goodbye: the kernel forgets what it has not taken.
    pub(super) fn abort(&self) {
        self.abort.store(true, Relaxed);
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.abort.load(Relaxed)
    }

    pub(super) fn is_condemned(&self) -> bool {
        self.condemned.load(Relaxed)
    }

    pub(super) fn take_credit(&self) -> u32 {
        if self.credit.load(Relaxed) == 0 { 0 } else { self.credit.swap(0, Relaxed) }
    }

    pub(super) fn earn(&self, credit: u32) {
        self.credit.fetch_add(credit, Relaxed);
    }

    pub(super) fn chunk_out(&self, slot: StreamSlot) {
        let now = clock::now();
        self.streams.chunk_out(slot, now);
        if self.unsent.fetch_add(1, Relaxed) == 0 {
            self.stalled.reset();
            self.stalled.begin(now);
        }
    }

    /// A part of some chunk is on its way.
    pub(super) fn chunk_moved(&self, slot: StreamSlot, bytes: usize) {
        let now = clock::now();
        self.streams.chunk_moved(slot, now, bytes as u64, self.write_pace);
        self.stalled.end(now, bytes as u64, self.write_pace);
        self.stalled.begin(now);
    }

    pub(super) fn chunk_gone(&self, slot: StreamSlot) {
        self.streams.chunk_gone(slot);
        if self.unsent.fetch_sub(1, Relaxed) == 1 {
            self.stalled.reset();
        }
    }

    /// Ends what waits too long within the connection; gives how many answers, and when the next may.
    pub(super) fn expire(&self, now: u64) -> (usize, Option<u64>) {
        if self.unsent.load(Relaxed) > 0 {
            // On a runtime of several threads the reset of one chunk may hit the begin of the next.
            self.stalled.begin(now);
        }
        let (bodies, next_body) = self.waits.expire(now);
        let (answers, next_answer) = self.streams.expire(now, self.write_pace);
        self.counters.time_out(Timeout::Body, bodies as u64);
        self.counters.time_out(Timeout::Write, answers as u64);
        (answers, [next_body, next_answer].into_iter().flatten().min())
    }

    fn begin(&self) {
        self.head_since.store(0, Relaxed);
        self.counters.requests.fetch_add(1, Relaxed);
        if self.requests.fetch_add(1, Relaxed) == 0 {
            self.counters.greeted.fetch_add(1, Relaxed);
        }
        if self.in_flight.fetch_add(1, Relaxed) == 0 {
            self.counters.busy.fetch_add(1, Relaxed);
            if !self.blocked.is_waiting() {
                self.blocked.reset();
            }
        }
    }

    fn end(&self) {
        self.idle_since.store(clock::now(), Relaxed);
        if self.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.counters.busy.fetch_sub(1, Relaxed);
        }
    }

    /// Envoy's rule against rapid reset: half of a window's streams cancelled before their answer.
    fn count_stream(&self, answered: bool, window: u32) {
        if !answered {
            self.cancelled.fetch_add(1, Relaxed);
        }
        if self.ended.fetch_add(1, Relaxed) + 1 < window {
            return;
        }
        self.ended.store(0, Relaxed);
        if self.cancelled.swap(0, Relaxed) >= window.div_ceil(2) && !self.condemned.swap(true, Relaxed) {
            self.counters.refuse(Refusal::RapidReset);
        }
    }
}

impl Drop for ConnState {
    fn drop(&mut self) {
        self.counters.active.fetch_sub(1, Relaxed);
        if *self.requests.get_mut() > 0 {
            self.counters.greeted.fetch_sub(1, Relaxed);
        }
    }
}

/// One request in progress, until its answer is handed over or given up.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) state: Arc<ConnState>,
    /// The size of the window of cancellations; 0 for HTTP/1, which has none.
    window: u32,
    body: Option<Ticket>,
    answered: bool,
    stream: Option<StreamSlot>,
}

impl InFlight {
    pub(super) fn begin(state: &Arc<ConnState>, window: u32, body: Option<Ticket>) -> Self {
        state.begin();
        let stream = (window > 0).then(|| state.streams.open());
        Self { state: Arc::clone(state), window, body, answered: false, stream }
    }

    /// The service has answered.
    pub(super) fn answered(&mut self) {
        self.answered = true;
        if let Some(body) = self.body {
            self.state.waits.answered(body);
        }
        if self.is_http2() {
            // An answered request pays for its own WINDOW_UPDATE, PRIORITY and RST_STREAM frames.
            self.state.earn(8);
        }
    }

    pub(super) const fn is_http2(&self) -> bool {
        self.stream.is_some()
    }

    pub(super) const fn stream(&self) -> Option<StreamSlot> {
        self.stream
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(stream) = self.stream {
            self.state.count_stream(self.answered, self.window);
            self.state.streams.close(stream);
        }
        self.state.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::ConnState;
    use crate::server::{Drain, Timeouts, deadline::Times};

    #[test]
    fn every_byte_that_goes_out_counts_for_the_rate() {
        let times = Times::new(&Timeouts::default());
        let state = ConnState::new(Arc::default(), &times, Drain::new().enter());
        state.on_blocked();
        state.on_write(100);
        state.on_write(900);
        assert_eq!(state.look().blocked.bytes, 1_000);
    }
}
