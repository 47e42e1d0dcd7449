//! Limits in fixed windows, on the test's clock.

use std::{collections::BTreeMap, time::Duration};

use plugin_contract::ratelimit::{Decision, Period, State, Window};

/// What has been counted: by limiter, key, the window's place in the list, and its beginning.
#[derive(Default)]
pub(super) struct Limiters {
    limiters: Vec<Limiter>,
    counts: BTreeMap<(u32, String, usize, u64), u64>,
}

/// A limiter: the same one wherever all of it is the same.
#[derive(PartialEq, Eq)]
pub(super) struct Limiter {
    pub(super) name: String,
    pub(super) windows: Vec<Window>,
    /// Whether its answers take time.
    pub(super) late: bool,
}

impl Limiters {
    pub(super) fn number(&mut self, limiter: Limiter) -> u32 {
        let at = self.limiters.iter().position(|known| *known == limiter).unwrap_or_else(|| {
            self.limiters.push(limiter);
            self.limiters.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    pub(super) fn limiter(&self, number: u32) -> Option<&Limiter> {
        self.limiters.get(usize::try_from(number).ok()?)
    }

    /// Counts in all windows, or in none; nothing where there is no such limiter.
    pub(super) fn check(&mut self, limiter: u32, key: &str, cost: u32, now: Duration) -> Option<Decision> {
        let Self { limiters, counts } = self;
        let windows = &limiters.get(usize::try_from(limiter).ok()?)?.windows;
        let now = now.as_secs();
        let spans: Vec<_> = windows.iter().map(|window| span(window.period, now)).collect();
        let cell = |at: usize| (limiter, key.to_owned(), at, spans.get(at).map_or(0, |(start, _)| *start));
        let counted = |at| counts.get(&cell(at)).copied().unwrap_or_default();
        let cost = u64::from(cost);
        // Who only looks asks for a call that costs 1.
        let asked = cost.max(1);
        let allowed = windows.iter().enumerate().all(|(at, window)| counted(at) + asked <= window.limit);
        let counted: Vec<_> =
            (0..windows.len()).map(|at| counted(at) + if allowed { cost } else { 0 }).collect();
        for (at, count) in counted.iter().enumerate() {
            counts.insert(cell(at), *count);
        }
        let states = windows.iter().zip(&counted).zip(&spans);
        let state = |((window, count), (_, end)): ((&Window, &u64), &(u64, u64))| State {
            limit: window.limit,
            remaining: window.limit.saturating_sub(*count),
            reset: u32::try_from(end - now).unwrap_or(u32::MAX),
        };
        Some(Decision { allowed, windows: states.map(state).collect() })
    }
}

/// The beginning and the end of the window around `now`, in seconds since 1970: aligned to the clock.
fn span(period: Period, now: u64) -> (u64, u64) {
    let length = match period {
        Period::Second => 1,
        Period::Minute => 60,
        Period::Hour => 3_600,
        Period::Day => 86_400,
        Period::Seconds(seconds) => u64::from(seconds.max(1)),
        Period::Month => {
            let (year, month) = month(now);
            return (first_of(year, month), first_of(year + month / 12, month % 12 + 1));
        }
        Period::Year => {
            let (year, _) = month(now);
            return (first_of(year, 1), first_of(year + 1, 1));
        }
    };
    let start = now / length * length;
    (start, start + length)
}

/// The year and the month that a time is in (Gregorian calendar, UTC).
fn month(now: u64) -> (u64, u64) {
    let mut year = 1970;
    while first_of(year + 1, 1) <= now {
        year += 1;
    }
    let month = (2..=12).take_while(|month| first_of(year, *month) <= now).count();
    (year, u64::try_from(month).unwrap_or_default() + 1)
}

/// The first second of a month.
fn first_of(year: u64, month: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = leaps(year) > leaps(year - 1);
    let before: u64 = (1..month)
        .map(|month| match month {
            2 => 28 + u64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        })
        .sum();
    ((year - 1970) * 365 + leaps(year - 1) - leaps(1969) + before) * 86_400
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plugin_contract::ratelimit::{Period, Window};

    use super::{Limiter, Limiters, span};

    #[test]
    fn windows_are_aligned_to_the_clock_and_the_calendar() {
        // 2024-02-29T12:34:56Z
        let now = 1_709_210_096;
        for (period, start, end) in [
            (Period::Second, now, now + 1),
            (Period::Minute, 1_709_210_040, 1_709_210_100),
            (Period::Day, 1_709_164_800, 1_709_251_200),
            (Period::Month, 1_706_745_600, 1_709_251_200),
            (Period::Year, 1_704_067_200, 1_735_689_600),
        ] {
            assert_eq!(span(period, now), (start, end), "{period:?}");
        }
        // 2025-12-31T23:59:59Z
        assert_eq!(span(Period::Month, 1_767_225_599), (1_764_547_200, 1_767_225_600));
    }

    #[test]
    fn what_is_refused_in_one_window_is_counted_in_none() {
        let windows =
            vec![Window { period: Period::Minute, limit: 2 }, Window { period: Period::Hour, limit: 3 }];
        let mut limiters = Limiters::default();
        let limiter = || Limiter { name: "n".to_owned(), windows: windows.clone(), late: false };
        let number = limiters.number(limiter());
        assert_eq!(limiters.number(limiter()), number);
        let mut check = |seconds| {
            let decision = limiters.check(number, "k", 1, Duration::from_secs(seconds)).unwrap();
            (decision.allowed, decision.windows[0].remaining, decision.windows[1].remaining)
        };
        assert_eq!(check(0), (true, 1, 2));
        assert_eq!(check(1), (true, 0, 1));
        assert_eq!(check(2), (false, 0, 1), "the minute is used up, and the hour not touched");
        assert_eq!(check(60), (true, 1, 0));
        assert_eq!(check(61), (false, 1, 0));
        assert!(limiters.check(9, "k", 1, Duration::ZERO).is_none());
    }
}
