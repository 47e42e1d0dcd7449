//! How changes of the configuration went.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::times;

/// The longest failure that is kept, bytes: `/status` is asked often.
const LONGEST: usize = 4 << 10;

/// Counts changes that were taken and refused, and remembers the last failure.
#[derive(Debug)]
pub struct Loads(Mutex<Outcome>);

/// What became of all changes so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// Changes taken.
    pub succeeded: u64,
    /// Changes refused, and files that could not be read.
    pub failed: u64,
    /// When the configuration that runs was taken, Unix seconds.
    pub last_success: u64,
    /// What was wrong with the last one, if it failed.
    pub failure: Option<Failure>,
}

/// A change that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// When, Unix seconds.
    pub at: u64,
    /// Why, one reason a line; cut after 4 KiB.
    pub message: String,
}

impl Loads {
    /// Nothing was changed yet; what runs was taken now.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(Outcome { last_success: times::unix(), ..Outcome::default() }))
    }

    /// What became of all changes so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.lock().clone()
    }

    pub(crate) fn succeed(&self) {
        let mut outcome = self.lock();
        outcome.succeeded += 1;
        outcome.last_success = times::unix();
        outcome.failure = None;
    }

    pub(crate) fn fail(&self, mut message: String) {
        message.truncate(message.floor_char_boundary(LONGEST));
        let mut outcome = self.lock();
        outcome.failed += 1;
        outcome.failure = Some(Failure { at: times::unix(), message });
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Loads {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Loads;

    #[test]
    fn a_long_failure_is_cut_between_characters() {
        let loads = Loads::new();
        loads.fail(format!("a{}", "é".repeat(4096)));
        let kept = loads.outcome().failure.map(|failure| failure.message);
        assert_eq!(kept.map(|message| message.len()), Some(4095));
    }
}
