//! What all windows of a limiter say together.

use plugin_contract::ratelimit::{Algorithm, Decision, State, Window};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smallvec::SmallVec;

use super::rule::{Cell, Rule};

/// Windows of a limiter.
pub(crate) const MOST_WINDOWS: usize = 8;

/// The windows of a limiter as rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules(SmallVec<[Rule; 2]>);

impl Rules {
    /// None where there are no windows or too many, one of them lets nothing through, or does not fit its numbers.
    pub(crate) fn new(algorithm: Algorithm, windows: &[Window]) -> Option<Self> {
        let sound = windows.iter().all(|window| window.limit > 0);
        if !sound || windows.is_empty() || windows.len() > MOST_WINDOWS {
            return None;
        }
        windows.iter().map(|&window| Rule::new(algorithm, window)).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.0.iter()
    }

    /// Decides, and counts in `cells`, which are those of the windows, if it is allowed.
    pub(crate) fn judge(&self, cells: &mut [Cell], now: u64, cost: u32) -> Verdict {
        let mut allowed = true;
        for (rule, cell) in self.iter().zip(cells.iter_mut()) {
            *cell = rule.roll(*cell, now);
            allowed &= rule.left(cell, now) >= wanted(cost);
        }
        if allowed {
            for (rule, cell) in self.iter().zip(cells.iter_mut()) {
                rule.count(cell, now, u64::from(cost));
            }
        }
        Verdict { allowed, windows: self.states(cells, now, cost) }
    }

    /// What is left in `cells`, which are rolled, after a call of that cost.
    pub(crate) fn states(&self, cells: &[Cell], now: u64, cost: u32) -> SmallVec<[State; 4]> {
        let state = |(rule, cell): (&Rule, &Cell)| State {
            limit: rule.window.limit,
            remaining: rule.left(cell, now),
            reset: seconds(rule.wait(cell, now, wanted(cost))),
        };
        self.iter().zip(cells).map(state).collect()
    }
}

/// What must be left: who only looks asks whether one more may happen.
pub(crate) fn wanted(cost: u32) -> u64 {
    u64::from(cost.max(1))
}

/// Whole seconds, rounded up, at least 1.
fn seconds(millis: u64) -> u32 {
    u32::try_from(millis.div_ceil(1_000).max(1)).unwrap_or(u32::MAX)
}

/// A [`Decision`] that needs no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may happen.
    pub allowed: bool,
    /// Each window, in the order of the limiter's.
    pub windows: SmallVec<[State; 4]>,
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Self {
        Self { allowed: decision.allowed, windows: decision.windows.into() }
    }
}

/// As a [`Decision`] is written.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Decision", 2)?;
        fields.serialize_field("allowed", &self.allowed)?;
        fields.serialize_field("windows", self.windows.as_slice())?;
        fields.end()
    }
}
