//! How busy an endpoint is, and how fast.

use super::Crowd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The live figures of one endpoint that balancers compare. Counting is one atomic addition.
#[derive(Debug, Default)]
pub struct Load {
    in_flight: AtomicUsize,
    /// The moving average: microseconds as `f32` in the upper half, the moment in milliseconds, modulo 2^32,
    /// in the lower one. 0: nothing was measured yet.
    latency: AtomicU64,
    /// Where all requests of a group are counted, if they are.
    crowd: Option<Crowd>,
}

/// How fast the past is forgotten, in milliseconds: Kong's decay time of the algorithm `latency`.
const DECAY: f32 = 10_000.0;

impl Load {
    /// That of an endpoint whose requests count with those of others.
    #[must_use]
    pub fn in_crowd(crowd: &Crowd) -> Self {
        Self { crowd: Some(crowd.clone()), ..Self::default() }
    }

    /// Where its requests count with those of others.
    #[must_use]
    pub const fn crowd(&self) -> Option<&Crowd> {
        self.crowd.as_ref()
    }

    /// One request more.
    #[inline]
    pub fn enter(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        if let Some(crowd) = &self.crowd {
            crowd.enter();
        }
    }

    /// One request less.
    #[inline]
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
        if let Some(crowd) = &self.crowd {
            crowd.leave();
        }
    }

    /// Requests under way.
    #[inline]
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Takes a measured time, in microseconds, into the average. One that is longer than the average becomes
    /// the average (peak EWMA): trouble shows at once, and is forgotten over 10 s.
    pub fn observe(&self, micros: u32, now: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a time to seven digits is enough")]
        let measured = (micros as f32).max(1.0);
        let averaged = |packed: u64| {
            let Some((before, since)) = unpack(packed, now) else { return Some(pack(measured, now)) };
            let rest = (-since / DECAY).exp();
            let average = if measured > before { measured } else { before * rest + measured * (1.0 - rest) };
            Some(pack(average, now))
        };
        // Only `None` from the closure fails.
        let _ = self.latency.fetch_update(Relaxed, Relaxed, averaged);
    }

    /// The average in microseconds, less what time has made forgotten; none where nothing was measured.
    #[must_use]
    pub fn latency(&self, now: u64) -> Option<f32> {
        unpack(self.latency.load(Relaxed), now).map(|(average, since)| average * (-since / DECAY).exp())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "moments are compared modulo 2^32")]
fn pack(average: f32, now: u64) -> u64 {
    (u64::from(average.to_bits()) << 32) | u64::from(now as u32)
}

/// The average and how many milliseconds ago it was written.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "moments are compared modulo 2^32, ages to seven digits"
)]
fn unpack(packed: u64, now: u64) -> Option<(f32, f32)> {
    let average = f32::from_bits((packed >> 32) as u32);
    let since = (now as u32).wrapping_sub(packed as u32);
    // Two workers may see the clock in another order; then no time has passed.
    let since = if since > u32::MAX / 2 { 0 } else { since };
    (average > 0.0).then_some((average, since as f32))
}

impl AsRef<Self> for Load {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn a_peak_counts_at_once_and_fades() {
        let load = Load::default();
        assert_eq!(load.latency(5), None);
        load.observe(1_000, 5);
        assert_eq!(load.latency(5), Some(1_000.0));
        load.observe(50_000, 6);
        assert_eq!(load.latency(6), Some(50_000.0));
        load.observe(1_000, 1_006);
        let soon = load.latency(1_006).unwrap();
        assert!((40_000.0..50_000.0).contains(&soon), "{soon}");
        let late = load.latency(60_000).unwrap();
        assert!(late < 1_000.0, "{late}");
    }

    #[test]
    fn a_clock_that_wraps_or_is_seen_late_does_no_harm() {
        let load = Load::default();
        load.observe(1_000, u64::from(u32::MAX));
        let after = load.latency(u64::from(u32::MAX) + 1_000).unwrap();
        assert!((800.0..1_000.0).contains(&after), "{after}");
        assert_eq!(load.latency(u64::from(u32::MAX) - 5), Some(1_000.0));
    }
}
