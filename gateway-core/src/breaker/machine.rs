//! The three states of a breaker, and what leads from one to the next.

use std::time::Duration;

use super::{
    Settings, Window,
    settings::{WHOLE, millis},
};

/// The state machine of one breaker. Times are milliseconds of any clock that never goes back.
///
/// Each call that is let in has a [`Ticket`]. It comes back once: with a [`Verdict`]
/// ([`report`](Self::report)), or without one where nobody knows what the other side did, as its client left
/// ([`abandon`](Self::abandon)). What was let in before the state changed counts for nothing after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    phase: Phase,
    window: Window,
    /// Failures since the last success.
    failures: u32,
    /// Counts changes of state, so that late reports are known.
    epoch: u32,
    /// How often it opened in a row, how long the last time, and when it closed again.
    count: u32,
    lasted: u64,
    closed_at: u64,
    /// Calls reported while it was closed: the clock of a window of calls.
    calls: u64,
    /// Where it closed not long ago: what is saved up for the next call to be let in, in thousandths.
    ramp: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    Open {
        until: u64,
    },
    HalfOpen {
        under_way: u32,
        succeeded: u32,
    },
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All calls are let in.
    Closed,
    /// None is.
    Open,
    /// A few are, and decide.
    HalfOpen,
}

impl State {
    /// The word of metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A call that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(super) u32);

/// As a number, for who can keep no more.
impl From<Ticket> for u64 {
    fn from(ticket: Ticket) -> Self {
        ticket.0.into()
    }
}

/// The ticket of a number that was one.
impl From<u64> for Ticket {
    #[expect(clippy::cast_possible_truncation, reason = "tickets have 32 bits")]
    fn from(number: u64) -> Self {
        Self(number as u32)
    }
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// When to ask again at the earliest. Zero where calls are being tried now, and decide.
    pub after: Duration,
}

/// What a call counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it failed.
    pub failed: bool,
    /// Whether it took too long.
    pub slow: bool,
}

impl Verdict {
    /// It went well.
    pub const SUCCESS: Self = Self { failed: false, slow: false };
    /// It failed.
    pub const FAILURE: Self = Self { failed: true, slow: false };
}

impl Machine {
    /// How it is. One that is open stays so until the first call that comes after its time.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether it is closed, and does not let all calls in yet.
    pub(super) const fn is_ramping(&self) -> bool {
        self.ramp.is_some()
    }

    /// Lets a call in, or not.
    ///
    /// # Errors
    /// With the time to wait: it is open, half-open with enough calls that try, or closed so shortly that not all are let
    /// in yet.
    pub fn admit(&mut self, settings: &Settings, now: u64) -> Result<Ticket, Open> {
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(Open { after: Duration::from_millis(until - now) });
            }
            self.go(Phase::HalfOpen { under_way: 0, succeeded: 0 });
        }
        if let Phase::HalfOpen { under_way, succeeded } = &mut self.phase {
            if under_way.saturating_add(*succeeded) >= settings.probes.max(1) {
                return Err(Open { after: Duration::ZERO });
            }
            *under_way += 1;
        }
        if !self.passes_ramp(settings, now) {
            return Err(Open { after: Duration::ZERO });
        }
        Ok(Ticket(self.epoch))
    }

    /// Takes what became of a call.
    pub fn report(&mut self, settings: &Settings, ticket: Ticket, verdict: Verdict, now: u64) {
        if ticket.0 != self.epoch {
            return;
        }
        match &mut self.phase {
            Phase::Closed => {
                if self.is_too_much(settings, verdict, now) {
                    self.open(settings, now);
                }
            }
            Phase::Open { .. } => {}
            Phase::HalfOpen { .. } if verdict.failed || verdict.slow => self.open(settings, now),
            Phase::HalfOpen { under_way, succeeded } => {
                *under_way = under_way.saturating_sub(1);
                *succeeded += 1;
                if *succeeded >= settings.probes.max(1) {
                    self.close(settings, now);
                }
            }
        }
    }

    /// Takes back a call of which nobody knows how the other side did.
    pub const fn abandon(&mut self, ticket: Ticket) {
        if let Phase::HalfOpen { under_way, .. } = &mut self.phase
            && ticket.0 == self.epoch
        {
            *under_way = under_way.saturating_sub(1);
        }
    }

    /// Lets calls in evenly, as many as the ramp has it by now.
    fn passes_ramp(&mut self, settings: &Settings, now: u64) -> bool {
        let Some(saved) = self.ramp else { return true };
        let Some(share) = settings.ramp_at(now.saturating_sub(self.closed_at)) else {
            self.ramp = None;
            return true;
        };
        let passes = saved + share >= WHOLE;
        self.ramp = Some(saved + share - if passes { WHOLE } else { 0 });
        passes
    }

    fn is_too_much(&mut self, settings: &Settings, verdict: Verdict, now: u64) -> bool {
        self.failures = if verdict.failed { self.failures.saturating_add(1) } else { 0 };
        let (length, moment) = match settings.window_calls {
            0 => (millis(settings.window), now),
            calls => (u64::from(calls), self.calls),
        };
        self.calls += 1;
        let counts = self.window.record(length, moment, verdict.failed, verdict.slow);
        if verdict == Verdict::SUCCESS {
            return false;
        }
        let enough = counts.calls >= settings.minimum;
        settings.consecutive > 0 && self.failures >= settings.consecutive
            || enough && counts.reaches(counts.failures, settings.failure_percent)
            || enough && counts.reaches(counts.slow, settings.slow_percent)
    }

    fn open(&mut self, settings: &Settings, now: u64) {
        // One that stayed closed for as long as it was open starts over.
        let was_well = self.phase == Phase::Closed && now.saturating_sub(self.closed_at) >= self.lasted;
        self.count = if was_well { 1 } else { self.count.saturating_add(1) };
        self.lasted = settings.opening(self.count);
        self.go(Phase::Open { until: now.saturating_add(self.lasted) });
    }

    fn close(&mut self, settings: &Settings, now: u64) {
        self.closed_at = now;
        self.go(Phase::Closed);
        self.ramp = (!settings.ramp.is_zero()).then_some(0);
    }

    fn go(&mut self, phase: Phase) {
        self.window.clear();
        (self.failures, self.ramp) = (0, None);
        self.epoch = self.epoch.wrapping_add(1);
        self.phase = phase;
    }
}

#[cfg(test)]
#[path = "machine/tests.rs"]
mod tests;
