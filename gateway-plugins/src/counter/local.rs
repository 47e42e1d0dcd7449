//! Counters of this process.

use plugin_contract::counter::Add;

use crate::table::{Expires, Table};

/// A counter, and when it is gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counter {
    count: i64,
    until: u64,
}

impl Expires for Counter {
    fn until(&self) -> u64 {
        self.until
    }
}

/// The counters of all plugins.
#[derive(Debug)]
pub(super) struct Local(Table<Counter>);

impl Local {
    pub(super) fn new(slots: usize) -> Self {
        Self(Table::new(slots))
    }

    /// Adds at `now`, in milliseconds of a clock that never goes back. A counter that is known takes no memory.
    pub(super) fn add(&self, plugin: &str, add: &Add<'_>, now: u64) -> i64 {
        let name = self.0.name(&[plugin.as_bytes(), add.namespace.as_bytes(), add.key.as_bytes()]);
        let mut set = self.0.set(name);
        let fresh = || Counter { count: 0, until: now.saturating_add(u64::from(add.ttl.max(1)) * 1_000) };
        let mut counter = set.get(name, 0).filter(|counter| now < counter.until).unwrap_or_else(fresh);
        counter.count = counter.count.saturating_add(add.delta);
        if add.delta != 0 {
            set.put(name, 0, counter, now);
        }
        counter.count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use plugin_contract::{counter::Add, ratelimit::Store};
    use proptest::{collection::vec, prelude::*};

    use super::Local;

    fn add<'a>(namespace: &'a str, key: &'a str, delta: i64, ttl: u32) -> Add<'a> {
        Add { namespace, key, delta, ttl, store: Store::Local }
    }

    proptest! {
        #[test]
        fn counters_count_until_their_time_is_over(
            steps in vec((0..3_usize, 0..3_usize, prop_oneof![-5..5_i64, Just(i64::MAX), Just(i64::MIN)], 0..4_u32, 0..3_000_u64), 1..80),
        ) {
            let (local, names) = (Local::new(64), ["a", "b", "ab"]);
            let mut model: HashMap<_, (i64, u64)> = HashMap::new();
            let mut now = 0;
            for (namespace, key, delta, ttl, pause) in steps {
                now += pause;
                let (namespace, key) = (names[namespace], names[key]);
                let known = model.get(&(namespace, key)).copied().filter(|(_, until)| now < *until);
                let (count, until) = known.unwrap_or((0, now + u64::from(ttl.max(1)) * 1_000));
                let count = count.saturating_add(delta);
                if delta != 0 {
                    model.insert((namespace, key), (count, until));
                }
                prop_assert_eq!(local.add("p", &add(namespace, key, delta, ttl), now), count);
            }
        }
    }

    #[test]
    fn plugins_do_not_share() {
        let local = Local::new(64);
        assert_eq!(local.add("one", &add("n", "k", 5, 60), 0), 5);
        assert_eq!(local.add("other", &add("n", "k", 1, 60), 0), 1);
    }

    #[test]
    fn eight_threads_lose_nothing() {
        let local = Local::new(64);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        local.add("p", &add("n", "k", 1, 60), 0);
                    }
                });
            }
        });
        assert_eq!(local.add("p", &add("n", "k", 0, 60), 0), 40_000);
    }
}
