//! A deadline that moves with each request, and a timer that seldom does.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};

/// Entering a timer into the runtime's wheel and taking it out costs more than a request's parse. So the timer of
/// a connection stays where it is while the deadline moves away from it; when it fires early, it is set anew.
#[derive(Debug)]
pub(crate) struct Deadline {
    due: Instant,
    timer: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
    /// The task that it wakes.
    task: Option<Waker>,
}

impl Deadline {
    pub(crate) const fn new(due: Instant) -> Self {
        Self { due, timer: None }
    }

    /// Moves it.
    pub(crate) const fn set(&mut self, due: Instant) {
        self.due = due;
    }

    /// Ready once it has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due;
        let timer = self.timer.get_or_insert_with(|| Armed::new(due));
        if due < timer.at {
            timer.arm(due);
        }
        while timer.has_fired(cx) {
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            timer.arm(due);
        }
        Poll::Pending
    }
}

impl Armed {
    fn new(at: Instant) -> Self {
        let wait = at.saturating_duration_since(Instant::now());
        Self { sleep: Box::pin(sleep(wait)), at, task: None }
    }

    fn arm(&mut self, at: Instant) {
        let far = Duration::from_secs(86_400 * 365);
        let wait = at.saturating_duration_since(Instant::now()).min(far);
        self.sleep.as_mut().reset(tokio::time::Instant::now() + wait);
        (self.at, self.task) = (at, None);
    }

    /// One that has been polled by this task needs no poll until it fires.
    fn has_fired(&mut self, cx: &mut Context<'_>) -> bool {
        if self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            return self.sleep.is_elapsed();
        }
        self.task = Some(cx.waker().clone());
        self.sleep.as_mut().poll(cx).is_ready()
    }
}
