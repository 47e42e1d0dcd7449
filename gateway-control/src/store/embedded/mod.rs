//! A store in a directory of this machine.

mod tables;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gateway_core::config::{Change, Config};
use redb::Database;
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::tables::{Intact, Outcome};
use super::{
    Entry, History, Incomplete, Note, Revision, Store, StoreError, Stored,
    copy::{Copy, Loaded},
    directory::Directory,
    files::set_aside,
    rows,
};

/// A store in a directory of this machine, for one process at a time.
///
/// | file | what |
/// |---|---|
/// | `store.redb` | entities, and the log of changes; on the disk before a change is answered |
/// | `copy.jsonl` | the same entities once more, as text: what is taken if the first is damaged |
/// | `lock` | the process that has it |
///
/// Opening checks every page. A damaged `store.redb` is renamed, in the open, and the store goes on with what the copy
/// has; its log begins anew then. A damaged copy is renamed, too: no damaged file is written over.
///
/// ```
/// use gateway_control::store::{Embedded, Revision, Store};
///
/// let directory = std::env::temp_dir().join(format!("gateway-store-{}", std::process::id()));
/// let store = Embedded::open(&directory).unwrap();
/// assert_eq!(store.read().unwrap().revision, Revision::NONE);
/// assert!(Embedded::open(&directory).is_err(), "one process, one store");
/// # drop(store);
/// # std::fs::remove_dir_all(directory).unwrap();
/// ```
pub struct Embedded {
    directory: Directory,
    history: History,
    /// Held while a change is made, and never by who reads.
    kept: Mutex<Kept>,
    /// What opening has read, for the first who reads.
    opened: Mutex<Option<Stored>>,
    newest: watch::Sender<Revision>,
    /// What this opening has not found any more.
    incomplete: Option<Incomplete>,
}

/// What opening has found.
struct Found {
    database: Database,
    stored: Stored,
    /// Lines of the copy that were needed and cannot be used.
    lost: usize,
}

struct Kept {
    /// None after a failure of the system: the engine wants to be opened anew then.
    database: Option<Arc<Database>>,
    /// None when it could not be written; it is written anew with the next change.
    copy: Option<Copy>,
}

impl Embedded {
    /// Opens the store in `directory`, which is made if it is not there. The log has the last thousand changes.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it, [`StoreError::Unavailable`] when a later version wrote it,
    /// and when the system refuses. Damage is no error.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(directory, History::default())
    }

    /// The same with another bound for its log.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(directory: impl AsRef<Path>, history: History) -> Result<Self, StoreError> {
        let directory = Directory::lock(directory.as_ref())?;
        let Found { mut database, stored, lost } = match open(&directory) {
            Ok((database, stored, Intact::Yes)) if stored.revision == Revision::NONE => {
                begin(&directory, database, stored)?
            }
            Ok((database, stored, Intact::Yes)) => Found { database, stored, lost: 0 },
            Ok((database, stored, Intact::Repaired)) => catch_up(&directory, database, stored)?,
            Err(Fault::Damaged(reason)) => recover(&directory, &reason)?,
            Err(Fault::Other(error)) => return Err(error),
        };
        // A start reads all pages anyway: this is no longer.
        compact(&mut database);
        let newest = watch::Sender::new(stored.revision);
        let kept =
            Kept { copy: copy(&directory, &database, stored.revision), database: Some(Arc::new(database)) };
        let incomplete = (lost > 0).then(|| Incomplete::new(lost, false));
        let (kept, opened) = (Mutex::new(kept), Mutex::new(Some(stored)));
        Ok(Self { directory, history, kept, opened, newest, incomplete })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self, kept: &mut Kept) -> Result<Arc<Database>, StoreError> {
        if let Some(database) = &kept.database {
            return Ok(Arc::clone(database));
        }
        let (database, _) = engine(&self.directory).map_err(tables::trouble)?;
        let revision = tables::revision(&database).map_err(tables::trouble)?;
        self.newest.send_if_modified(|newest| std::mem::replace(newest, revision) != revision);
        kept.copy = copy(&self.directory, &database, revision);
        Ok(Arc::clone(kept.database.insert(Arc::new(database))))
    }

    /// What `ask` finds in the database as it is now. After a failure it is opened anew.
    fn ask<T>(&self, ask: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let database = self.database(&mut self.kept())?;
        ask(&database).map_err(|error| {
            self.kept().database = None;
            tables::trouble(error)
        })
    }
}

impl Store for Embedded {
    fn read(&self) -> Result<Stored, StoreError> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stored) = opened.filter(|stored| stored.revision == *self.newest.borrow()) {
            return Ok(stored);
        }
        let (revision, documents) = self.ask(tables::documents)?;
        Stored::of(revision, &documents)
    }

    fn write(&self, base: Revision, change: &Change, note: &Note) -> Result<Revision, StoreError> {
        let rows = rows::of(change).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut kept = self.kept();
        let database = self.database(&mut kept)?;
        let outcome = tables::write(&database, base, &rows, note, self.history).map_err(|error| {
            kept.database = None;
            tables::trouble(error)
        })?;
        let (revision, document) = match outcome {
            Outcome::Conflict(newest) => return Err(StoreError::Conflict { newest }),
            Outcome::Same => return Ok(base),
            Outcome::Kept(revision, document) => (revision, document),
        };
        kept.copy = kept
            .copy
            .take()
            .and_then(|copy| follow(copy, revision, &document))
            .or_else(|| fresh_copy(&self.directory, &database));
        drop(database);
        if document.len() > LARGE
            && let Some(database) = kept.database.as_mut().and_then(Arc::get_mut)
        {
            compact(database);
        }
        drop(kept);
        self.newest.send_replace(revision);
        Ok(revision)
    }

    fn since(&self, revision: Revision, most: usize) -> Result<Vec<Entry>, StoreError> {
        let texts = self.ask(|database| tables::since(database, revision, most))?;
        let entry = |text: Vec<u8>| serde_json::from_slice(&text);
        let entries = texts.into_iter().map(entry).collect::<Result<_, _>>();
        entries.map_err(|error| StoreError::Corrupt(format!("the log: {error}")))
    }

    fn newest(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }

    fn incomplete(&self, _served: Revision) -> Option<Incomplete> {
        self.incomplete
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut embedded = f.debug_struct("Embedded");
        embedded.field("directory", &self.directory.path()).field("newest", &*self.newest.borrow());
        embedded.finish_non_exhaustive()
    }
}

/// A change that is worth a look at the length of the file, bytes as JSON. It took seconds already.
const LARGE: usize = 1 << 20;

/// Makes the file shorter where it is worth it. If it cannot be, it is as long as it was.
fn compact(database: &mut Database) {
    match tables::compact(database).map_err(tables::trouble) {
        Ok(true) => info!("the store's file is compact again"),
        Ok(false) => {}
        Err(error) => warn!(%error, "the store's file stays as long as it is"),
    }
}

/// Why a file was not opened.
enum Fault {
    /// Its own checks say that it is damaged.
    Damaged(String),
    Other(StoreError),
}

fn open(directory: &Directory) -> Result<(Database, Stored, Intact), Fault> {
    let fault = |error| match tables::trouble(error) {
        StoreError::Corrupt(reason) => Fault::Damaged(reason),
        other => Fault::Other(other),
    };
    let (database, intact) = engine(directory).map_err(fault)?;
    let (revision, documents) = tables::documents(&database).map_err(fault)?;
    // The checks say that it is as it was written: renaming it would help nobody.
    let stored = Stored::of(revision, &documents).map_err(Fault::Other)?;
    Ok((database, stored, intact))
}

/// The database, each page of it checked.
fn engine(directory: &Directory) -> Result<(Database, Intact), redb::Error> {
    // A file that is something else altogether may be more than the engine is ready for.
    let opened = catch_unwind(AssertUnwindSafe(|| tables::open(&directory.store())));
    opened.unwrap_or_else(|_| Err(redb::Error::Corrupted("the engine gave up on it".to_owned())))
}

/// A database with nothing in it may stand in the place of one that is gone, or was cut to nothing: the copy knows, and
/// is not written over before it was asked.
fn begin(directory: &Directory, database: Database, stored: Stored) -> Result<Found, StoreError> {
    let Some(copy) = Copy::load(&directory.copy())? else {
        return Ok(Found { database, stored, lost: 0 });
    };
    if copy.stored.revision == Revision::NONE && copy.lost == 0 {
        return Ok(Found { database, stored, lost: 0 });
    }
    let found = take(database, &Config::default(), copy)?;
    let (revision, lost) = (found.stored.revision, found.lost);
    error!(%revision, lost, "the store is gone: it goes on with its copy, and with a new log");
    Ok(found)
}

/// A new database in place of the damaged one, with what the copy has.
fn recover(directory: &Directory, reason: &str) -> Result<Found, StoreError> {
    let aside = set_aside(&directory.store())?;
    let copy = Copy::load(&directory.copy())?;
    let (database, _) = engine(directory).map_err(tables::trouble)?;
    let aside = aside.display();
    let Some(copy) = copy else {
        error!(%reason, %aside, "the store is damaged and has no copy: it begins empty");
        return Ok(Found { database, stored: Stored::default(), lost: 0 });
    };
    let found = take(database, &Config::default(), copy)?;
    let (revision, lost) = (found.stored.revision, found.lost);
    error!(%reason, %aside, %revision, lost, "the store is damaged: it goes on with its copy, and with a new log");
    Ok(found)
}

/// The engine has gone back to an earlier state of a damaged file: the copy may know what came after.
fn catch_up(directory: &Directory, database: Database, stored: Stored) -> Result<Found, StoreError> {
    let repaired = stored.revision;
    let copy = Copy::load(&directory.copy())?.filter(|copy| copy.revision() > repaired);
    let Some(mut copy) = copy else {
        warn!(revision = %repaired, "the store was damaged and is repaired");
        return Ok(Found { database, stored, lost: 0 });
    };
    // Part of a start is less than what the engine has saved.
    if copy.stored.revision < repaired || !copy.has_whole_start {
        copy.stored.config = stored.config.clone();
    }
    let found = take(database, &stored.config, copy)?;
    let (revision, lost) = (found.stored.revision, found.lost);
    error!(%repaired, %revision, lost, "the store was damaged: what its repair has lost comes from its copy");
    Ok(found)
}

/// Puts what the copy has in the place of `from`, with a new log. The copy itself is written anew after it, and set aside
/// if it is damaged.
fn take(database: Database, from: &Config, copy: Loaded) -> Result<Found, StoreError> {
    let (revision, lost) = (copy.revision(), copy.lost);
    let stored = Stored::new(revision, copy.stored.config);
    seed(&database, from, &stored)?;
    Ok(Found { database, stored, lost })
}

fn seed(database: &Database, from: &Config, to: &Stored) -> Result<(), StoreError> {
    let rows = rows::of(&from.diff(&to.config)).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    tables::seed(database, to.revision, &rows).map_err(tables::trouble)
}

/// The copy at this revision, written anew if it is at another one. Without one the store goes on.
fn copy(directory: &Directory, database: &Database, revision: Revision) -> Option<Copy> {
    match Copy::resume(&directory.copy(), revision) {
        Ok(Some(copy)) => Some(copy),
        Ok(None) => fresh_copy(directory, database),
        Err(error) => lost(directory, &error.into()),
    }
}

fn fresh_copy(directory: &Directory, database: &Database) -> Option<Copy> {
    let documents = tables::documents(database).map_err(tables::trouble);
    let copy =
        documents.and_then(|(revision, documents)| Ok(Copy::start(&directory.copy(), revision, documents)?));
    copy.map_or_else(|error| lost(directory, &error), Some)
}

fn lost(directory: &Directory, error: &StoreError) -> Option<Copy> {
    error!(%error, path = %directory.copy().display(), "there is no copy of the store");
    None
}

/// The copy with this change; nothing when it has to be written anew.
fn follow(mut copy: Copy, revision: Revision, document: &str) -> Option<Copy> {
    let appended = copy.append(revision, document);
    let appended = appended.map_err(
        |error| warn!(%error, path = %copy.path().display(), "the copy of the store is written anew"),
    );
    (appended.is_ok() && !copy.is_long()).then_some(copy)
}
