//! A store that ends with its process.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use gateway_core::config::{Change, Config};
use tokio::sync::watch;

use super::{Entry, History, Note, Revision, Store, StoreError, Stored};
use crate::times;

/// A store that ends with its process. Its log has the last thousand changes.
pub struct Memory {
    kept: Mutex<Kept>,
    newest: watch::Sender<Revision>,
}

#[derive(Default)]
struct Kept {
    revision: Revision,
    config: Config,
    log: VecDeque<Entry>,
}

impl Memory {
    /// A store without anything.
    #[must_use]
    pub fn new() -> Self {
        Self { kept: Mutex::default(), newest: watch::Sender::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Memory {
    fn read(&self) -> Result<Stored, StoreError> {
        let kept = self.kept();
        Ok(Stored::new(kept.revision, kept.config.clone()))
    }

    fn write(&self, base: Revision, change: &Change, note: &Note) -> Result<Revision, StoreError> {
        let mut kept = self.kept();
        if base != kept.revision {
            return Err(StoreError::Conflict { newest: kept.revision });
        }
        let next = kept.config.apply(change);
        let (change, before) = (kept.config.diff(&next), next.diff(&kept.config));
        if change.is_empty() {
            return Ok(base);
        }
        let revision = base.next();
        kept.log.push_back(Entry { revision, at: times::unix(), note: note.clone(), change, before });
        if History::default().is_over(kept.log.len() as u64, 0) {
            kept.log.pop_front();
        }
        (kept.revision, kept.config) = (revision, next);
        self.newest.send_replace(revision);
        Ok(revision)
    }

    fn since(&self, revision: Revision, most: usize) -> Result<Vec<Entry>, StoreError> {
        let kept = self.kept();
        Ok(kept.log.iter().filter(|entry| entry.revision > revision).take(most).cloned().collect())
    }

    fn newest(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("newest", &*self.newest.borrow()).finish_non_exhaustive()
    }
}
