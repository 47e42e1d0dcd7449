//! A monotonic clock that costs a few nanoseconds: milliseconds, with the resolution of the kernel's tick.
//!
//! Deadlines of connections are seconds apart, so a tick of 1-10 ms is enough, and no jump of the
//! wall clock can move them.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The kernel counts from its own start, which may be a minute ago. To it so many milliseconds are added, some 35 years.
const LONG_AGO: u64 = 1 << 40;

/// Milliseconds since some moment decades before the process began: 0 stands for "not set" where it is compared, and for
/// "long ago" where it is subtracted.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    LONG_AGO + seconds.saturating_mul(1000) + nanos / 1_000_000
}

/// Seconds since 1970, by the wall clock.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A duration in the clock's unit; what does not fit is for ever.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::now;

    const YEAR: u64 = 365 * 24 * 60 * 60 * 1000;

    #[test]
    fn what_was_never_set_is_long_ago_on_a_machine_that_has_just_started() {
        assert!(now() > 10 * YEAR);
    }

    #[test]
    fn it_goes_forward() {
        let before = now();
        std::thread::sleep(std::time::Duration::from_millis(30));
        let passed = now() - before;
        assert!((10..5_000).contains(&passed), "{passed} ms");
    }
}
