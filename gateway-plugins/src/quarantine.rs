//! When a plugin that keeps failing is left alone for a while. Pure: the time comes in.

use std::time::{Duration, Instant};

use crate::Limits;

/// Counts the traps of a plugin. After so many within a window it is shut out, each time that it happens again soon
/// for twice as long; a quiet time as long as the longest shut-out forgives everything.
#[derive(Debug)]
pub(crate) struct Quarantine {
    traps: u32,
    window: Duration,
    first: Duration,
    most: Duration,
    /// When the window began, and the traps in it.
    counted: Option<(Instant, u32)>,
    /// How long the last one was, and when it ends or ended.
    last: Option<(Duration, Instant)>,
}

impl Quarantine {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self {
            traps: limits.traps,
            window: limits.trap_window,
            first: limits.quarantine,
            most: limits.quarantine_most,
            counted: None,
            last: None,
        }
    }

    /// Notes a trap; whether it begins a quarantine.
    pub(crate) fn trapped(&mut self, now: Instant) -> bool {
        if self.until(now).is_some() {
            // An instance of another worker, which was left to end by itself.
            return false;
        }
        let count = match self.counted {
            Some((since, count)) if now.duration_since(since) < self.window => {
                self.counted = Some((since, count + 1));
                count + 1
            }
            _ => {
                self.counted = Some((now, 1));
                1
            }
        };
        // After a quarantine one trap is enough: the plugin is on probation.
        let probation = self.last.is_some_and(|(length, until)| now < until + length);
        if count < self.traps && !probation {
            return false;
        }
        let length = match self.last {
            Some((length, until)) if now < until + self.most => (length * 2).min(self.most),
            _ => self.first,
        };
        self.counted = None;
        self.last = Some((length, now + length));
        true
    }

    /// Until when it is shut out, if it is.
    pub(crate) fn until(&self, now: Instant) -> Option<Instant> {
        self.last.map(|(_, until)| until).filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Quarantine;
    use crate::Limits;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn traps_far_apart_do_no_harm() {
        let (mut quarantine, mut now) = (Quarantine::new(&Limits::default()), Instant::now());
        for _ in 0..50 {
            assert!(!quarantine.trapped(now));
            now += 3 * SECOND;
        }
        assert_eq!(quarantine.until(now), None);
    }

    #[test]
    fn the_fifth_within_the_window_shuts_it_out_and_each_relapse_for_twice_as_long() {
        let (mut quarantine, start) = (Quarantine::new(&Limits::default()), Instant::now());
        for _ in 0..4 {
            assert!(!quarantine.trapped(start));
        }
        assert!(quarantine.trapped(start));
        assert_eq!(quarantine.until(start), Some(start + SECOND));
        let mut now = start + SECOND;
        assert_eq!(quarantine.until(now), None, "it may try again");
        for length in [2, 4, 8, 16, 32, 60, 60] {
            assert!(quarantine.trapped(now), "one trap on probation");
            assert_eq!(quarantine.until(now), Some(now + length * SECOND));
            now += length * SECOND;
        }
    }

    #[test]
    fn a_long_quiet_time_forgives() {
        let (mut quarantine, start) = (Quarantine::new(&Limits::default()), Instant::now());
        assert_eq!((0..5).filter(|_| quarantine.trapped(start)).count(), 1);
        let later = start + 120 * SECOND;
        for _ in 0..4 {
            assert!(!quarantine.trapped(later));
        }
        assert!(quarantine.trapped(later));
        assert_eq!(quarantine.until(later), Some(later + SECOND));
    }
}
