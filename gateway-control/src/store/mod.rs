//! Where entities are kept, each change with a revision, who made it, and the way back.
//!
//! A [`Store`] reads everything, keeps one change after another, and tells what others have changed. [`Memory`] keeps
//! nothing beyond the process: for tests and for embedders with a store of their own behind it. [`Embedded`] keeps all of
//! it in a directory, `Postgres` (feature `postgres`) in a database that many gateways share.
//!
//! A change is kept only on top of the newest revision. Two writers never merge in silence: the slower one gets
//! [`StoreError::Conflict`], reads, and decides again.
//!
//! ```
//! use gateway_control::store::{Memory, Note, Revision, Store, StoreError};
//! use gateway_core::config::{Change, Service};
//!
//! let store = Memory::new();
//! let service = Service::new("users", "users.internal");
//! let mut change = Change::default();
//! change.services.insert(service.id, Some(service.into()));
//!
//! let note = Note::new("me", "an example");
//! let first = store.write(Revision::NONE, &change, &note).unwrap();
//! assert_eq!(store.read().unwrap().config.services.len(), 1);
//! assert!(matches!(store.write(Revision::NONE, &change, &note), Err(StoreError::Conflict { newest }) if newest == first));
//! assert!(store.at(Revision::NONE).unwrap().unwrap().services.is_empty());
//! ```

mod copy;
mod directory;
mod embedded;
mod entry;
mod error;
mod files;
mod history;
mod incomplete;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod revision;
mod rows;

use std::{collections::HashMap, fmt};

use gateway_core::config::{Change, Config};
use tokio::sync::watch;
use uuid::Uuid;

pub use embedded::Embedded;
pub use entry::{Entry, Note};
pub use error::StoreError;
pub use history::History;
pub use incomplete::Incomplete;
pub use memory::Memory;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use revision::Revision;

/// Where entities are kept.
///
/// All of it blocks: call it from a thread that may wait. References to secrets (`{vault://...}`) are kept as written.
/// Entities are not checked: that is for who writes.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Everything, and the revision it stands at.
    ///
    /// # Errors
    /// When it cannot be had.
    fn read(&self) -> Result<Stored, StoreError>;

    /// Keeps `change` if `base` is the newest revision. What is answered with a revision is durable.
    ///
    /// A change that makes no difference is not kept, and the answer is `base`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when `base` is not the newest revision; others when it cannot be kept.
    fn write(&self, base: Revision, change: &Change, note: &Note) -> Result<Revision, StoreError>;

    /// The changes after `revision`, oldest first, at most `most` of them.
    ///
    /// The log is bounded: where it does not reach back that far, it begins later, and where a store was recovered
    /// it may be empty. Who needs all of them looks whether the first one is `revision.next()`, and reads everything
    /// if not.
    ///
    /// # Errors
    /// When they cannot be had.
    fn since(&self, revision: Revision, most: usize) -> Result<Vec<Entry>, StoreError>;

    /// The newest revision, as far as it is known here. It moves when somebody else has written, too.
    fn newest(&self) -> watch::Receiver<Revision>;

    /// Tells all who use this store that these targets have given a sign of life, in no revision. Answers the number of
    /// signs that each has had; nothing where only one process can use the store, as it is unless written otherwise.
    ///
    /// # Errors
    /// When the others cannot be told.
    fn renew(&self, targets: &[Uuid]) -> Result<HashMap<Uuid, u64>, StoreError> {
        let _ = targets;
        Ok(HashMap::new())
    }

    /// The numbers of signs of life that all together have told of these targets; nothing of those without any.
    ///
    /// # Errors
    /// When they cannot be had.
    fn renewals(&self, targets: &[Uuid]) -> Result<HashMap<Uuid, u64>, StoreError> {
        let _ = targets;
        Ok(HashMap::new())
    }

    /// What is known to be missing from what this store reads, or had a reader who stands at `served` read; nothing as it
    /// is unless written otherwise.
    fn incomplete(&self, served: Revision) -> Option<Incomplete> {
        let _ = served;
        None
    }

    /// Everything as it was at `revision`; nothing if the log does not reach back that far.
    ///
    /// # Errors
    /// When it cannot be had.
    fn at(&self, revision: Revision) -> Result<Option<Config>, StoreError> {
        let stored = self.read()?;
        Ok(stored.back_to(revision, &self.since(revision, usize::MAX)?))
    }
}

/// Everything that a store has.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stored {
    /// The revision that it is.
    pub revision: Revision,
    /// The entities, with `{vault://...}` as written.
    pub config: Config,
}

impl Stored {
    /// These entities at this revision.
    #[must_use]
    pub const fn new(revision: Revision, config: Config) -> Self {
        Self { revision, config }
    }

    /// What changes as JSON make out of nothing.
    fn of(revision: Revision, documents: &[String]) -> Result<Self, StoreError> {
        let mut config = Config::default();
        for document in documents {
            let change: Change = serde_json::from_str(document)
                .map_err(|error| StoreError::Corrupt(format!("an entity is not understood: {error}")))?;
            config = config.apply(&change);
        }
        Ok(Self { revision, config })
    }

    /// The entities as they were at `revision`, by the changes after it; nothing if some of them are missing.
    #[must_use]
    pub fn back_to(&self, revision: Revision, after: &[Entry]) -> Option<Config> {
        let mut next = self.revision;
        let mut config = self.config.clone();
        for entry in after.iter().rev().filter(|entry| entry.revision <= self.revision) {
            if entry.revision != next || next <= revision {
                return None;
            }
            config = config.apply(&entry.before);
            next = Revision::new(next.get().saturating_sub(1));
        }
        (next == revision).then_some(config)
    }
}
