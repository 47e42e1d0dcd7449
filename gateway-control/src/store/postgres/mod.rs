//! A store in PostgreSQL, which many gateways share.

mod follower;
mod leases;
mod session;
mod tables;
mod tls;

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use gateway_core::config::Change;
use tokio::{
    runtime,
    sync::{mpsc, watch},
};
use tracing::{error, warn};
use uuid::Uuid;

use self::{
    follower::{Command, Follower, Place},
    tls::Tls,
};
use super::{
    Entry, Incomplete, Note, Revision, Store, StoreError, Stored,
    copy::{Copy, Loaded},
    directory::Directory,
    rows,
};

/// A store in PostgreSQL, which many gateways share.
///
/// One thread of its own has the only connection. It hears of each change at once (`LISTEN`), and looks itself every few
/// seconds, because notices can be lost. While the database is away nothing can be written; what was kept last is read
/// from a copy in a directory of this machine, and connections are tried again, less and less often.
///
/// A copy that is damaged is no revision: what is left of it is read as [`Revision::NONE`], and [`incomplete`] until a
/// reader has caught up with the database. It is set aside before another one is written.
///
/// [`incomplete`]: Store::incomplete
///
/// The tables are `gateway_head`, `gateway_entities`, `gateway_log` and `gateway_leases`; they are made where they are
/// not there.
pub struct Postgres {
    commands: mpsc::Sender<Command>,
    newest: watch::Receiver<Revision>,
    thread: Option<JoinHandle<()>>,
    /// Lines of the copy that nobody could read when it was taken; none once a reader has caught up with the database.
    lost: AtomicUsize,
    /// Whether the database has been there.
    is_there: Arc<AtomicBool>,
    /// Of this process alone, like the copy in it.
    _directory: Directory,
}

/// Commands that wait for the connection.
const QUEUE: usize = 64;

/// How long an answer may take, which is more than the database has for it.
const PATIENCE: Duration = Duration::from_secs(40);

impl Postgres {
    /// Opens the store at `url`, `postgres://user:password@host/database`. What it has is kept in `directory` once more.
    ///
    /// Where the database offers TLS it is used, and its certificate is verified; `?sslmode=require` refuses it without,
    /// `?sslmode=disable` does without.
    ///
    /// # Errors
    /// When `url` is none, when another process has `directory`, and when the database cannot be reached while
    /// `directory` has no copy of what it keeps, or one of which nothing can be read.
    pub fn open(url: &str, directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(url, directory, None)
    }

    /// The same with the anchors (PEM) that are trusted for its certificate, in place of those of the system.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when these are no certificates.
    pub fn open_with(
        url: &str,
        directory: impl AsRef<Path>,
        anchors: Option<&str>,
    ) -> Result<Self, StoreError> {
        let tls = Tls::new(anchors)?;
        let config = url.parse().map_err(|error: tokio_postgres::Error| {
            StoreError::Unavailable(format!("'postgres://...' is expected: {}", session::chain(&error)))
        })?;
        let directory = Directory::lock(directory.as_ref())?;
        let path = directory.postgres();
        let copy = Copy::load(&path)?;
        let known = copy.as_ref().filter(|copy| copy.lost == 0).map(|copy| copy.stored.revision);
        let (commands, received) = mpsc::channel(QUEUE);
        let (sender, newest) = watch::channel(known.unwrap_or_default());
        let (begun, first) = sync_channel(1);
        let is_there = Arc::new(AtomicBool::new(false));
        let seen = copy.as_ref().map_or(Revision::NONE, |copy| copy.seen);
        let place = Place { path: path.clone(), seen, is_there: Arc::clone(&is_there) };
        let follower = Follower::new((config, tls), place, received, sender, begun);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || runtime.block_on(follower.run());
        let thread = Some(thread::Builder::new().name("postgres".to_owned()).spawn(work)?);
        let lost = AtomicUsize::new(copy.as_ref().map_or(0, |copy| copy.lost));
        let store = Self { commands, newest, thread, lost, is_there, _directory: directory };
        match first.recv_timeout(PATIENCE) {
            Ok(Err(error)) => away(&path, copy.as_ref(), error).map(|()| store),
            _ => Ok(store),
        }
    }

    fn ask<T>(
        &self,
        command: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let busy = |_| StoreError::Unavailable("too much waits for the database".to_owned());
        self.commands.try_send(command(reply)).map_err(busy)?;
        answer.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            Err(StoreError::Unavailable(match error {
                RecvTimeoutError::Timeout => "the database does not answer".to_owned(),
                RecvTimeoutError::Disconnected => "it was closed".to_owned(),
            }))
        })
    }
}

/// Says with what a start goes on that has no database; `error` where there is nothing.
fn away(path: &Path, copy: Option<&Loaded>, error: StoreError) -> Result<(), StoreError> {
    let Some(copy) = copy else { return Err(error) };
    let (revision, lost, path) = (copy.stored.revision, copy.lost, path.display());
    if copy.is_empty() {
        error!(lost, %path, "the copy of the database is damaged: nothing of it can be read");
        return Err(follower::without(&error, copy, &path));
    }
    match lost {
        0 => warn!(%error, %revision, "the database is away: its last copy is taken"),
        _ => error!(
            %error, %revision, lost, %path,
            "the database is away and its copy is damaged: the node is not ready, what it serves is incomplete"
        ),
    }
    Ok(())
}

impl Store for Postgres {
    fn read(&self) -> Result<Stored, StoreError> {
        self.ask(Command::Read)
    }

    fn write(&self, base: Revision, change: &Change, note: &Note) -> Result<Revision, StoreError> {
        let rows = rows::of(change).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.ask(|reply| Command::Write { base, rows, note: note.clone(), reply })
    }

    fn since(&self, revision: Revision, most: usize) -> Result<Vec<Entry>, StoreError> {
        let texts: Vec<String> = self.ask(|reply| Command::Since { revision, most, reply })?;
        let entries = texts.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>();
        entries.map_err(|error| StoreError::Corrupt(format!("the log: {error}")))
    }

    fn newest(&self) -> watch::Receiver<Revision> {
        self.newest.clone()
    }

    fn incomplete(&self, served: Revision) -> Option<Incomplete> {
        let lost = self.lost.load(SeqCst);
        if lost > 0 && self.is_there.load(SeqCst) && served >= *self.newest.borrow() {
            self.lost.store(0, SeqCst);
            return None;
        }
        (lost > 0).then(|| Incomplete::new(lost, true))
    }

    fn renew(&self, targets: &[Uuid]) -> Result<HashMap<Uuid, u64>, StoreError> {
        self.ask(|reply| Command::Renew { targets: targets.to_vec(), reply })
    }

    fn renewals(&self, targets: &[Uuid]) -> Result<HashMap<Uuid, u64>, StoreError> {
        self.ask(|reply| Command::Renewals { targets: targets.to_vec(), reply })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The thread ends with the last sender.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.commands, closed));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("newest", &*self.newest.borrow()).finish_non_exhaustive()
    }
}
