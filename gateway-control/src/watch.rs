//! A file that is followed: each new content becomes what the gateway serves by.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use crate::{Control, Hash, Loaded, Refusal};

/// Changes within this time are one: editors and copies write in steps.
const SETTLE: Duration = Duration::from_millis(50);

/// But no change waits longer, however busy the directory is.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the file is looked at where the system tells nothing, as on network file systems.
const LOOK: Duration = Duration::from_secs(2);

/// Follows a file on a thread of its own, until dropped.
///
/// It watches the directory, because files are replaced more often than written: by editors, and by
/// Kubernetes, which swaps a symbolic link. What counts is the content: a file that was only touched
/// changes nothing, and the same mistake is told once.
#[derive(Debug)]
pub struct Watch {
    commands: mpsc::SyncSender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// A file whose content did not become what the gateway serves by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was refused.
    #[error("{} is refused: {refusal}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Its content, for drawing.
        text: String,
        /// All reasons.
        #[source]
        refusal: Refusal,
    },
}

#[derive(Debug)]
enum Command {
    /// Something happened in the directory.
    Look,
    /// Somebody asks for it.
    Reload,
    Stop,
}

impl Watch {
    /// Follows `path` for `control`; `report` hears what became of each new content.
    ///
    /// # Errors
    /// When the thread cannot be made. A directory that cannot be watched is looked at every two
    /// seconds, with a warning.
    pub fn start(
        path: impl Into<PathBuf>,
        control: Arc<Control>,
        report: impl Fn(Result<Loaded, WatchError>) + Send + 'static,
    ) -> io::Result<Self> {
        // Room for one of each: what is in the queue already need not be said again.
        let (commands, received) = mpsc::sync_channel(4);
        let path = path.into();
        let watcher = watch_directory(&path, commands.clone())
            .map_err(|error| warn!(%error, path = %path.display(), "the directory is looked at every 2 s"));
        let last = Found::Content(control.hash());
        let mut follower = Follower { seen: Seen(None), last, path, control, report };
        let work = move || {
            let _watcher = watcher;
            follower.run(&received);
        };
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(work)?;
        Ok(Self { commands, thread: Some(thread) })
    }

    /// Reads the file again, as SIGHUP asks for, also if it is as it was.
    pub fn reload(&self) {
        // A full queue has a reason to look at the file in it.
        let _ = self.commands.try_send(Command::Reload);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch_directory(path: &Path, commands: mpsc::SyncSender<Command>) -> notify::Result<RecommendedWatcher> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is no news. A queue that is full has the news already.
        if !matches!(&event, Ok(event) if event.kind.is_access()) {
            let _ = commands.try_send(Command::Look);
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// How a file looks from outside.
#[derive(Debug, PartialEq, Eq)]
struct Seen(Option<(SystemTime, u64)>);

impl Seen {
    /// Follows links, so that one that points elsewhere is noticed.
    fn now(path: &Path) -> Self {
        Self(fs::metadata(path).ok().and_then(|meta| Some((meta.modified().ok()?, meta.len()))))
    }
}

struct Follower<R> {
    path: PathBuf,
    control: Arc<Control>,
    seen: Seen,
    /// What was found last: it is not told twice, and does not undo what others have changed since.
    last: Found,
    report: R,
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Content(Hash),
    Unreadable(io::ErrorKind),
}

/// Why the file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It may have changed.
    Change,
    /// Somebody asks for it.
    Demand,
}

impl<R: Fn(Result<Loaded, WatchError>)> Follower<R> {
    fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        // What changed between the first reading and the watching.
        self.read(Cause::Change);
        loop {
            match commands.recv_timeout(LOOK) {
                Ok(Command::Look) => match settle(commands) {
                    Settled::Quiet => self.read(Cause::Change),
                    Settled::Demanded => self.read(Cause::Demand),
                    Settled::Stopped => return,
                },
                Ok(Command::Reload) => self.read(Cause::Demand),
                Err(mpsc::RecvTimeoutError::Timeout) => self.look(),
                Ok(Command::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self) {
        if Seen::now(&self.path) != self.seen {
            self.read(Cause::Change);
        }
    }

    fn read(&mut self, cause: Cause) {
        let text = match self.steady_text() {
            Ok(text) => text,
            Err(error) => return self.unreadable(error, cause),
        };
        if !self.is_news(Found::Content(Hash::of(&text)), cause) {
            return;
        }
        let path = || self.path.clone();
        let loaded = self.control.load(&text);
        (self.report)(loaded.map_err(|refusal| WatchError::Refused { path: path(), text, refusal }));
    }

    /// The text once it stands still: a file that is being written is not judged half-way.
    fn steady_text(&mut self) -> io::Result<String> {
        let begun = Instant::now();
        loop {
            self.seen = Seen::now(&self.path);
            let text = fs::read_to_string(&self.path);
            let known = text.as_ref().is_ok_and(|text| self.last == Found::Content(Hash::of(text)));
            if known || begun.elapsed() > PATIENCE {
                return text;
            }
            thread::sleep(SETTLE);
            if Seen::now(&self.path) == self.seen {
                return text;
            }
        }
    }

    fn unreadable(&mut self, source: io::Error, cause: Cause) {
        if !self.is_news(Found::Unreadable(source.kind()), cause) {
            return;
        }
        let error = WatchError::Unreadable { path: self.path.clone(), source };
        self.control.note_failure(error.to_string());
        (self.report)(Err(error));
    }

    fn is_news(&mut self, found: Found, cause: Cause) -> bool {
        let same = self.last == found;
        self.last = found;
        !same || cause == Cause::Demand
    }
}

enum Settled {
    Quiet,
    Demanded,
    Stopped,
}

/// Waits until nothing has happened for a while.
fn settle(commands: &mpsc::Receiver<Command>) -> Settled {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match commands.recv_timeout(SETTLE) {
            Ok(Command::Look) => {}
            Ok(Command::Reload) => return Settled::Demanded,
            Err(mpsc::RecvTimeoutError::Timeout) => return Settled::Quiet,
            Ok(Command::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return Settled::Stopped,
        }
    }
    Settled::Quiet
}
