//! Drives one connection, with one timer that fires once a timeout, not once a request.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::{
    counters::Timeout,
    deadline::{Memory, Times, What, Wire},
    drain::{Bell, Phase},
    state::ConnState,
};
use crate::clock;

/// How a connection ended.
pub(super) enum End {
    /// By itself.
    Done(hyper::Result<()>),
    /// A patience is over, and the connection is still there.
    Late(Timeout),
    /// Not yet: it is idle, and may rest.
    Idle,
    /// It is cut: the stop is final, or it was told to go and did not.
    Cut,
}

/// A connection that can be told to go once it has nothing to do.
pub(super) trait Conn: Future<Output = hyper::Result<()>> {
    /// Its version of HTTP.
    const WIRE: Wire;

    /// HTTP/1: no further request; HTTP/2: GOAWAY.
    fn leave(self: Pin<&mut Self>);
}

/// Runs `conn` until it ends or has to.
pub(super) async fn watch<C: Conn>(
    mut conn: Pin<&mut C>,
    state: &Arc<ConnState>,
    times: &Times,
    bell: &mut Bell,
) -> End {
    let mut timer = pin!(sleep(Duration::ZERO));
    let mut dog = Watchdog { state, times, memory: Memory::default(), told: false, armed: 0, task: None };
    poll_fn(|cx| {
        let phase = bell.listen(cx.waker());
        if phase == Phase::Stopped {
            return Poll::Ready(End::Cut);
        }
        if phase == Phase::Draining {
            dog.begin_to_leave();
        }
        if let Poll::Ready(result) = conn.as_mut().poll(cx) {
            return Poll::Ready(End::Done(result));
        }
        // Only now, as the poll may have found a request that came before the stop.
        if phase == Phase::Draining && dog.may_tell(C::WIRE) {
            conn.as_mut().leave();
            if let Poll::Ready(result) = conn.as_mut().poll(cx) {
                return Poll::Ready(End::Done(result));
            }
        }
        dog.poll::<C>(conn.as_mut(), timer.as_mut(), cx)
    })
    .await
}

struct Watchdog<'a> {
    state: &'a Arc<ConnState>,
    times: &'a Times,
    memory: Memory,
    /// Whether the connection was told to go.
    told: bool,
    /// When the timer fires; 0 before it was set.
    armed: u64,
    /// The task that the timer wakes.
    task: Option<std::task::Waker>,
}

impl Watchdog<'_> {
    fn begin_to_leave(&mut self) {
        if self.memory.leaving_since == 0 {
            self.memory.leaving_since = clock::now();
            self.state.leave();
        }
    }

    /// Whether to tell the connection to go now that a stop has begun; true once only.
    ///
    /// An HTTP/1 client learns of it by its next answer. One that spoke a moment ago is about to speak
    /// again, and to close under its request would lose that; so it gets the linger to do so.
    fn may_tell(&mut self, wire: Wire) -> bool {
        let now =
            !self.told && (wire == Wire::Http2 || !self.times.is_expected(&self.state.look(), clock::now()));
        self.told |= now;
        now
    }

    fn poll<C: Conn>(
        &mut self,
        mut conn: Pin<&mut C>,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<End> {
        loop {
            let due = self.times.due(C::WIRE, &self.state.look(), self.memory);
            if self.armed == 0 || due.at < self.armed {
                self.arm(due.at, clock::now(), timer.as_mut());
            }
            if !self.has_fired(timer.as_mut(), cx) {
                return Poll::Pending;
            }
            let now = clock::now();
            self.memory.looked_at = now;
            let (answers, next) = self.state.expire(now);
            if answers > 0 {
                // They may have been what the connection waits for: look again when they have gone.
                self.arm(now + 10, now, timer.as_mut());
                continue;
            }
            let due = self.times.due(C::WIRE, &self.state.look(), self.memory);
            if due.at > now {
                self.arm(next.map_or(due.at, |next| next.min(due.at)), now, timer.as_mut());
                continue;
            }
            match due.what {
                What::Look => self.arm(now + 1, now, timer.as_mut()),
                What::Leave => return Poll::Ready(End::Cut),
                What::Rest => return Poll::Ready(End::Idle),
                What::Late(timeout @ (Timeout::Silence | Timeout::KeepAlive))
                    if self.memory.leaving_since == 0 =>
                {
                    self.state.counters.time_out(timeout, 1);
                    self.memory.leaving_since = now;
                    conn.as_mut().leave();
                    if let Poll::Ready(result) = conn.as_mut().poll(cx) {
                        return Poll::Ready(End::Done(result));
                    }
                    self.armed = 0;
                }
                What::Late(timeout) => {
                    self.state.counters.time_out(timeout, 1);
                    return Poll::Ready(End::Late(timeout));
                }
            }
        }
    }

    fn arm(&mut self, at: u64, now: u64, timer: Pin<&mut Sleep>) {
        // The clock may lag by a tick; a little later is one wake-up less.
        let wait = Duration::from_millis(at.saturating_sub(now).saturating_add(5));
        let far = Duration::from_secs(86_400 * 365);
        timer.reset(Instant::now() + wait.min(far));
        self.armed = at;
        self.task = None;
    }

    /// A timer that has been polled by this task needs no poll until it fires: the task stays the same
    /// unless an embedder moves the future.
    fn has_fired(&mut self, timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
        if self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            return timer.is_elapsed();
        }
        self.task = Some(cx.waker().clone());
        timer.poll(cx).is_ready()
    }
}
