//! What was found out of those who came before.

use std::collections::BTreeMap;

/// The newest agents, and whether they are refused. It has a bound: when half of it is full, the older half goes.
#[derive(Default)]
pub(crate) struct Seen {
    newer: BTreeMap<String, bool>,
    older: BTreeMap<String, bool>,
}

/// Agents in one half.
const HALF: usize = 512;

/// Longer ones are not kept.
const LONGEST: usize = 512;

impl Seen {
    /// Whether `agent` is refused; `judge` says so where it was not seen lately.
    pub(crate) fn judge(&mut self, agent: &str, judge: impl FnOnce(&str) -> bool) -> bool {
        if let Some(refused) = self.newer.get(agent) {
            return *refused;
        }
        let refused = self.older.remove(agent).unwrap_or_else(|| judge(agent));
        if agent.len() <= LONGEST {
            if self.newer.len() >= HALF {
                self.older = std::mem::take(&mut self.newer);
            }
            self.newer.insert(agent.to_owned(), refused);
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::{HALF, LONGEST, Seen};

    #[test]
    fn whoever_was_seen_lately_is_not_judged_again_and_there_is_a_bound() {
        let mut seen = Seen::default();
        assert!(seen.judge("a", |_| true));
        assert!(seen.judge("a", |_| unreachable!()));
        for at in 0..10 * HALF {
            assert!(!seen.judge(&at.to_string(), |_| false));
        }
        assert!(seen.newer.len() + seen.older.len() <= 2 * HALF);
        assert!(!seen.judge("a", |_| false), "forgotten");
        let long = "x".repeat(LONGEST + 1);
        assert!(seen.judge(&long, |_| true) && !seen.judge(&long, |_| false));
    }
}
