//! A failure that says when to come back.

use std::{error::Error as StdError, fmt, time::Duration};

/// The cause of a refusal that is over after a time: the answer has it as `Retry-After` (RFC 9110 section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub Duration);

impl RetryAfter {
    /// The time that `error` names, or what caused it.
    #[must_use]
    pub fn find(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(*found);
            }
            cause = error.source();
        }
        None
    }

    /// Whole seconds, at least one: who comes back sooner comes in vain.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        let whole = self.0.as_secs().saturating_add((self.0.subsec_nanos() > 0) as u64);
        if whole == 0 { 1 } else { whole }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "again after {} s", self.seconds())
    }
}

impl StdError for RetryAfter {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetryAfter;
    use crate::{Error, Reason};

    #[test]
    fn seconds_are_whole_and_never_none() {
        let seconds =
            [0, 1, 999, 1_000, 1_001, 60_000].map(|ms| RetryAfter(Duration::from_millis(ms)).seconds());
        assert_eq!(seconds, [1, 1, 1, 1, 2, 60]);
    }

    #[test]
    fn it_is_found_under_other_errors() {
        let error = Error::new(Reason::BreakerOpen, RetryAfter(Duration::from_secs(3)));
        assert_eq!(RetryAfter::find(&error), Some(RetryAfter(Duration::from_secs(3))));
        assert_eq!(RetryAfter::find(&Error::from(Reason::BreakerOpen)), None);
    }
}
