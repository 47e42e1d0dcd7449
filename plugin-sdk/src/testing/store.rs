//! Values and counters of the process, on the test's clock.

use std::{collections::BTreeMap, time::Duration};

use plugin_contract::{
    counter::Add,
    kv::{Delete, Entry, Get, Only, Outcome, Set},
};

/// A namespace and a key in it.
type Key = (String, String);

/// What is kept for all requests.
#[derive(Default)]
pub(super) struct Store {
    values: BTreeMap<Key, Value>,
    counters: BTreeMap<Key, (i64, Duration)>,
    version: u64,
}

struct Value {
    bytes: Vec<u8>,
    version: u64,
    end: Option<Duration>,
}

impl Store {
    pub(super) fn get(&mut self, get: &Get<'_>, now: Duration) -> Option<Entry<'_>> {
        let value = self.live(&key(get.namespace, get.key), now)?;
        Some(Entry { value: &value.bytes, version: value.version })
    }

    pub(super) fn set(&mut self, set: &Set<'_>, now: Duration) -> Outcome {
        let key = key(set.namespace, set.key);
        let there = self.live(&key, now).map(|value| value.version);
        if !holds(set.only, there) {
            return Outcome::Refused(there);
        }
        self.version += 1;
        let end = set.ttl.map(|seconds| now + Duration::from_secs(seconds.into()));
        self.values.insert(key, Value { bytes: set.value.to_vec(), version: self.version, end });
        Outcome::Done(self.version)
    }

    pub(super) fn delete(&mut self, delete: &Delete<'_>, now: Duration) -> bool {
        let key = key(delete.namespace, delete.key);
        let there = self.live(&key, now).map(|value| value.version);
        there.is_some() && holds(delete.only, there) && self.values.remove(&key).is_some()
    }

    pub(super) fn add(&mut self, add: &Add<'_>, now: Duration) -> i64 {
        let key = key(add.namespace, add.key);
        self.counters.retain(|_, (_, end)| *end > now);
        let there = self.counters.get(&key).copied();
        if add.delta == 0 {
            return there.map_or(0, |(count, _)| count);
        }
        let (count, end) = there.unwrap_or((0, now + Duration::from_secs(add.ttl.into())));
        let count = count.saturating_add(add.delta);
        self.counters.insert(key, (count, end));
        count
    }

    fn live(&mut self, key: &Key, now: Duration) -> Option<&Value> {
        self.values.retain(|_, value| value.end.is_none_or(|end| end > now));
        self.values.get(key)
    }
}

fn key(namespace: &str, key: &str) -> Key {
    (namespace.to_owned(), key.to_owned())
}

fn holds(only: Only, there: Option<u64>) -> bool {
    match only {
        Only::Always => true,
        Only::Absent => there.is_none(),
        Only::Version(version) => there == Some(version),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plugin_contract::{
        counter::Add,
        kv::{Delete, Get, Only, Outcome, Set},
        ratelimit::Store as Place,
    };

    use super::Store;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_value_is_there_until_its_time_is_over_and_changes_where_its_condition_holds() {
        let mut store = Store::default();
        let set = |only| Set { namespace: "n", key: "k", value: b"v", ttl: Some(10), only };
        assert_eq!(store.set(&set(Only::Absent), at(0)), Outcome::Done(1));
        assert_eq!(store.set(&set(Only::Absent), at(1)), Outcome::Refused(Some(1)));
        assert_eq!(store.set(&set(Only::Version(1)), at(2)), Outcome::Done(2));
        let get = Get { namespace: "n", key: "k" };
        assert_eq!(store.get(&get, at(11)).unwrap().value, b"v");
        assert_eq!(store.get(&get, at(12)), None);
        assert_eq!(store.set(&set(Only::Version(2)), at(12)), Outcome::Refused(None));
        assert!(!store.delete(&Delete { namespace: "n", key: "k", only: Only::Always }, at(12)));
    }

    #[test]
    fn a_counter_begins_anew_after_its_time() {
        let mut store = Store::default();
        let add = |delta| Add { namespace: "n", key: "k", delta, ttl: 10, store: Place::Local };
        assert_eq!(store.add(&add(0), at(0)), 0);
        assert_eq!(store.add(&add(5), at(1)), 5);
        assert_eq!(store.add(&add(-2), at(10)), 3);
        assert_eq!(store.add(&add(1), at(11)), 1);
    }
}
