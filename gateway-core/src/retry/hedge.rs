//! When a request that is slow is asked a second time, at another endpoint.

use std::time::Duration;

use crate::split::Times;

/// When a second try begins beside the first one. Default: after the time that 95 of 100 answers stay below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// The share of answers that come before it, in percent. Default 95.
    pub quantile: f64,
    /// So many answers must be known. Default 100.
    pub minimum: u32,
    /// It begins no sooner. Default 10 ms.
    pub shortest: Duration,
    /// It begins no later. Default 1 s.
    pub longest: Duration,
}

impl Default for Hedge {
    fn default() -> Self {
        Self {
            quantile: 95.0,
            minimum: 100,
            shortest: Duration::from_millis(10),
            longest: Duration::from_secs(1),
        }
    }
}

/// How long the answers of a service took in the last minute or two. Times are milliseconds of a clock that does not
/// go back.
///
/// ```
/// use std::time::Duration;
/// use gateway_core::retry::{Hedge, Pace};
///
/// let hedge = Hedge { minimum: 2, ..Hedge::default() };
/// let mut pace = Pace::default();
/// pace.add(Duration::from_millis(50), 0);
/// assert_eq!(pace.delay(&hedge), None);
/// pace.add(Duration::from_millis(50), 1);
/// let delay = pace.delay(&hedge).unwrap();
/// assert!(delay >= Duration::from_millis(50) && delay < Duration::from_millis(56));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pace {
    halves: [Times; 2],
    begun: Option<u64>,
}

/// After so many milliseconds the older half is forgotten.
const HALF: u64 = 60_000;

impl Pace {
    /// One more answer.
    pub fn add(&mut self, took: Duration, now: u64) {
        let gone = now.saturating_sub(*self.begun.get_or_insert(now));
        if gone > HALF {
            let [young, old] = &mut self.halves;
            let before = std::mem::take(young);
            *old = if gone > 2 * HALF { Times::default() } else { before };
            self.begun = Some(now);
        }
        let [young, _] = &mut self.halves;
        young.add(took);
    }

    /// When a second try begins; none while too little is known.
    #[must_use]
    pub fn delay(&self, hedge: &Hedge) -> Option<Duration> {
        let known: u64 = self.halves.iter().map(Times::count).sum();
        if known < u64::from(hedge.minimum) {
            return None;
        }
        let delay = Times::quantile(self.halves.each_ref(), hedge.quantile)?;
        Some(delay.clamp(hedge.shortest.min(hedge.longest), hedge.longest))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{HALF, Hedge, Pace};

    #[test]
    fn it_begins_when_most_answers_would_have_come_and_within_its_limits() {
        let hedge = Hedge { minimum: 100, ..Hedge::default() };
        let mut pace = Pace::default();
        for number in 0..100 {
            assert_eq!(pace.delay(&hedge), None);
            pace.add(Duration::from_millis(if number < 95 { 20 } else { 5_000 }), 0);
        }
        let delay = pace.delay(&hedge).unwrap();
        assert!((20..23).contains(&delay.as_millis()), "{delay:?}");
        let late = Hedge { quantile: 99.0, ..hedge };
        assert_eq!(pace.delay(&late), Some(hedge.longest));
        let early = Hedge { shortest: Duration::from_millis(100), ..hedge };
        assert_eq!(pace.delay(&early), Some(early.shortest));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let hedge = Hedge { minimum: 2, ..Hedge::default() };
        let mut pace = Pace::default();
        pace.add(Duration::from_millis(50), 0);
        pace.add(Duration::from_millis(50), HALF + 1);
        assert!(pace.delay(&hedge).is_some(), "the older half still counts");
        pace.add(Duration::from_millis(50), 4 * HALF);
        assert_eq!(pace.delay(&hedge), None);
    }
}
