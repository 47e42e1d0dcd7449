//! Shared key-value data with compare-and-swap.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::abi::Status;

/// Bytes of all keys and values of one plugin.
const MOST_BYTES: usize = 1 << 20;
/// Entries of one plugin: short ones take more than their bytes, and the ABI has no way to take one out.
const MOST_ENTRIES: usize = 16_384;

/// The shared data of one plugin, over all its instances.
///
/// A lock, because a value and its version change together; it is held for a look-up and a copy of a handle.
#[derive(Debug, Default)]
pub(crate) struct SharedData(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    values: HashMap<Vec<u8>, (Bytes, u32)>,
    bytes: usize,
    last: u32,
}

impl SharedData {
    /// The value of `key` and its version.
    pub(crate) fn get(&self, key: &[u8]) -> Option<(Bytes, u32)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values.get(key).cloned()
    }

    /// Sets `key`. A version other than 0 must be that of the value there is; where there is none it does not
    /// matter, as in proxy-wasm-cpp-host.
    pub(crate) fn set(&self, key: &[u8], value: Bytes, version: u32) -> Result<(), Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set(key, value, version)
    }
}

impl Entries {
    fn set(&mut self, key: &[u8], value: Bytes, version: u32) -> Result<(), Status> {
        let before = self.values.get(key);
        if before.is_some_and(|(_, held)| version != 0 && *held != version) {
            return Err(Status::CasMismatch);
        }
        if before.is_none() && self.values.len() == MOST_ENTRIES {
            return Err(Status::InternalFailure);
        }
        let freed = before.map_or(0, |(held, _)| key.len() + held.len());
        let bytes = self.bytes - freed + key.len() + value.len();
        if bytes > MOST_BYTES {
            return Err(Status::InternalFailure);
        }
        self.bytes = bytes;
        // 0 stands for "any version".
        self.last = self.last.wrapping_add(1).max(1);
        self.values.insert(key.to_vec(), (value, self.last));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{MOST_ENTRIES, SharedData};
    use crate::abi::Status;

    #[test]
    fn a_version_that_is_gone_changes_nothing() {
        let data = SharedData::default();
        assert_eq!(data.get(b"k"), None);
        data.set(b"k", "a".into(), 0).unwrap();
        let (_, version) = data.get(b"k").unwrap();
        data.set(b"k", "b".into(), version).unwrap();
        assert_eq!(data.set(b"k", "c".into(), version), Err(Status::CasMismatch));
        assert_eq!(data.get(b"k").unwrap().0, "b");
        data.set(b"k", "d".into(), 0).unwrap();
        assert_eq!(data.get(b"k").unwrap().0, "d");
    }

    #[test]
    fn short_entries_have_a_number() {
        let data = SharedData::default();
        let set = |number: usize| data.set(&number.to_le_bytes(), Bytes::new(), 0);
        assert!((0..MOST_ENTRIES).all(|number| set(number).is_ok()));
        assert_eq!(set(MOST_ENTRIES), Err(Status::InternalFailure));
        assert_eq!(set(7), Ok(()), "one that is there");
    }

    #[test]
    fn what_is_replaced_makes_room() {
        let data = SharedData::default();
        let large = Bytes::from(vec![0; 900 << 10]);
        for _ in 0..5 {
            data.set(b"k", large.clone(), 0).unwrap();
        }
        assert_eq!(data.set(b"other", large, 0), Err(Status::InternalFailure));
    }
}
