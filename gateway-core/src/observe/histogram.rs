//! Latencies counted into Kong's buckets.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds in milliseconds, ends included, of what the gateway itself took (compat P51).
pub(super) const GATEWAY: [u32; 17] =
    [1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];

/// Upper bounds in milliseconds, ends included, of what the upstream and the whole request took.
pub(super) const REQUEST: [u32; 13] = [25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000];

/// One latency of one route on one worker. `N` is the number of bounds.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    buckets: [AtomicU64; N],
    /// Above the last bound.
    over: AtomicU64,
    micros: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            over: AtomicU64::new(0),
            micros: AtomicU64::new(0),
        }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts `latency` among the bounds, which are in milliseconds and ascend.
    pub(super) fn observe(&self, bounds: &[u32; N], latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = bounds.iter().zip(&self.buckets).find(|(bound, _)| micros <= u64::from(**bound) * 1000);
        bucket.map_or(&self.over, |(_, bucket)| bucket).fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }
}

/// The sum of a latency over all workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distribution<const N: usize> {
    buckets: [u64; N],
    over: u64,
    micros: u64,
}

impl<const N: usize> Default for Distribution<N> {
    fn default() -> Self {
        Self { buckets: [0; N], over: 0, micros: 0 }
    }
}

impl<const N: usize> Distribution<N> {
    pub(super) fn add(&mut self, histogram: &Histogram<N>) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Relaxed);
        }
        self.over += histogram.over.load(Relaxed);
        self.micros = self.micros.saturating_add(histogram.micros.load(Relaxed));
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.over
    }

    /// In milliseconds.
    pub(super) fn sum(&self) -> f64 {
        self.micros as f64 / 1000.0
    }

    /// Bounds in milliseconds with the count of each bucket alone, infinity last.
    pub(super) fn buckets(&self, bounds: &[u32; N]) -> Vec<(f64, u64)> {
        let bounds = bounds.iter().copied().map(f64::from).chain([f64::INFINITY]);
        bounds.zip(self.buckets.iter().copied().chain([self.over])).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Distribution, GATEWAY, Histogram};

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::default();
        for micros in [0, 1000, 1001, 6_000_000, 6_000_001] {
            histogram.observe(&GATEWAY, Duration::from_micros(micros));
        }
        let mut sum = Distribution::default();
        sum.add(&histogram);
        let buckets = sum.buckets(&GATEWAY);
        assert_eq!(buckets.first(), Some(&(1.0, 2)));
        assert_eq!(buckets.get(1), Some(&(2.0, 1)));
        assert_eq!(buckets.get(16), Some(&(6000.0, 1)));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
        assert_eq!((sum.count(), sum.sum()), (5, 12002.002));
    }
}
