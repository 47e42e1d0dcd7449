//! Properties that guests set on a request, for themselves and for those after them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::abi::{Answer, Status};

/// Properties of one request.
const MOST: usize = 64;
/// Bytes of one of them, path and value.
const MOST_BYTES: usize = 16 << 10;

/// The groups that a caller is in, by what a plugin has found out: `acl` goes by them (Kong's variable of this name).
const GROUPS: &[u8] = b"authenticated_groups";

/// The properties set on one request; clones are the same.
///
/// A lock, because plugins of one request may run on different threads, one after the other: it is never waited for.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    all: Arc<Mutex<Vec<(Bytes, Bytes)>>>,
    /// Whether whoever has this copy may say who calls.
    identifies: bool,
}

impl Notes {
    /// The same properties, for a plugin that may say who calls, or not.
    pub(crate) fn of(self, identifies: bool) -> Self {
        Self { identifies, ..self }
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<Bytes> {
        let notes = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().find(|(known, _)| known == path).map(|(_, value)| value.clone())
    }

    pub(crate) fn set(&self, path: &[u8], value: &[u8]) -> Answer {
        let granted = self.identifies || path != GROUPS;
        if path.is_empty() || path.len() + value.len() > MOST_BYTES || !granted {
            return Err(Status::BadArgument);
        }
        let mut notes = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let value = Bytes::copy_from_slice(value);
        if let Some((_, held)) = notes.iter_mut().find(|(known, _)| known == path) {
            *held = value;
            return Ok(());
        }
        if notes.len() == MOST {
            return Err(Status::InternalFailure);
        }
        notes.push((Bytes::copy_from_slice(path), value));
        Ok(())
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

#[cfg(test)]
mod tests {
    use super::Notes;
    use crate::abi::Status;

    #[test]
    fn the_last_value_counts_and_the_number_is_bounded() {
        let notes = Notes::default();
        notes.set(b"user", b"a").unwrap();
        notes.clone().set(b"user", b"b").unwrap();
        assert_eq!(notes.get(b"user").unwrap(), "b");
        assert_eq!(notes.get(b"other"), None);
        assert_eq!(notes.set(b"", b"x"), Err(Status::BadArgument));
        assert_eq!(notes.set(b"large", &[0; 17_000]), Err(Status::BadArgument));
        for number in 0..63_u8 {
            notes.set(&[b'n', number], b"").unwrap();
        }
        assert_eq!(notes.set(b"more", b""), Err(Status::InternalFailure));
    }

    #[test]
    fn groups_are_said_by_those_who_may_say_who_calls() {
        let notes = Notes::default();
        assert_eq!(notes.set(b"authenticated_groups", b"[\"admin\"]"), Err(Status::BadArgument));
        assert_eq!(notes.get(b"authenticated_groups"), None);
        notes.clone().of(true).set(b"authenticated_groups", b"[]").unwrap();
        assert_eq!(notes.get(b"authenticated_groups").unwrap(), "[]");
    }
}
