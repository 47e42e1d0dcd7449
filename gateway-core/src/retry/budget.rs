//! How many tries may be repetitions.

/// The share of requests that may be repeated, and how many besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// So many repetitions for a hundred requests. Default 20.
    pub percent: u32,
    /// So many more a second, so that a service with few requests has some at all. Default 10.
    pub per_second: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { percent: 20, per_second: 10 }
    }
}

/// A retry budget, as Finagle, linkerd and tower have it: each request pays in a part of a repetition, each
/// repetition takes a whole one out. What was paid in is forgotten after ten seconds, so that a quiet day does not
/// pay for a storm. Times are milliseconds of any clock; one that goes back is taken to stand still.
///
/// Over any time `t`, in seconds, there are at most `percent` / 100 × requests + `per_second` × (`t` + 1)
/// repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Hundredths of a repetition, paid in less taken out, one slot a second.
    slots: [i64; SLOTS],
    sum: i64,
    /// The newest slot, counted from the clock's zero.
    newest: u64,
    /// What the reserve has been used up to, in thousandths of a millisecond.
    reserve_used: u64,
}

const SLOTS: usize = 10;
const WHOLE: i64 = 100;

impl Budget {
    /// A request, which may need a repetition later.
    pub fn deposit(&mut self, share: &Share, now: u64) {
        self.advance(now);
        self.book(i64::from(share.percent));
    }

    /// Whether there is a repetition left; it is taken.
    pub fn withdraw(&mut self, share: &Share, now: u64) -> bool {
        if self.take_reserve(share, now) {
            return true;
        }
        self.advance(now);
        let left = self.sum >= WHOLE;
        if left {
            self.book(-WHOLE);
        }
        left
    }

    /// Takes one of those that come each second. Of a second without any, one second's worth is kept.
    fn take_reserve(&mut self, share: &Share, now: u64) -> bool {
        if share.per_second == 0 {
            return false;
        }
        // In thousandths of a millisecond, so that more than a thousand a second can be told apart; a second on, as
        // the reserve is full at the clock's zero, too.
        let now = now.saturating_add(1_000).saturating_mul(1_000);
        let each = 1_000_000_u64.div_ceil(u64::from(share.per_second));
        let used = self.reserve_used.max(now.saturating_sub(1_000_000)).saturating_add(each);
        let left = used <= now;
        if left {
            self.reserve_used = used;
        }
        left
    }

    fn book(&mut self, amount: i64) {
        if let Some(slot) = self.slots.get_mut(slot_of(self.newest)) {
            *slot = slot.saturating_add(amount);
        }
        self.sum = self.sum.saturating_add(amount);
    }

    fn advance(&mut self, now: u64) {
        let slot = now / 1_000;
        if slot >= self.newest.saturating_add(SLOTS as u64) {
            (self.slots, self.sum, self.newest) = ([0; SLOTS], 0, slot);
        }
        while self.newest < slot {
            self.newest += 1;
            if let Some(old) = self.slots.get_mut(slot_of(self.newest)) {
                self.sum = self.sum.saturating_sub(std::mem::take(old));
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the rest is below ten")]
const fn slot_of(number: u64) -> usize {
    (number % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Budget, Share};

    proptest! {
        #[test]
        fn repetitions_stay_within_their_share(
            steps in proptest::collection::vec((0u64..3_000, 0u32..20, 0u32..20), 1..200),
            percent in 0u32..150,
            per_second in 0u32..30,
            begin in 0u64..100_000,
        ) {
            let share = Share { percent, per_second };
            let (mut budget, mut now) = (Budget::default(), begin);
            let (mut requests, mut repetitions) = (0u64, 0u64);
            for (wait, asked, wanted) in steps {
                now += wait;
                for _ in 0..asked {
                    budget.deposit(&share, now);
                    requests += 1;
                }
                repetitions += (0..wanted).filter(|_| budget.withdraw(&share, now)).count() as u64;
                let paid = requests * u64::from(percent) / 100;
                let reserve = u64::from(per_second) * (now - begin + 1_000) / 1_000;
                prop_assert!(repetitions <= paid + reserve, "{repetitions} > {paid} + {reserve}");
            }
        }
    }

    #[test]
    fn a_dead_upstream_sees_a_fifth_more_and_ten_a_second() {
        let (mut budget, share) = (Budget::default(), Share::default());
        let mut repetitions = 0;
        // A thousand requests a second for a minute, each of which fails and is repeated as often as is allowed.
        for millisecond in 100_000..160_000 {
            budget.deposit(&share, millisecond);
            while budget.withdraw(&share, millisecond) {
                repetitions += 1;
            }
        }
        assert!((12_590..=12_610).contains(&repetitions), "{repetitions}");
    }

    #[test]
    fn what_was_paid_in_long_ago_is_gone() {
        let (mut budget, share) = (Budget::default(), Share { percent: 100, per_second: 0 });
        (0..1_000).for_each(|_| budget.deposit(&share, 5_000));
        assert!(budget.withdraw(&share, 14_999));
        assert!(!budget.withdraw(&share, 15_000));
    }

    #[test]
    fn a_quiet_service_has_a_second_of_its_reserve() {
        let (mut budget, share) = (Budget::default(), Share { percent: 0, per_second: 10 });
        let tries = |budget: &mut Budget, now| (0..100).filter(|_| budget.withdraw(&share, now)).count();
        assert_eq!(tries(&mut Budget::default(), 0), 10);
        assert_eq!(tries(&mut budget, 1_000_000), 10);
        assert_eq!(tries(&mut budget, 1_000_099), 0);
        assert_eq!(tries(&mut budget, 1_000_300), 3);
        assert_eq!(tries(&mut budget, 1_900_000), 10);
    }
}
