//! Limits within this process.

use plugin_contract::ratelimit::{Algorithm, Period};
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
            rules.iter().map(|rule| set.get(name, part(rule)).unwrap_or_default()).collect();
        let verdict = rules.judge(&mut cells, now, cost);
        for (rule, cell) in rules.iter().zip(cells) {
            if verdict.allowed && cost > 0 {
                set.put(name, part(rule), cell, now);
            } else if !verdict.allowed {
                set.hold(name, part(rule), cell);
            }
        }
        verdict
    }
}

/// What tells the windows of one key apart: an edit that adds one leaves the others as they are.
fn part(rule: &Rule) -> u64 {
    let period = match rule.window.period {
        Period::Second => 1,
        Period::Minute => 2,
        Period::Hour => 3,
        Period::Day => 4,
        Period::Month => 5,
        Period::Year => 6,
        Period::Seconds(seconds) => u64::from(seconds) << 8,
    };
    let algorithm = match rule.algorithm {
        Algorithm::Fixed => 0,
        Algorithm::Sliding => 1 << 62,
        Algorithm::Pace => 2 << 62,
    };
    period | algorithm
}
