//! Kong's state machine of one endpoint.

/// How an endpoint is. The two in the middle keep the availability of before (compat H18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Takes requests; no failure is on record.
    #[default]
    Healthy,
    /// Takes requests; a failure is on record.
    MostlyHealthy,
    /// Takes none.
    Unhealthy,
    /// Takes none; a success is on record.
    MostlyUnhealthy,
}

impl State {
    /// Whether it takes requests.
    #[must_use]
    pub const fn is_available(self) -> bool {
        matches!(self, Self::Healthy | Self::MostlyHealthy)
    }
}

/// What a report counts as: which counter it moves, and at how many the state changes. A limit of 0 switches the
/// counter off (compat H18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A success.
    Success(u8),
    /// A failed status, or an answer that is no HTTP.
    HttpFailure(u8),
    /// A connection that failed.
    TcpFailure(u8),
    /// A connection or an answer that took too long.
    Timeout(u8),
    /// A status that says nothing.
    Nothing,
}

impl Counted {
    const fn limit(self) -> u8 {
        match self {
            Self::Success(limit)
            | Self::HttpFailure(limit)
            | Self::TcpFailure(limit)
            | Self::Timeout(limit) => limit,
            Self::Nothing => 0,
        }
    }

    /// Whether it counts against the endpoint.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.limit() > 0 && !matches!(self, Self::Success(_))
    }

    /// Whether it cannot change an endpoint in this state.
    #[must_use]
    pub const fn is_idle_in(self, state: State) -> bool {
        match self {
            _ if self.limit() == 0 => true,
            Self::Success(_) => matches!(state, State::Healthy),
            _ => matches!(state, State::Unhealthy),
        }
    }
}

/// The state and the four counters of one endpoint (compat H17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    state: State,
    success: u8,
    http: u8,
    tcp: u8,
    timeout: u8,
}

impl Machine {
    /// One that is known to be so; the counters are clear.
    #[must_use]
    pub const fn set(available: bool) -> Self {
        let state = if available { State::Healthy } else { State::Unhealthy };
        Self { state, success: 0, http: 0, tcp: 0, timeout: 0 }
    }

    /// How the endpoint is.
    #[must_use]
    pub const fn state(self) -> State {
        self.state
    }

    /// Takes a report. A failure counts and clears the successes; a success counts and clears all failures
    /// (compat H17).
    pub fn report(&mut self, counted: Counted) {
        if counted.is_idle_in(self.state) {
            return;
        }
        let count = match counted {
            Counted::Success(_) => {
                (self.http, self.tcp, self.timeout) = (0, 0, 0);
                &mut self.success
            }
            Counted::HttpFailure(_) => self.fail().0,
            Counted::TcpFailure(_) => self.fail().1,
            Counted::Timeout(_) => self.fail().2,
            Counted::Nothing => return,
        };
        *count = count.saturating_add(1);
        let full = *count >= counted.limit();
        self.state = match (counted, self.state) {
            (Counted::Success(_), _) if full => State::Healthy,
            (_, _) if full => State::Unhealthy,
            (Counted::Success(_), State::Unhealthy) => State::MostlyUnhealthy,
            (Counted::HttpFailure(_) | Counted::TcpFailure(_) | Counted::Timeout(_), State::Healthy) => {
                State::MostlyHealthy
            }
            (_, same) => same,
        };
    }

    const fn fail(&mut self) -> (&mut u8, &mut u8, &mut u8) {
        self.success = 0;
        (&mut self.http, &mut self.tcp, &mut self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Counted, Machine, State};

    /// The same machine as Kong's library has it: four counters in one word, states as words.
    #[derive(Clone, Copy)]
    struct Model {
        health: &'static str,
        counters: [u32; 4],
    }

    impl Model {
        fn report(&mut self, report: &'static str, counter: usize, limit: u8) {
            if limit == 0 || report == self.health {
                return;
            }
            self.counters[counter] += 1;
            let cleared = if counter == 0 { 1..4 } else { 0..1 };
            self.counters[cleared].fill(0);
            let failures: u32 = self.counters[1..].iter().sum();
            if self.counters[counter] >= u32::from(limit) {
                self.health = report;
            } else if self.health == "healthy" && failures > 0 {
                self.health = "mostly_healthy";
            } else if self.health == "unhealthy" && self.counters[0] > 0 {
                self.health = "mostly_unhealthy";
            }
        }
    }

    const fn word(state: State) -> &'static str {
        match state {
            State::Healthy => "healthy",
            State::MostlyHealthy => "mostly_healthy",
            State::Unhealthy => "unhealthy",
            State::MostlyUnhealthy => "mostly_unhealthy",
        }
    }

    proptest! {
        #[test]
        fn it_goes_as_kongs_does_h17_h18(
            reports in proptest::collection::vec((0usize..4, 0usize..2), 0..200),
            limits in proptest::array::uniform2(proptest::array::uniform4(0u8..5)),
        ) {
            let (mut machine, mut model) = (Machine::default(), Model { health: "healthy", counters: [0; 4] });
            // Active and passive checks share the counters, each with limits of its own.
            for (counter, check) in reports {
                let limit = limits[check][counter];
                let counted =
                    [Counted::Success, Counted::HttpFailure, Counted::TcpFailure, Counted::Timeout][counter];
                machine.report(counted(limit));
                model.report(if counter == 0 { "healthy" } else { "unhealthy" }, counter, limit);
                prop_assert_eq!(word(machine.state()), model.health);
                let counters = [machine.success, machine.http, machine.tcp, machine.timeout].map(u32::from);
                prop_assert_eq!(counters, model.counters);
            }
        }
    }

    #[test]
    fn a_failure_between_successes_starts_them_over() {
        let mut machine = Machine::set(false);
        machine.report(Counted::Success(2));
        assert_eq!(machine.state(), State::MostlyUnhealthy);
        machine.report(Counted::TcpFailure(1));
        machine.report(Counted::Success(2));
        assert!(!machine.state().is_available());
        machine.report(Counted::Success(2));
        assert_eq!(machine.state(), State::Healthy);
    }
}
