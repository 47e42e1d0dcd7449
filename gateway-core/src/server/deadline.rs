//! When a connection's patience ends, and which one: a pure function of what is known of it.

use std::{cmp::min, time::Duration};

use super::{counters::Timeout, settings::Timeouts};
use crate::{
    clock::millis,
    pace::{Pace, Reading},
};

/// [`Timeouts`] in the clock's unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    silence: u64,
    head: u64,
    keep_alive: u64,
    /// How long an HTTP/1 connection is idle before it rests.
    rest: u64,
    write: Pace,
    body: Pace,
    linger: u64,
    /// How often a connection with a request in progress is looked at: no deadline of a waiting body or
    /// a blocked answer is shorter.
    look: u64,
}

/// How long an HTTP/1 connection is idle before it rests, in milliseconds. One that is busy never does; one that
/// speaks now and then pays a few microseconds each time.
const REST: u64 = 1_000;

/// The version of HTTP that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Http1,
    Http2,
}

/// What [`ConnState`](super::state::ConnState) knew at one moment. Times in ms, 0 for "not".
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) opened: u64,
    pub(super) read_at: u64,
    pub(super) head_since: u64,
    pub(super) blocked: Reading,
    pub(super) stalled: Reading,
    pub(super) in_flight: u32,
    pub(super) idle_since: u64,
    /// Somebody has the body of a request, perhaps beyond its answer.
    pub(super) reading: bool,
}

/// What the watchdog itself remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// When it looked last.
    pub(super) looked_at: u64,
    /// When the connection began to leave; 0 while it may stay.
    pub(super) leaving_since: u64,
}

/// The next thing to do, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: u64,
    pub(super) what: What,
}

/// What to do at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Look again.
    Look,
    /// It is idle: let it rest.
    Rest,
    /// It leaves and has nothing more to do: tell it, or cut it if it was told.
    Leave,
    /// The patience is over.
    Late(Timeout),
}

impl Times {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        let rate = u64::from(timeouts.min_rate);
        let body = Pace { idle: millis(timeouts.body_idle), grace: millis(timeouts.rate_grace), rate };
        // No rate before the idle time has passed: a full socket takes nothing until the peer has taken a
        // good part of it, so the first seconds of a wait say nothing of how fast it reads.
        let idle = millis(timeouts.write_idle);
        let write = Pace { idle, grace: idle, rate };
        let shortest = min(body.idle, write.idle);
        let shortest = if rate > 0 { min(shortest, body.grace) } else { shortest };
        Self {
            silence: millis(timeouts.silence),
            head: millis(timeouts.head),
            keep_alive: millis(timeouts.keep_alive),
            // One that spoke within the linger is still expected to when a stop begins.
            rest: REST.max(millis(timeouts.linger)),
            write,
            body,
            linger: millis(timeouts.linger),
            look: shortest.max(50),
        }
    }

    pub(super) const fn body(&self) -> Pace {
        self.body
    }

    pub(super) const fn write(&self) -> Pace {
        self.write
    }

    /// The nearest deadline.
    pub(super) fn due(&self, wire: Wire, look: &Look, memory: Memory) -> Due {
        let write = self.write_due(look);
        let other = self.request_due(wire, look, memory, write.is_some());
        match write {
            Some(at) if at <= other.at => Due { at, what: What::Late(Timeout::Write) },
            _ => other,
        }
    }

    /// How much longer a client that is idle at `now` has for its next request.
    pub(super) fn left_idle(&self, look: &Look, now: u64) -> Duration {
        Duration::from_millis(look.idle_since.saturating_add(self.keep_alive).saturating_sub(now))
    }

    /// Whether an HTTP/1 client that has no request in progress has begun one, or did something within
    /// the linger, so that one may be on its way.
    pub(super) fn is_expected(&self, look: &Look, now: u64) -> bool {
        let last = look.opened.max(look.idle_since);
        look.in_flight == 0 && (look.head_since != 0 || now.saturating_sub(last) < self.linger)
    }

    /// The peer takes nothing, or too little: of the bytes at the socket, or of HTTP/2 chunks that wait
    /// for its window.
    fn write_due(&self, look: &Look) -> Option<u64> {
        [look.blocked, look.stalled].into_iter().filter_map(|reading| reading.deadline(self.write)).min()
    }

    fn request_due(&self, wire: Wire, look: &Look, memory: Memory, writing: bool) -> Due {
        let due = |since: u64, patience: u64, what| Due { at: since.saturating_add(patience), what };
        if look.in_flight > 0 {
            return due(look.read_at.max(memory.looked_at), self.look, What::Look);
        }
        if wire == Wire::Http1 && look.head_since != 0 {
            return due(look.head_since, self.head, What::Late(Timeout::Head));
        }
        if memory.leaving_since != 0 {
            let what = if writing { What::Look } else { What::Leave };
            let since = memory.leaving_since.max(look.idle_since);
            return due(if writing { since.max(memory.looked_at) } else { since }, self.linger, what);
        }
        if look.idle_since == 0 {
            return due(look.opened, self.silence, What::Late(Timeout::Silence));
        }
        // What is still to come of a body would be taken for a request after a rest.
        if wire == Wire::Http1 && self.rest < self.keep_alive && !writing && !look.reading {
            return due(look.idle_since, self.rest, What::Rest);
        }
        due(look.idle_since, self.keep_alive, What::Late(Timeout::KeepAlive))
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Look, Memory, Times, What, Wire};
    use crate::{
        pace::Reading,
        server::{Timeout, Timeouts},
    };

    fn due(wire: Wire, look: Look) -> Due {
        Times::new(&Timeouts::default()).due(wire, &look, Memory::default())
    }

    const fn late(at: u64, timeout: Timeout) -> Due {
        Due { at, what: What::Late(timeout) }
    }

    #[test]
    fn each_state_has_its_patience() {
        let silent = Look { opened: 1_000, ..Look::default() };
        assert_eq!(due(Wire::Http1, silent), late(11_000, Timeout::Silence));
        let head = Look { head_since: 2_000, ..silent };
        assert_eq!(due(Wire::Http1, head), late(12_000, Timeout::Head));
        assert_eq!(due(Wire::Http2, head), late(11_000, Timeout::Silence));
        let idle = Look { idle_since: 5_000, ..silent };
        assert_eq!(due(Wire::Http1, idle), Due { at: 6_000, what: What::Rest });
        assert_eq!(due(Wire::Http2, idle), late(65_000, Timeout::KeepAlive));
        assert_eq!(due(Wire::Http1, Look { reading: true, ..idle }), late(65_000, Timeout::KeepAlive));
        assert_eq!(Times::new(&Timeouts::default()).left_idle(&idle, 6_000).as_secs(), 59);
    }

    #[test]
    fn a_running_request_is_only_looked_at() {
        let running = Look { opened: 1_000, read_at: 7_000, in_flight: 1, ..Look::default() };
        assert_eq!(due(Wire::Http1, running), Due { at: 12_000, what: What::Look });
    }

    #[test]
    fn an_answer_that_is_not_taken_is_late_by_time_and_by_rate() {
        let running = Look { read_at: 7_000, in_flight: 1, ..Look::default() };
        let blocked = |waited, bytes| Reading { since: 8_000, waited, bytes };
        let rate = Look { blocked: blocked(29_500, 10), ..running };
        assert_eq!(due(Wire::Http1, rate), late(8_501, Timeout::Write));
        let first = Look { blocked: blocked(0, 0), read_at: 40_000, ..running };
        assert_eq!(due(Wire::Http1, first), late(38_000, Timeout::Write));
        let fair = Look { blocked: blocked(60_000, 90 * 240), read_at: 40_000, ..running };
        assert_eq!(due(Wire::Http1, fair), late(38_000, Timeout::Write));
        let idle = Look { blocked: blocked(0, 1 << 20), read_at: 40_000, ..running };
        assert_eq!(due(Wire::Http1, idle), late(38_000, Timeout::Write));
        let stalled = Look { stalled: blocked(0, 1 << 20), read_at: 40_000, ..running };
        assert_eq!(due(Wire::Http2, stalled), late(38_000, Timeout::Write));
    }

    #[test]
    fn one_that_was_told_to_go_is_cut_once_it_is_idle() {
        let times = Times::new(&Timeouts::default());
        let memory = Memory { looked_at: 0, leaving_since: 70_000 };
        let idle = Look { opened: 1, idle_since: 71_000, ..Look::default() };
        assert_eq!(times.due(Wire::Http2, &idle, memory), Due { at: 71_500, what: What::Leave });
        let busy = Look { in_flight: 1, read_at: 71_000, ..idle };
        assert_eq!(times.due(Wire::Http2, &busy, memory).what, What::Look);
        let unsent = Look { stalled: Reading { since: 71_000, ..Reading::default() }, ..idle };
        assert_eq!(times.due(Wire::Http2, &unsent, memory).what, What::Look);
    }
}
