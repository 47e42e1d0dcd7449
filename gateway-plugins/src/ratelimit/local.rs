//! Limits within this process.

use smallvec::SmallVec;

use super::{
    rule::{Cell, Rule},
    verdict::{MOST_WINDOWS, Rules, Verdict},
};
use crate::table::{Expires, Name, Table};

impl Expires for Cell {
    fn until(&self) -> u64 {
        self.until
    }
}

/// What has happened in this process, for all limiters together.
#[derive(Debug)]
pub(crate) struct Local(Table<Cell>);

impl Local {
    /// Room for so many windows of keys, see [`Table`].
    pub(crate) fn new(slots: usize) -> Self {
        Self(Table::new(slots))
    }

    /// The name under which a limiter counts.
    pub(crate) fn name(&self, parts: &[&[u8]]) -> Name {
        self.0.name(parts)
    }

    /// Decides at `now`, milliseconds since 1970. A key that is known takes no memory.
    pub(crate) fn check(&self, limiter: Name, rules: &Rules, key: &str, cost: u32, now: u64) -> Verdict {
        let name = limiter.of(key.as_bytes());
        let mut set = self.0.set(name);
        let mut cells: SmallVec<[Cell; MOST_WINDOWS]> =
            rules.iter().map(|rule| set.get(name, rule.part()).unwrap_or_default()).collect();
        let verdict = rules.judge(&mut cells, now, cost);
        for (rule, cell) in rules.iter().zip(cells) {
            if verdict.allowed && cost > 0 {
                set.put(name, rule.part(), cell, now);
            } else if !verdict.allowed {
                set.hold(name, rule.part(), cell);
            }
        }
        verdict
    }

    /// Notes that a fixed window that began at `start` has counted at least `count`.
    pub(crate) fn raise(&self, name: Name, rule: &Rule, start: u64, count: u64, now: u64) {
        let mut set = self.0.set(name);
        let Some(mut cell) = set.get(name, rule.part()).filter(|cell| cell.start == start) else { return };
        cell.count = cell.count.max(count);
        set.put(name, rule.part(), cell, now);
    }
}

#[cfg(test)]
mod tests {
    use plugin_contract::ratelimit::{Algorithm, Period, Window};

    use super::{Local, Rules};

    /// Noon of a day, in milliseconds.
    const NOON: u64 = 1_700_049_600_000;

    fn rules(algorithm: Algorithm, windows: &[(Period, u64)]) -> Rules {
        let windows: Vec<_> = windows.iter().map(|&(period, limit)| Window { period, limit }).collect();
        Rules::new(algorithm, &windows).unwrap()
    }

    #[test]
    fn eight_threads_let_exactly_the_limit_through() {
        for algorithm in [Algorithm::Fixed, Algorithm::Sliding, Algorithm::Pace] {
            let (local, rules) =
                (Local::new(64), rules(algorithm, &[(Period::Hour, 100), (Period::Day, 1_000)]));
            let name = local.name(&[b"all"]);
            let one = || (0..100).filter(|_| local.check(name, &rules, "k", 1, NOON).allowed).count();
            let through: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(through, 100, "{algorithm:?}");
            let left = local.check(name, &rules, "k", 0, NOON).windows[1].remaining;
            assert_eq!(left, 900, "{algorithm:?}: what is refused in the hour is not counted in the day");
        }
    }

    #[test]
    fn a_flood_of_keys_frees_nobody() {
        let (local, rules) = (Local::new(1 << 12), rules(Algorithm::Fixed, &[(Period::Hour, 1)]));
        let name = local.name(&[]);
        assert!(local.check(name, &rules, "who is held back", 1, NOON).allowed);
        assert!(!local.check(name, &rules, "who is held back", 1, NOON).allowed);
        for key in 0..1_000_000 {
            local.check(name, &rules, &key.to_string(), 1, NOON);
        }
        assert!(!local.check(name, &rules, "who is held back", 1, NOON).allowed);
    }

    #[test]
    fn an_edit_goes_on_with_what_was_counted() {
        let local = Local::new(64);
        let name = local.name(&[]);
        let before = rules(Algorithm::Fixed, &[(Period::Minute, 3)]);
        local.check(name, &before, "k", 2, NOON);
        let after = rules(Algorithm::Fixed, &[(Period::Minute, 10), (Period::Hour, 20)]);
        let windows = local.check(name, &after, "k", 1, NOON).windows;
        assert_eq!((windows[0].remaining, windows[1].remaining), (7, 19));
        let tighter = rules(Algorithm::Fixed, &[(Period::Minute, 1)]);
        let verdict = local.check(name, &tighter, "k", 1, NOON);
        assert_eq!((verdict.allowed, verdict.windows[0].remaining), (false, 0));
    }

    #[test]
    fn what_can_be_is_made_and_nothing_else() {
        let window = |limit| Window { period: Period::Year, limit };
        assert_eq!(Rules::new(Algorithm::Fixed, &[]), None);
        assert_eq!(Rules::new(Algorithm::Fixed, &[window(0)]), None);
        assert_eq!(Rules::new(Algorithm::Fixed, &[window(1); 9]), None);
        assert_eq!(Rules::new(Algorithm::Pace, &[window(u64::MAX)]), None);
        // Numbers of any size neither overflow nor let more through.
        for algorithm in [Algorithm::Fixed, Algorithm::Sliding] {
            let (local, rules) = (Local::new(16), Rules::new(algorithm, &[window(u64::MAX); 8]).unwrap());
            for now in [0, NOON, u64::MAX, 5] {
                assert!(local.check(local.name(&[]), &rules, "k", u32::MAX, now).allowed);
            }
        }
    }
}
