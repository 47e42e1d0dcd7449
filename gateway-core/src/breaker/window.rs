//! Calls of the last while.

/// Counts of calls over the last while, in ten slots that are used in turn: a call is forgotten after nine to ten
/// tenths of the window. Times are milliseconds of any clock; one that goes back is taken to stand still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    slots: [Counts; SLOTS],
    sum: Counts,
    /// How long a slot is; another length begins a new window.
    width: u64,
    /// The number of the newest slot, counted from the clock's zero.
    newest: u64,
}

const SLOTS: usize = 10;

/// Calls, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that were slow.
    pub slow: u32,
}

impl Window {
    /// Counts a call in a window of `length` milliseconds; gives what is in the window then.
    pub fn record(&mut self, length: u64, now: u64, failed: bool, slow: bool) -> Counts {
        self.advance(length, now);
        let call = Counts { calls: 1, failures: failed.into(), slow: slow.into() };
        if let Some(slot) = self.slots.get_mut(slot_of(self.newest)) {
            *slot = slot.plus(call);
        }
        self.sum = self.sum.plus(call);
        self.sum
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Goes on to the slot of `now`; those that lie too far back are emptied.
    fn advance(&mut self, length: u64, now: u64) {
        let width = (length / SLOTS as u64).max(1);
        let slot = now / width;
        if width != self.width || slot >= self.newest.saturating_add(SLOTS as u64) {
            *self = Self { width, newest: slot, ..Self::default() };
        }
        while self.newest < slot {
            self.newest += 1;
            if let Some(old) = self.slots.get_mut(slot_of(self.newest)) {
                self.sum = self.sum.minus(std::mem::take(old));
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the rest is below ten")]
const fn slot_of(number: u64) -> usize {
    (number % SLOTS as u64) as usize
}

impl Counts {
    const fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failures: self.failures.saturating_add(other.failures),
            slow: self.slow.saturating_add(other.slow),
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            failures: self.failures.saturating_sub(other.failures),
            slow: self.slow.saturating_sub(other.slow),
        }
    }

    /// Whether `part` of the calls is at least this share, in percent; 0 is never reached.
    pub(super) const fn reaches(self, part: u32, percent: u8) -> bool {
        percent > 0 && part as u64 * 100 >= self.calls as u64 * percent as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Window;

    proptest! {
        #[test]
        fn it_counts_what_a_list_of_all_calls_counts(
            calls in proptest::collection::vec((0u64..400, any::<bool>(), any::<bool>()), 1..300),
            length in 10u64..2_000,
        ) {
            let (mut window, mut all, mut now) = (Window::default(), Vec::new(), 7);
            let width = length / 10;
            for (step, failed, slow) in calls {
                now += step;
                all.push((now / width, failed, slow));
                let sum = window.record(length, now, failed, slow);
                let recent: Vec<_> = all.iter().filter(|(slot, ..)| slot + 10 > now / width).collect();
                prop_assert_eq!(sum.calls as usize, recent.len());
                prop_assert_eq!(sum.failures as usize, recent.iter().filter(|call| call.1).count());
                prop_assert_eq!(sum.slow as usize, recent.iter().filter(|call| call.2).count());
            }
        }
    }

    #[test]
    fn another_length_begins_a_new_window_and_a_clock_that_goes_back_stands_still() {
        let mut window = Window::default();
        window.record(1_000, 5_000, true, false);
        assert_eq!(window.record(1_000, 4_000, false, false).calls, 2);
        assert_eq!(window.record(2_000, 5_000, false, false).calls, 1);
    }
}
