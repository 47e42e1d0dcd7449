//! How much of a worker a plugin may take for what no request waits for. Pure: the time comes in.

use std::time::{Duration, Instant};

/// A plugin's share of a worker for ticks, queues and callouts of its own. Callbacks are bounded one by one; many short
/// ones after each other are bounded here. What was taken is paid for by waiting, and a little may be taken on credit, so
/// that who does little never waits.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// When all that was taken is paid for.
    paid: Option<Instant>,
}

/// One part of the time in so many.
const ONE_IN: u32 = 10;
/// What may be unpaid while more is taken: one millisecond of work.
const CREDIT: Duration = Duration::from_millis(10);
/// What the host spends around the shortest callback.
const LEAST: Duration = Duration::from_micros(2);

impl Share {
    /// How long the next callback has to wait.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let unpaid = self.paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now));
        unpaid.saturating_sub(CREDIT)
    }

    /// A callback took so much.
    pub(crate) fn took(&mut self, now: Instant, time: Duration) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(from + time.max(LEAST) * ONE_IN);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Share;

    const MS: Duration = Duration::from_millis(1);

    /// How much is taken within a second, by callbacks of this length that follow each other as soon as they may.
    fn taken(each: Duration) -> Duration {
        let (mut share, start, mut taken) = (Share::default(), Instant::now(), Duration::ZERO);
        let mut now = start;
        while now < start + 1_000 * MS {
            now += share.wait(now) + each;
            share.took(now, each);
            taken += each;
        }
        taken
    }

    #[test]
    fn whoever_takes_all_it_can_gets_a_tenth() {
        for each in [Duration::from_micros(2), Duration::from_micros(50), MS, 3 * MS] {
            let taken = taken(each);
            assert!((80 * MS..=110 * MS).contains(&taken), "{each:?}: {taken:?}");
        }
        assert!(taken(Duration::from_nanos(100)) < 10 * MS, "what the host spends counts");
    }

    #[test]
    fn whoever_takes_little_never_waits() {
        let (mut share, mut now) = (Share::default(), Instant::now());
        for _ in 0..1_000 {
            now += 10 * MS;
            assert_eq!(share.wait(now), Duration::ZERO);
            share.took(now, MS / 2);
        }
    }
}
