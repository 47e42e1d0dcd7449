//! How endpoints that traffic made unhealthy come back.

use std::time::Duration;

/// What goes beyond Kong's passive checks (compat D20): ejected endpoints are tried again after a back-off, and not
/// more of them are ejected than an upstream can spare. Names and times are Envoy's.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recovery {
    /// How long an endpoint is out at first; the n-th time in a row n times as long. Default 30 s.
    pub base_ejection: Duration,
    /// The longest it is out. Default 300 s.
    pub max_ejection: Duration,
    /// How many of an upstream's endpoints traffic may eject, in percent. Default 100, as in Kong; one may
    /// always be.
    pub max_ejection_percent: u8,
    /// Where less than this percentage of the weight is available, health is not looked at: a few that are
    /// half well would break under all of the load. Default 0, off: as in Kong the answer is 503.
    pub panic_threshold: u8,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejection_percent: 100,
            panic_threshold: 0,
        }
    }
}

impl Recovery {
    /// How long the `count`-th ejection in a row takes, in milliseconds.
    #[must_use]
    pub fn ejection(&self, count: u32) -> u64 {
        let time = self.base_ejection.saturating_mul(count.max(1)).min(self.max_ejection);
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether one more endpoint may be ejected, of `total` of which `out` are.
    #[must_use]
    pub const fn allows(&self, out: usize, total: usize) -> bool {
        out == 0 || (out + 1) * 100 <= total * self.max_ejection_percent as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Recovery;

    #[test]
    fn ejections_grow_up_to_the_cap() {
        let recovery = Recovery::default();
        let times: Vec<_> = [0, 1, 2, 3, 10, 11, 1_000_000].map(|count| recovery.ejection(count)).into();
        assert_eq!(times, [30_000, 30_000, 60_000, 90_000, 300_000, 300_000, 300_000]);
    }

    #[test]
    fn one_may_always_go_and_no_more_than_the_share() {
        let recovery = Recovery { max_ejection_percent: 34, ..Recovery::default() };
        assert!(recovery.allows(0, 1));
        assert!(recovery.allows(0, 6) && recovery.allows(1, 6) && !recovery.allows(2, 6));
        assert!(Recovery::default().allows(5, 6));
    }
}
