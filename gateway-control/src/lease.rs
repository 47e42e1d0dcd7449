//! Who has given a sign of life, and who is given up: pure, time comes in.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use gateway_core::config::Target;
use uuid::Uuid;

/// Added to each term: a sign may be on its way, from its sender or from another instance.
const GRACE: Duration = Duration::from_secs(1);

/// Between two times at which others are told of signs.
const TELL: Duration = Duration::from_millis(500);

/// Targets that stay for a time after their last sign of life.
///
/// Times are of a clock that never goes back. Others who use the same store count signs, too: a number that is another one
/// than before is a sign, whatever their clocks say.
#[derive(Debug, Default)]
pub(crate) struct Table {
    leases: HashMap<Uuid, Lease>,
    /// Signs of which the others have not heard.
    untold: HashSet<Uuid>,
    told_at: Option<Instant>,
}

#[derive(Debug)]
struct Lease {
    ttl: Duration,
    /// When the last sign was heard, or when it began to be waited for.
    heard: Instant,
    by: Ear,
    /// The signs that all together have told of, when last looked at.
    count: Option<u64>,
}

/// Who has heard the last sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ear {
    Own,
    /// Another instance may have: it gives up first.
    Other,
}

impl Lease {
    fn end(&self) -> Instant {
        let term = match self.by {
            Ear::Own => self.ttl,
            Ear::Other => self.ttl * 2,
        };
        self.heard + term + GRACE
    }
}

impl Table {
    /// A target that is there, as it is now. Only what is new begins to be waited for.
    pub(crate) fn keep(&mut self, target: &Target, now: Instant) {
        let Some(ttl) = target.ttl.map(|ttl| Duration::from_secs(ttl.into())) else {
            return self.forget(&target.id);
        };
        let new = Lease { ttl, heard: now, by: Ear::Other, count: None };
        self.leases.entry(target.id).or_insert(new).ttl = ttl;
    }

    /// A target that is not there any more.
    pub(crate) fn forget(&mut self, target: &Uuid) {
        self.leases.remove(target);
        self.untold.remove(target);
    }

    /// A sign of life, heard here.
    pub(crate) fn renew(&mut self, target: Uuid, now: Instant) {
        if let Some(lease) = self.leases.get_mut(&target) {
            (lease.heard, lease.by) = (now, Ear::Own);
            self.untold.insert(target);
        }
    }

    /// When there is something to do next.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let tell = self.told_at.map_or(now, |told_at| told_at + TELL);
        let tell = (!self.untold.is_empty()).then_some(tell);
        self.leases.values().map(Lease::end).chain(tell).min()
    }

    /// Whether others should hear of signs, now.
    pub(crate) fn untold(&mut self, now: Instant) -> Vec<Uuid> {
        if self.untold.is_empty() || self.told_at.is_some_and(|told_at| now < told_at + TELL) {
            return Vec::new();
        }
        self.told_at = Some(now);
        self.untold.iter().copied().collect()
    }

    /// The others have heard of these, and this is what is counted now.
    pub(crate) fn told(&mut self, targets: &[Uuid], counts: &HashMap<Uuid, u64>) {
        for target in targets {
            self.untold.remove(target);
            if let (Some(lease), Some(count)) = (self.leases.get_mut(target), counts.get(target)) {
                lease.count = Some(*count);
            }
        }
    }

    /// Those of which nothing has been heard here for their time.
    pub(crate) fn silent(&self, now: Instant) -> Vec<Uuid> {
        self.leases.iter().filter(|(_, lease)| lease.end() <= now).map(|(target, _)| *target).collect()
    }

    /// Of silent ones, those of which nobody has heard. The others are waited for again.
    pub(crate) fn lost(&mut self, silent: Vec<Uuid>, counts: &HashMap<Uuid, u64>, now: Instant) -> Vec<Uuid> {
        let is_lost = |target: &Uuid| {
            let Some(lease) = self.leases.get_mut(target) else { return false };
            let count = counts.get(target).copied();
            if lease.count == count {
                return true;
            }
            (lease.heard, lease.by, lease.count) = (now, Ear::Other, count);
            false
        };
        silent.into_iter().filter(is_lost).collect()
    }

    /// Nobody can tell what the others have heard, or take anything out: all silent ones are waited for again.
    pub(crate) fn put_off(&mut self, now: Instant) {
        for lease in self.leases.values_mut().filter(|lease| lease.end() <= now) {
            (lease.heard, lease.by) = (now, Ear::Other);
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::config::Upstream;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn target(ttl: impl Into<Option<u32>>) -> Target {
        let mut target = Target::new(&Upstream::new("u"), "10.0.0.1:80");
        target.ttl = ttl.into();
        target
    }

    /// A table that has heard of one at `now`.
    fn registered(now: Instant) -> (Table, Uuid) {
        let (mut table, target) = (Table::default(), target(10));
        table.keep(&target, now);
        table.renew(target.id, now);
        (table, target.id)
    }

    #[test]
    fn one_that_is_silent_for_its_time_is_lost() {
        let now = Instant::now();
        let (mut table, id) = registered(now);
        assert!(table.silent(now + 10 * SECOND).is_empty());
        table.renew(id, now + 5 * SECOND);
        assert!(table.silent(now + 15 * SECOND).is_empty());
        assert_eq!(table.silent(now + 16 * SECOND), [id]);
        assert_eq!(table.lost(vec![id], &HashMap::new(), now + 16 * SECOND), [id]);
        table.forget(&id);
        assert_eq!(table.next(now), None);
    }

    #[test]
    fn what_was_not_heard_here_is_waited_for_twice_as_long() {
        let now = Instant::now();
        let (mut table, target) = (Table::default(), target(10));
        table.keep(&target, now);
        assert_eq!(table.next(now), Some(now + 21 * SECOND));
        assert!(table.untold(now).is_empty(), "others know better");
        // It is known already: as long as before.
        table.keep(&target, now + 9 * SECOND);
        assert_eq!(table.next(now), Some(now + 21 * SECOND));
    }

    #[test]
    fn a_number_that_has_moved_is_a_sign() {
        let now = Instant::now();
        let (mut table, target) = (Table::default(), target(10));
        let counted = |count: u64| HashMap::from([(target.id, count)]);
        table.keep(&target, now);
        let mut look = |after: u32, counts| {
            let silent = table.silent(now + after * SECOND);
            assert_eq!(silent.len(), 1, "{after}");
            table.lost(silent, &counts, now + after * SECOND)
        };
        assert!(look(21, counted(7)).is_empty());
        assert!(look(42, counted(9)).is_empty());
        assert_eq!(look(63, counted(9)), [target.id]);
    }

    #[test]
    fn own_signs_that_the_others_were_told_of_are_not_theirs() {
        let now = Instant::now();
        let (mut table, id) = registered(now);
        assert_eq!(table.untold(now), [id]);
        assert!(table.untold(now).is_empty(), "not so often");
        assert_eq!(table.untold(now + SECOND), [id], "until they have heard");
        table.told(&[id], &HashMap::from([(id, 3)]));
        assert!(table.untold(now + 2 * SECOND).is_empty());
        assert_eq!(table.lost(vec![id], &HashMap::from([(id, 3)]), now + 11 * SECOND), [id]);
        assert!(table.lost(vec![id], &HashMap::from([(id, 4)]), now + 11 * SECOND).is_empty());
        assert_eq!(
            table.next(now),
            Some(now + 32 * SECOND),
            "another one hears it now, and gives it up first"
        );
    }

    #[test]
    fn while_nothing_can_be_known_nothing_is_lost() {
        let now = Instant::now();
        let (mut table, id) = registered(now);
        table.told(&[id], &HashMap::new());
        table.put_off(now + 5 * SECOND);
        assert_eq!(table.next(now), Some(now + 11 * SECOND), "it is not silent yet");
        table.put_off(now + 11 * SECOND);
        assert_eq!(table.next(now), Some(now + 32 * SECOND));
    }

    #[test]
    fn one_without_a_time_stays() {
        let now = Instant::now();
        let (mut table, id) = registered(now);
        table.told(&[id], &HashMap::new());
        let mut same = target(20);
        table.keep(&same, now);
        assert_eq!(table.next(now), Some(now + 21 * SECOND), "a longer time counts at once");
        same.ttl = None;
        table.keep(&same, now);
        table.renew(id, now);
        assert_eq!((table.next(now), table.untold(now)), (None, Vec::new()));
    }
}
