//! How many answers had which status, from whom.

use std::sync::{
    OnceLock,
    atomic::{AtomicU16, AtomicU64, Ordering::Relaxed},
};

use http::StatusCode;

use crate::plugin::Source;

/// A status and whether the upstream made the answer, in one number that is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Answered(u16);

impl Answered {
    const BY_SERVICE: u16 = 1 << 15;

    pub(super) fn new(status: StatusCode, source: Source) -> Self {
        let by = if source == Source::Service { Self::BY_SERVICE } else { 0 };
        Self(status.as_u16() | by)
    }

    pub(super) const fn code(self) -> u16 {
        self.0 & !Self::BY_SERVICE
    }

    pub(super) const fn by_service(self) -> bool {
        self.0 & Self::BY_SERVICE != 0
    }
}

/// Slots beside each other: a route answers with few statuses, so the first ones are all it takes.
const SLOTS: usize = 8;

/// Statuses 100 to 999, from the gateway and from the service.
const ALL: usize = 2 * 900;

/// Counts of one route on one worker.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    slots: [Slot; SLOTS],
    /// Statuses that came when the slots were taken.
    rest: OnceLock<Box<[AtomicU64]>>,
}

#[derive(Debug, Default)]
struct Slot {
    /// An [`Answered`]; 0 while free. It never changes once set.
    key: AtomicU16,
    count: AtomicU64,
}

impl Statuses {
    pub(super) fn count(&self, answered: Answered) {
        if let Some(counter) = self.slot(answered).or_else(|| self.overflow(answered)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    fn slot(&self, answered: Answered) -> Option<&AtomicU64> {
        self.slots.iter().find(|slot| slot.takes(answered)).map(|slot| &slot.count)
    }

    fn overflow(&self, answered: Answered) -> Option<&AtomicU64> {
        let rest = self.rest.get_or_init(|| (0..ALL).map(|_| AtomicU64::new(0)).collect());
        let by_service = usize::from(answered.by_service());
        rest.get(usize::from(answered.code().checked_sub(100)?) * 2 + by_service)
    }

    /// Every status that was counted, in no order; a status may come more than once.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Answered, u64)> {
        let slots = self.slots.iter().map(|slot| (slot.key.load(Relaxed), slot.count.load(Relaxed)));
        let rest = self.rest.get().into_iter().flat_map(|rest| rest.iter().zip(0_u16..));
        let rest = rest.map(|(count, index)| {
            let by = if index % 2 == 0 { 0 } else { Answered::BY_SERVICE };
            ((index / 2 + 100) | by, count.load(Relaxed))
        });
        slots.chain(rest).filter(|(_, count)| *count > 0).map(|(key, count)| (Answered(key), count))
    }
}

impl Slot {
    /// Whether this slot counts `answered`; a free one does from now on.
    fn takes(&self, answered: Answered) -> bool {
        let key = self.key.load(Relaxed);
        if key != 0 {
            return key == answered.0;
        }
        // Two threads may share a shard on an embedder's runtime: the first to claim the slot has it.
        let claimed = self.key.compare_exchange(0, answered.0, Relaxed, Relaxed);
        claimed.is_ok() || claimed == Err(answered.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::StatusCode;
    use proptest::prelude::*;

    use super::{Answered, Statuses};
    use crate::plugin::Source;

    fn answered() -> impl Strategy<Value = Answered> {
        let status = (100_u16..1000).prop_map(|code| StatusCode::from_u16(code).unwrap());
        (status, prop_oneof![Just(Source::Service), Just(Source::Exit)])
            .prop_map(|(status, source)| Answered::new(status, source))
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_map(seen in prop::collection::vec(answered(), 0..200)) {
            let statuses = Statuses::default();
            let mut model = BTreeMap::new();
            for answered in seen {
                statuses.count(answered);
                *model.entry(answered).or_insert(0_u64) += 1;
            }
            let mut counted = BTreeMap::new();
            for (answered, count) in statuses.iter() {
                *counted.entry(answered).or_insert(0) += count;
            }
            prop_assert_eq!(counted, model);
        }
    }

    #[test]
    fn many_threads_on_one_shard_lose_nothing() {
        let statuses = Statuses::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for code in (200..220).cycle().take(20_000) {
                        let status = StatusCode::from_u16(code).unwrap();
                        statuses.count(Answered::new(status, Source::Service));
                    }
                });
            }
        });
        let mut sums = BTreeMap::new();
        for (answered, count) in statuses.iter() {
            *sums.entry(answered.code()).or_insert(0) += count;
        }
        assert_eq!(sums, (200..220).map(|code| (code, 4000)).collect());
    }
}
