//! The rules beside models that remember all that happened.

use plugin_contract::ratelimit::{Algorithm, Period, Window};
use proptest::{collection::vec, prelude::*};

use super::{calendar::span, local::Local, verdict::Rules};

/// A moment at the end of February 2024, in milliseconds.
const BEGIN: u64 = 1_709_251_190_000;

/// One question: how much later it comes, and its cost.
type Step = (u64, u32);

fn steps(longest: u64) -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![0..5_u64, 0..longest / 4, 0..3 * longest];
    vec((pause, 0..4_u32), 1..60)
}

fn rules(algorithm: Algorithm, windows: &[Window]) -> Rules {
    Rules::new(algorithm, windows).unwrap()
}

/// All that was let through: when, and how much.
#[derive(Default)]
struct Past(Vec<Step>);

impl Past {
    fn sum(&self, from: u64, to: u64) -> u64 {
        self.0.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, cost)| u64::from(*cost)).sum()
    }
}

fn periods() -> impl Strategy<Value = Period> {
    prop_oneof![
        Just(Period::Second),
        Just(Period::Minute),
        Just(Period::Day),
        Just(Period::Month),
        (1..20_u32).prop_map(Period::Seconds),
    ]
}

proptest! {
    #[test]
    fn fixed_windows_let_through_what_fits_all_of_them(
        (wide, steps) in periods().prop_flat_map(|wide| {
            let longest = super::calendar::length(wide);
            (Just(wide), steps(longest))
        }),
        limits in (1..8_u64, 1..20_u64),
    ) {
        let windows = [Window { period: Period::Second, limit: limits.0 }, Window { period: wide, limit: limits.1 }];
        let (local, rules) = (Local::new(16), rules(Algorithm::Fixed, &windows));
        let name = local.name(&[]);
        let (mut past, mut now) = (Past::default(), BEGIN);
        for (pause, cost) in steps {
            now += pause;
            let used = |window: &Window| {
                let span = span(window.period, now);
                past.sum(span.start, span.end)
            };
            let fits = |window: &Window| used(window) + u64::from(cost.max(1)) <= window.limit;
            // Two windows of one length are one counter, whose limits hold both.
            let same = wide == Period::Second || wide == Period::Seconds(1);
            let allowed = windows.iter().all(fits);
            let verdict = local.check(name, &rules, "k", cost, now);
            prop_assert_eq!(verdict.allowed, allowed);
            if allowed {
                past.0.push((now, cost));
            }
            for (state, window) in verdict.windows.iter().zip(&windows) {
                let span = span(window.period, now);
                if !same {
                    prop_assert_eq!(state.remaining, window.limit - past.sum(span.start, span.end));
                }
                prop_assert_eq!(u64::from(state.reset), (span.end - now).div_ceil(1_000));
            }
        }
    }

    #[test]
    fn a_sliding_window_weighs_the_one_before(steps in steps(10_000), limit in 1..12_u64) {
        let windows = [Window { period: Period::Seconds(10), limit }];
        let (local, rules) = (Local::new(16), rules(Algorithm::Sliding, &windows));
        let name = local.name(&[]);
        let (mut past, mut now) = (Past::default(), BEGIN);
        for (pause, cost) in steps {
            now += pause;
            let start = now / 10_000 * 10_000;
            let (older, newer) = (past.sum(start - 10_000, start), past.sum(start, now + 1));
            // In ten-thousandths, so that nothing is rounded.
            let counts = |cost: u64| (newer + cost) * 10_000 + older * (start + 10_000 - now);
            let allowed = counts(u64::from(cost.max(1))) <= limit * 10_000;
            let verdict = local.check(name, &rules, "k", cost, now);
            prop_assert_eq!(verdict.allowed, allowed);
            if allowed {
                past.0.push((now, cost));
            }
        }
    }

    /// GCRA as "virtual scheduling" (ITU-T I.371): a theoretical time of arrival, here in exact fractions.
    #[test]
    fn an_even_pace_keeps_to_the_theoretical_time_of_arrival(steps in steps(10_000), limit in 1..12_u64) {
        let windows = [Window { period: Period::Seconds(10), limit }];
        let (local, rules) = (Local::new(16), rules(Algorithm::Pace, &windows));
        let name = local.name(&[]);
        let (mut arrival, mut now) = (0_u64, BEGIN);
        for (pause, cost) in steps {
            now += pause;
            // Times are multiplied by the limit: one call moves the time of arrival by 10 s.
            let at = arrival.max(now * limit);
            let next = |cost: u32| at + u64::from(cost) * 10_000;
            let allowed = next(cost.max(1)) <= (now + 10_000) * limit;
            let verdict = local.check(name, &rules, "k", cost, now);
            prop_assert_eq!(verdict.allowed, allowed);
            if allowed {
                arrival = next(cost);
            }
            prop_assert_eq!(verdict.windows[0].remaining, ((now + 10_000) * limit - arrival.max(at)) / 10_000);
        }
    }

    /// Who waits as long as told, to the second, is let through; where windows are not aligned, and a second less
    /// was not enough.
    #[test]
    fn the_reset_is_when_to_come_back(
        algorithm in prop_oneof![Just(Algorithm::Fixed), Just(Algorithm::Sliding), Just(Algorithm::Pace)],
        steps in steps(10_000), limit in 3..12_u64,
    ) {
        let windows = [Window { period: Period::Seconds(10), limit }];
        let (local, rules) = (Local::new(16), rules(algorithm, &windows));
        let name = local.name(&[]);
        let mut now = BEGIN;
        for (pause, cost) in steps {
            now += pause;
            let verdict = local.check(name, &rules, "k", cost, now);
            if verdict.allowed {
                continue;
            }
            let reset = u64::from(verdict.windows[0].reset) * 1_000;
            if cost < 2 {
                prop_assert!(local.check(name, &rules, "k", 0, now + reset).allowed);
            }
            if reset > 1_000 {
                prop_assert!(!local.check(name, &rules, "k", cost, now + reset - 1_000).allowed);
            }
        }
    }

    #[test]
    fn no_clock_that_jumps_gives_a_second_go(
        algorithm in prop_oneof![Just(Algorithm::Fixed), Just(Algorithm::Sliding), Just(Algorithm::Pace)],
        back in vec(0..100_000_u64, 1..40),
    ) {
        let windows = [Window { period: Period::Minute, limit: 5 }];
        let (local, rules) = (Local::new(16), rules(algorithm, &windows));
        let name = local.name(&[]);
        let mut through = 0;
        let mut now = BEGIN;
        for back in back {
            now -= back;
            through += u32::from(local.check(name, &rules, "k", 1, now).allowed);
        }
        prop_assert!(through <= 5);
        // Nobody waits for the time from which the clock jumped.
        prop_assert!(local.check(name, &rules, "k", 1, now + 120_000).allowed);
    }
}
