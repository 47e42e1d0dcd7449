//! When windows begin and end: aligned to UTC, as Kong's.

use plugin_contract::ratelimit::Period;
use time::{Date, Month, OffsetDateTime};

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400 * SECOND;

/// A window of time: milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its first millisecond.
    pub(crate) start: u64,
    /// The first one after it.
    pub(crate) end: u64,
}

/// How long a period is where the calendar does not say: milliseconds.
pub(crate) fn length(period: Period) -> u64 {
    match period {
        Period::Second => SECOND,
        Period::Minute => 60 * SECOND,
        Period::Hour => 3_600 * SECOND,
        Period::Day => DAY,
        Period::Month => 30 * DAY,
        Period::Year => 365 * DAY,
        Period::Seconds(seconds) => u64::from(seconds.max(1)) * SECOND,
    }
}

/// The window that `now` is in.
pub(crate) fn span(period: Period, now: u64) -> Span {
    match period {
        Period::Month | Period::Year => calendar(period, now).unwrap_or_else(|| plain(period, now)),
        _ => plain(period, now),
    }
}

fn plain(period: Period, now: u64) -> Span {
    let length = length(period);
    let start = now - now % length;
    Span { start, end: start.saturating_add(length) }
}

/// Nothing beyond the year 9999.
fn calendar(period: Period, now: u64) -> Option<Span> {
    let today = OffsetDateTime::from_unix_timestamp(i64::try_from(now / SECOND).ok()?).ok()?;
    let (year, month) = (today.year(), today.month());
    let (first, next) = match (period, month) {
        (Period::Year, _) => ((year, Month::January), (year + 1, Month::January)),
        (_, Month::December) => ((year, month), (year + 1, Month::January)),
        _ => ((year, month), (year, month.next())),
    };
    Some(Span { start: millis(first)?, end: millis(next)? })
}

/// The first moment of a month.
fn millis((year, month): (i32, Month)) -> Option<u64> {
    let first = Date::from_calendar_date(year, month, 1).ok()?.midnight().assume_utc();
    u64::try_from(first.unix_timestamp()).ok()?.checked_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use plugin_contract::ratelimit::Period;
    use proptest::prelude::*;

    use super::{DAY, Span, span};

    const ALL: [Period; 9] = [
        Period::Second,
        Period::Minute,
        Period::Hour,
        Period::Day,
        Period::Month,
        Period::Year,
        Period::Seconds(1),
        Period::Seconds(10),
        Period::Seconds(u32::MAX),
    ];

    /// Days of a month, by the rule of the Gregorian calendar.
    fn days(year: u64, month: u64) -> u64 {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// The month and the year that `now` is in, by walking there from 1970.
    fn walked(now: u64) -> (Span, Span) {
        let (mut year, mut start) = (1970, 0);
        loop {
            let length = (1..=12).map(|month| days(year, month)).sum::<u64>() * DAY;
            let whole = Span { start, end: start + length };
            if now >= whole.end {
                (year, start) = (year + 1, whole.end);
                continue;
            }
            for month in 1..=12 {
                let end = start + days(year, month) * DAY;
                if now < end {
                    return (Span { start, end }, whole);
                }
                start = end;
            }
        }
    }

    proptest! {
        #[test]
        fn now_is_within_and_neighbours_touch(now in 0..7_000_000_000_000_u64) {
            for period in ALL {
                let this = span(period, now);
                prop_assert!(this.start <= now && now < this.end, "{period:?}");
                prop_assert_eq!(span(period, this.start), this);
                prop_assert_eq!(span(period, this.end - 1), this);
                prop_assert_eq!(span(period, this.end).start, this.end);
            }
        }

        #[test]
        fn months_and_years_are_those_of_the_calendar(now in 0..7_000_000_000_000_u64) {
            let (month, year) = walked(now);
            prop_assert_eq!(span(Period::Month, now), month);
            prop_assert_eq!(span(Period::Year, now), year);
        }
    }

    #[test]
    fn no_moment_is_too_far() {
        for period in ALL {
            let this = span(period, u64::MAX);
            assert!(this.start < this.end, "{period:?}");
        }
    }
}
