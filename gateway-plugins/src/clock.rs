//! The two clocks, in milliseconds, with the resolution of the kernel's tick: a few nanoseconds a look.

use rustix::time::{ClockId, clock_gettime};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCKS: (ClockId, ClockId) = (ClockId::RealtimeCoarse, ClockId::MonotonicCoarse);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCKS: (ClockId, ClockId) = (ClockId::Realtime, ClockId::Monotonic);

/// Since 1970, UTC. It may jump.
pub(crate) fn wall() -> u64 {
    read(CLOCKS.0)
}

/// The kernel counts from its own start, which may be a minute ago. To it so many milliseconds are added, some 35 years.
const LONG_AGO: u64 = 1 << 40;

/// Since some moment decades ago, so that a 0 which was never set is long past. It never goes back.
pub(crate) fn steady() -> u64 {
    LONG_AGO + read(CLOCKS.1)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000) + nanos / 1_000_000
}
