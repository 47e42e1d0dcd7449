//! Time that passes when a test says so, and what it brings.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use super::response::Response;

/// Midnight of the first day of 2026 (UTC), in seconds since 1970.
const BEGINNING: u64 = 1_767_225_600;

/// A clock that stands until it is moved, and what is due at which time.
pub(super) struct Clock {
    now: Cell<Duration>,
    events: RefCell<Vec<Event>>,
    tick: Cell<Option<Tick>>,
}

/// An answer on its way.
pub(super) struct Event {
    pub(super) due: Duration,
    pub(super) token: u32,
    pub(super) what: What,
}

pub(super) enum What {
    /// A callout is answered, or has failed.
    Called(Option<Response>),
    /// A function's answer.
    Foreign(Vec<u8>),
}

#[derive(Clone, Copy)]
struct Tick {
    every: Duration,
    due: Duration,
}

/// What is next.
pub(super) enum Next {
    Event(Event),
    Tick,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            now: Cell::new(Duration::from_secs(BEGINNING)),
            events: RefCell::default(),
            tick: Cell::default(),
        }
    }
}

impl Clock {
    /// How long ago 1970 began.
    pub(super) const fn now(&self) -> Duration {
        self.now.get()
    }

    pub(super) fn set(&self, now: Duration) {
        self.now.set(now);
    }

    pub(super) fn tick_every(&self, every: Duration) {
        let tick = Tick { every, due: self.now() + every };
        self.tick.set((!every.is_zero()).then_some(tick));
    }

    /// Brings `what` in a while.
    pub(super) fn later(&self, delay: Duration, token: u32, what: What) {
        self.events.borrow_mut().push(Event { due: self.now() + delay, token, what });
    }

    /// Whether an answer is on its way.
    pub(super) fn expects(&self) -> bool {
        !self.events.borrow().is_empty()
    }

    /// The first of what is due until `end`; the clock then stands where that was due, or at `end`.
    pub(super) fn next(&self, end: Duration) -> Option<Next> {
        let event = self.first_event();
        let tick = self.tick.get();
        match (event, tick) {
            (event, Some(tick)) if tick.due <= end && event.is_none_or(|(_, due)| tick.due < due) => {
                self.set(self.now().max(tick.due));
                self.tick.set(Some(Tick { due: tick.due + tick.every, ..tick }));
                Some(Next::Tick)
            }
            (Some((at, due)), _) if due <= end => {
                self.set(self.now().max(due));
                Some(Next::Event(self.events.borrow_mut().remove(at)))
            }
            _ => {
                if end != Duration::MAX {
                    self.set(self.now().max(end));
                }
                None
            }
        }
    }

    /// Where the first one stands; of those due at one time, the one that was asked for first.
    fn first_event(&self) -> Option<(usize, Duration)> {
        let events = self.events.borrow();
        let due = events.iter().map(|event| event.due).enumerate();
        due.min_by_key(|(at, due)| (*due, *at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, Next, What};

    #[test]
    fn what_is_due_first_comes_first_and_time_goes_no_further_than_asked() {
        let (clock, second) = (Clock::default(), Duration::from_secs(1));
        let start = clock.now();
        clock.later(second * 3, 1, What::Called(None));
        clock.later(second, 2, What::Called(None));
        clock.tick_every(second * 2);
        let mut seen = Vec::new();
        while let Some(next) = clock.next(start + second * 5) {
            let what = match next {
                Next::Event(event) => event.token,
                Next::Tick => 0,
            };
            seen.push((what, (clock.now() - start).as_secs()));
        }
        assert_eq!(seen, [(2, 1), (0, 2), (1, 3), (0, 4)]);
        assert_eq!(clock.now(), start + second * 5);
        assert!(!clock.expects());
    }
}
