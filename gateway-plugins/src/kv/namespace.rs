//! The values of one namespace. Time is passed in.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use plugin_contract::kv::{Only, Outcome};

/// What a namespace may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) entries: usize,
    /// Of all keys and values.
    pub(super) bytes: usize,
}

/// Values by key. Those whose time is over are gone, and make room when it is needed.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    values: HashMap<Arc<str>, Value>,
    /// Values with an end, the next one first.
    ends: BTreeSet<(u64, Arc<str>)>,
    bytes: usize,
    last: u64,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    version: u64,
    until: Option<u64>,
}

impl Namespace {
    /// The value of a key, and its version.
    pub(super) fn get(&self, key: &str, now: u64) -> Option<(Bytes, u64)> {
        self.live(key, now).map(|value| (value.bytes.clone(), value.version))
    }

    /// Sets a value that is there until `until`, if `only` holds and there is room.
    pub(super) fn set(
        &mut self,
        key: &str,
        value: &[u8],
        until: Option<u64>,
        only: Only,
        (room, now): (Room, u64),
    ) -> Outcome {
        let current = self.live(key, now).map(|value| value.version);
        if !holds(only, current) {
            return Outcome::Refused(current);
        }
        if !self.fits(key, value, room) {
            self.sweep(now);
            if !self.fits(key, value, room) {
                return Outcome::Full;
            }
        }
        self.remove(key);
        self.insert(key.into(), Bytes::copy_from_slice(value), until);
        Outcome::Done(self.last)
    }

    /// Removes a value, if `only` holds; whether there was one.
    pub(super) fn delete(&mut self, key: &str, only: Only, now: u64) -> bool {
        let current = self.live(key, now).map(|value| value.version);
        current.is_some() && holds(only, current) && self.remove(key)
    }

    /// Whether a value has room in place of the one that its key has.
    fn fits(&self, key: &str, value: &[u8], room: Room) -> bool {
        let held = self.values.get(key);
        let freed = held.map_or(0, |value| key.len() + value.bytes.len());
        let entries = self.values.len() + usize::from(held.is_none());
        entries <= room.entries && self.bytes - freed + key.len() + value.len() <= room.bytes
    }

    fn live(&self, key: &str, now: u64) -> Option<&Value> {
        self.values.get(key).filter(|value| value.until.is_none_or(|until| now < until))
    }

    fn insert(&mut self, key: Arc<str>, bytes: Bytes, until: Option<u64>) {
        self.last += 1;
        self.bytes += key.len() + bytes.len();
        self.ends.extend(until.map(|until| (until, Arc::clone(&key))));
        self.values.insert(key, Value { bytes, version: self.last, until });
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some((key, value)) = self.values.remove_entry(key) else { return false };
        self.bytes -= key.len() + value.bytes.len();
        if let Some(until) = value.until {
            self.ends.remove(&(until, key));
        }
        true
    }

    /// Removes all whose time is over.
    fn sweep(&mut self, now: u64) {
        while let Some((_, key)) = self.ends.first().filter(|(until, _)| *until <= now) {
            let key = Arc::clone(key);
            self.remove(&key);
        }
    }
}

fn holds(only: Only, current: Option<u64>) -> bool {
    match only {
        Only::Always => true,
        Only::Absent => current.is_none(),
        Only::Version(version) => current == Some(version),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use plugin_contract::kv::{Only, Outcome};
    use proptest::{collection::vec, prelude::*};

    use super::{Namespace, Room};

    const ROOM: Room = Room { entries: 3, bytes: 24 };

    #[derive(Clone, Debug)]
    enum Step {
        Get(usize),
        Set(usize, usize, Option<u64>, Only),
        Delete(usize, Only),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let only = prop_oneof![
            3 => Just(Only::Always),
            1 => Just(Only::Absent),
            1 => (1..12_u64).prop_map(Only::Version),
        ];
        let until = proptest::option::of(1..30_u64);
        vec(
            prop_oneof![
                (0..5_usize).prop_map(Step::Get),
                (0..5_usize, 0..24_usize, until, only.clone())
                    .prop_map(|(key, size, ttl, only)| Step::Set(key, size, ttl, only)),
                (0..5_usize, only).prop_map(|(key, only)| Step::Delete(key, only)),
                (0..20_u64).prop_map(Step::Wait),
            ],
            1..80,
        )
    }

    /// A value of the model: its size, its version, its end.
    type Known = (usize, u64, Option<u64>);

    proptest! {
        #[test]
        fn it_keeps_what_fits_as_long_as_it_should(steps in steps()) {
            let mut namespace = Namespace::default();
            let mut model: HashMap<String, Known> = HashMap::new();
            let (mut now, mut last) = (0, 0);
            for step in steps {
                model.retain(|_, (_, _, until)| until.is_none_or(|until| now < until));
                let version = |model: &HashMap<String, Known>, key: &String| model.get(key).map(|value| value.1);
                match step {
                    Step::Wait(pause) => now += pause,
                    Step::Get(key) => {
                        let key = key.to_string();
                        let found = namespace.get(&key, now).map(|(value, version)| (value.len(), version));
                        prop_assert_eq!(found, model.get(&key).map(|value| (value.0, value.1)));
                    }
                    Step::Set(key, size, ttl, only) => {
                        let key = key.to_string();
                        let until = ttl.map(|ttl| now + ttl);
                        let current = version(&model, &key);
                        let holds = match only {
                            Only::Always => true,
                            Only::Absent => current.is_none(),
                            Only::Version(version) => current == Some(version),
                        };
                        let others = model.iter().filter(|(other, _)| **other != key);
                        let (count, bytes) =
                            others.fold((0, 0), |(count, bytes), (_, value)| (count + 1, bytes + 1 + value.0));
                        let fits = count < ROOM.entries && bytes + 1 + size <= ROOM.bytes;
                        let expected = if !holds {
                            Outcome::Refused(current)
                        } else if fits {
                            last += 1;
                            model.insert(key.clone(), (size, last, until));
                            Outcome::Done(last)
                        } else {
                            Outcome::Full
                        };
                        prop_assert_eq!(namespace.set(&key, &vec![0; size], until, only, (ROOM, now)), expected);
                    }
                    Step::Delete(key, only) => {
                        let key = key.to_string();
                        let current = version(&model, &key);
                        let expected = match only {
                            Only::Always => current.is_some(),
                            Only::Absent => false,
                            Only::Version(version) => current == Some(version),
                        };
                        prop_assert_eq!(namespace.delete(&key, only, now), expected);
                        if expected {
                            model.remove(&key);
                        }
                    }
                }
                let held: usize = namespace.values.iter().map(|(key, value)| key.len() + value.bytes.len()).sum();
                prop_assert_eq!(namespace.bytes, held);
                prop_assert!(held <= ROOM.bytes && namespace.values.len() <= ROOM.entries);
            }
        }
    }
}
