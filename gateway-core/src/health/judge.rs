//! What an outcome counts as.

use super::Counted;
use crate::{config::Healthchecks, error::Reason};

/// What became of a request or a probe, as far as it is the endpoint's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered with this status.
    Status(u16),
    /// It answered, but not well: with what is no HTTP (Kong's status 0, compat H19), or that it does not serve.
    Failed,
    /// The connection failed.
    TcpFailure,
    /// The connection, or the answer, took too long.
    Timeout,
    /// It did what the probe asked of it: took a connection, or said that it serves.
    Passed,
}

impl Outcome {
    /// What a failed try says of its endpoint; none where it is the client's doing, or the gateway's own
    /// (compat S12).
    #[must_use]
    pub const fn of_failure(reason: Reason) -> Option<Self> {
        match reason {
            Reason::ConnectTimeout | Reason::ReadTimeout | Reason::WriteTimeout | Reason::Deadline => {
                Some(Self::Timeout)
            }
            Reason::BadResponse => Some(Self::Failed),
            _ if reason.blames_upstream() => Some(Self::TcpFailure),
            _ => None,
        }
    }
}

/// One kind of checks, active or passive: which statuses count as what, and how many it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    healthy: Statuses,
    unhealthy: Statuses,
    successes: u8,
    http_failures: u8,
    tcp_failures: u8,
    timeouts: u8,
}

impl Judge {
    /// That of requests.
    #[must_use]
    pub fn passive(checks: &Healthchecks) -> Self {
        let (healthy, unhealthy) = (&checks.passive.healthy, &checks.passive.unhealthy);
        Self {
            healthy: Statuses::of(&healthy.http_statuses),
            unhealthy: Statuses::of(&unhealthy.http_statuses),
            successes: healthy.successes,
            http_failures: unhealthy.http_failures,
            tcp_failures: unhealthy.tcp_failures,
            timeouts: unhealthy.timeouts,
        }
    }

    /// That of probes.
    #[must_use]
    pub fn active(checks: &Healthchecks) -> Self {
        let (healthy, unhealthy) = (&checks.active.healthy, &checks.active.unhealthy);
        Self {
            healthy: Statuses::of(&healthy.http_statuses),
            unhealthy: Statuses::of(&unhealthy.http_statuses),
            successes: healthy.successes,
            http_failures: unhealthy.http_failures,
            tcp_failures: unhealthy.tcp_failures,
            timeouts: unhealthy.timeouts,
        }
    }

    /// What `outcome` counts as. A status in both lists is healthy, one in neither says nothing (compat H19).
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> Counted {
        match outcome {
            Outcome::Status(status) if self.healthy.has(status) => Counted::Success(self.successes),
            Outcome::Status(status) if self.unhealthy.has(status) => Counted::HttpFailure(self.http_failures),
            Outcome::Status(_) => Counted::Nothing,
            Outcome::Failed => Counted::HttpFailure(self.http_failures),
            Outcome::TcpFailure => Counted::TcpFailure(self.tcp_failures),
            Outcome::Timeout => Counted::Timeout(self.timeouts),
            Outcome::Passed => Counted::Success(self.successes),
        }
    }

    /// Whether a failure of any kind counts.
    #[must_use]
    pub const fn counts_failures(&self) -> bool {
        self.http_failures > 0 || self.tcp_failures > 0 || self.timeouts > 0
    }

    /// Whether successes count.
    #[must_use]
    pub const fn counts_successes(&self) -> bool {
        self.successes > 0
    }
}

/// A set of statuses from 0 to 999, a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statuses([u64; 16]);

impl Statuses {
    fn of(statuses: &[u16]) -> Self {
        let mut bits = [0; 16];
        for status in statuses {
            if let Some(word) = bits.get_mut(usize::from(status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        Self(bits)
    }

    fn has(&self, status: u16) -> bool {
        self.0.get(usize::from(status / 64)).is_some_and(|word| word & (1 << (status % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Judge, Outcome};
    use crate::{config::Healthchecks, error::Reason};

    fn checks() -> Healthchecks {
        let mut checks = Healthchecks::default();
        checks.passive.healthy.successes = 1;
        checks.passive.unhealthy.http_failures = 2;
        checks.passive.unhealthy.tcp_failures = 3;
        checks.passive.unhealthy.timeouts = 4;
        checks.active.healthy.successes = 5;
        checks.active.unhealthy.http_failures = 6;
        checks
    }

    #[test]
    fn kongs_default_lists_h8_h10_h12_h14() {
        let (passive, active) = (Judge::passive(&checks()), Judge::active(&checks()));
        for status in 0..1_100 {
            let counted = match status {
                200..=208 | 226 | 300..=308 => Counted::Success(1),
                429 | 500 | 503 => Counted::HttpFailure(2),
                _ => Counted::Nothing,
            };
            assert_eq!(passive.count(Outcome::Status(status)), counted, "{status}");
            let counted = match status {
                200 | 302 => Counted::Success(5),
                404 | 429 | 500..=505 => Counted::HttpFailure(6),
                _ => Counted::Nothing,
            };
            assert_eq!(active.count(Outcome::Status(status)), counted, "{status}");
        }
    }

    #[test]
    fn failures_have_counters_of_their_own_s12_h19() {
        let judge = Judge::passive(&checks());
        let counted = |reason| Outcome::of_failure(reason).map(|outcome| judge.count(outcome));
        assert_eq!(counted(Reason::ConnectRefused), Some(Counted::TcpFailure(3)));
        assert_eq!(counted(Reason::Reset), Some(Counted::TcpFailure(3)));
        assert_eq!(counted(Reason::TlsVerify), Some(Counted::TcpFailure(3)));
        assert_eq!(counted(Reason::ReadTimeout), Some(Counted::Timeout(4)));
        assert_eq!(counted(Reason::ConnectTimeout), Some(Counted::Timeout(4)));
        assert_eq!(counted(Reason::BadResponse), Some(Counted::HttpFailure(2)));
    }

    #[test]
    fn only_what_the_upstream_did_counts() {
        for reason in Reason::ALL {
            assert_eq!(Outcome::of_failure(reason).is_some(), reason.blames_upstream(), "{reason}");
        }
    }
}
