//! Whether the provider was there when it was last asked, as all workers of the process know it.

use plugin_sdk::{
    contract,
    kv::{self, Only},
};
use serde::{Deserialize, Serialize};

/// A provider, by the address of its description.
#[derive(Debug)]
pub(crate) struct Reach {
    url: String,
}

/// How it was the last time. Without one nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    /// Seconds since 1970.
    at: u64,
    /// How often in a row it was not there.
    failed: u32,
}

/// Namespace of what is known.
const NAMESPACE: &str = "reached";
/// Seconds for which one that was there is taken to be there.
const GOOD: u64 = 5;
/// Seconds for which one that was not is left alone, at most.
const PAUSE: u64 = 2;
/// Seconds for which times in a row are counted.
const REMEMBERED: u32 = 60;

impl Reach {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    pub(crate) fn last(&self) -> Last {
        let known = kv::get(NAMESPACE, &self.url).ok().flatten();
        known.and_then(|(known, _)| contract::decode(&known)).unwrap_or_default()
    }

    /// It has answered.
    pub(crate) fn good(&self, now: u64) {
        self.note(Last { at: now, failed: 0 });
    }

    /// It has not answered what was asked at `since`; whatever is known of a time after that counts for more.
    pub(crate) fn failed(&self, since: u64) {
        let last = self.last();
        if last.at <= since {
            self.note(Last { at: since, failed: last.failed.saturating_add(1) });
        }
    }

    fn note(&self, last: Last) {
        // Where there is no room for it, everybody finds out.
        if let Ok(last) = contract::encode(&last, Vec::new()) {
            let _ = kv::set(NAMESPACE, &self.url, &last, Some(REMEMBERED), Only::Always);
        }
    }
}

impl Last {
    /// Whether it was there a moment ago.
    pub(crate) const fn is_good(self, now: u64) -> bool {
        self.failed == 0 && now < self.at + GOOD
    }

    /// Whether it is left alone now: for one second, and for two from the second time on.
    pub(crate) fn is_paused(self, now: u64) -> bool {
        now < self.at + PAUSE.min(self.failed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Last;

    #[test]
    fn one_that_was_not_there_is_left_alone_for_a_moment() {
        for (failed, good, paused) in [(0, 5, 0), (1, 0, 1), (2, 0, 2), (u32::MAX, 0, 2)] {
            let last = Last { at: 100, failed };
            for after in 0..9 {
                assert_eq!(last.is_good(100 + after), after < good, "{failed} times, {after} s");
                assert_eq!(last.is_paused(100 + after), after < paused, "{failed} times, {after} s");
            }
        }
        assert!(!Last::default().is_paused(0) && !Last::default().is_good(100));
    }
}
