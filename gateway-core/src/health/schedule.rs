//! When an endpoint is probed.

use super::State;

/// How often endpoints are probed, in milliseconds; 0: not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Those that are healthy or mostly healthy.
    pub healthy: u64,
    /// The others (compat H20).
    pub unhealthy: u64,
}

impl Schedule {
    /// How long after the last probe of an endpoint in this state the next one is due; none: never. Up to a tenth
    /// earlier or later, as `random` has it, so that probes of many gateways do not come at once.
    #[must_use]
    pub const fn wait(&self, state: State, random: u64) -> Option<u64> {
        let interval = if state.is_available() { self.healthy } else { self.unhealthy };
        if interval == 0 {
            return None;
        }
        let spread = interval / 5;
        Some(interval - spread / 2 + if spread == 0 { 0 } else { random % (spread + 1) })
    }
}

/// How long an endpoint that was never probed waits: any part of its interval, as `random` has it, so that the
/// endpoints of a gateway that starts are not probed at once.
#[must_use]
pub const fn first_probe(interval: u64, random: u64) -> u64 {
    if interval == 0 { 0 } else { random % interval }
}

#[cfg(test)]
mod tests {
    use super::{super::State, Schedule, first_probe};

    #[test]
    fn two_intervals_and_a_tenth_of_jitter_h20() {
        let schedule = Schedule { healthy: 1_000, unhealthy: 0 };
        for random in (0..100_000).step_by(37) {
            let wait = schedule.wait(State::Healthy, random).unwrap();
            assert!((900..=1_100).contains(&wait), "{wait}");
            assert!(schedule.wait(State::MostlyHealthy, random).is_some());
            assert_eq!(schedule.wait(State::Unhealthy, random), None);
            assert!(first_probe(1_000, random) < 1_000);
        }
        let both = Schedule { healthy: 0, unhealthy: 3 };
        assert_eq!(both.wait(State::MostlyUnhealthy, 99), Some(3));
        assert_eq!(both.wait(State::Healthy, 99), None);
        assert_eq!(first_probe(0, 9), 0);
    }
}
