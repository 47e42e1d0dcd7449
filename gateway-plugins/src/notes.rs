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

/// The properties set on one request; clones are the same.
///
/// A lock, because plugins of one request may run on different threads, one after the other: it is never waited for.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<(Bytes, Bytes)>>>);

impl Notes {
    pub(crate) fn get(&self, path: &[u8]) -> Option<Bytes> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().find(|(known, _)| known == path).map(|(_, value)| value.clone())
    }

    pub(crate) fn set(&self, path: &[u8], value: &[u8]) -> Answer {
        if path.is_empty() || path.len() + value.len() > MOST_BYTES {
            return Err(Status::BadArgument);
        }
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
}
