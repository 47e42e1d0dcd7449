//! What the thread of a PostgreSQL store does: it answers, it hears of changes, and it comes back.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::SyncSender,
    },
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_postgres::Config;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::{
    super::{
        History, Note, Revision, StoreError, Stored,
        copy::{Copy, Loaded},
        rows::Row,
    },
    leases,
    session::{Session, within},
    tables::{self, Outcome},
    tls::Tls,
};

/// Where an answer goes.
pub(super) type Reply<T> = SyncSender<Result<T, StoreError>>;

/// What is asked of the store.
pub(super) enum Command {
    Read(Reply<Stored>),
    Write { base: Revision, rows: Vec<Row>, note: Note, reply: Reply<Revision> },
    Since { revision: Revision, most: usize, reply: Reply<Vec<String>> },
    Renew { targets: Vec<Uuid>, reply: Reply<HashMap<Uuid, u64>> },
    Renewals { targets: Vec<Uuid>, reply: Reply<HashMap<Uuid, u64>> },
}

/// How long it waits before it connects again: at first, and at most. Who wants to write makes it the first again.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Between two looks at the revision where nobody has said anything: a notice may have been lost.
const LOOK: Duration = Duration::from_secs(5);

/// Changes that are taken over at once.
const PAGE: usize = 1_000;

/// Where the copy is, and what is known of it at a start.
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// The highest revision that it says.
    pub(super) seen: Revision,
    /// Becomes true once the database has been there, and its revision is told.
    pub(super) is_there: Arc<AtomicBool>,
}

/// What the thread does.
pub(super) struct Follower {
    config: Config,
    tls: Tls,
    history: History,
    place: Place,
    copy: Option<Copy>,
    commands: mpsc::Receiver<Command>,
    newest: watch::Sender<Revision>,
    /// Why the database is away, if it is.
    cause: String,
    /// Who waits for the first attempt.
    begun: Option<Reply<()>>,
}

/// Why it does not go on with a connection.
enum End {
    /// Nobody asks any more.
    Closed,
    /// It never came to an answer.
    Refused(StoreError),
    /// It served, and ended.
    Broken(StoreError),
}

impl Follower {
    pub(super) fn new(
        (config, tls): (Config, Tls),
        place: Place,
        commands: mpsc::Receiver<Command>,
        newest: watch::Sender<Revision>,
        begun: Reply<()>,
    ) -> Self {
        let history = History::default();
        Self {
            config,
            tls,
            history,
            place,
            copy: None,
            commands,
            newest,
            cause: String::new(),
            begun: Some(begun),
        }
    }

    pub(super) async fn run(mut self) {
        let mut patience = PATIENCE.0;
        loop {
            let began = Instant::now();
            let least = match self.session().await {
                End::Closed => return,
                End::Broken(error) => {
                    self.cause = cause(&error);
                    warn!(%error, "the database is away: what was kept last is served");
                    patience = PATIENCE.0;
                    patience
                }
                End::Refused(error) => {
                    self.cause = cause(&error);
                    match self.begun.take() {
                        Some(begun) => drop(begun.send(Err(error))),
                        None => warn!(%error, "the database is still away"),
                    }
                    // Who does not even refuse is not asked all the time.
                    began.elapsed().max(PATIENCE.0)
                }
            };
            match self.wait(patience.max(least), least).await {
                Some(next) => patience = next,
                None => return,
            }
        }
    }

    /// Answers nobody's writes for a while, which is shorter, though not shorter than `least`, where somebody wants to
    /// write. How long to wait the next time; nothing when nobody asks any more.
    async fn wait(&mut self, patience: Duration, least: Duration) -> Option<Duration> {
        // Not all gateways at the same moment.
        let jitter = f64::from(u8::try_from(Uuid::new_v4().as_u128() & 0x7f).unwrap_or(0)) / 256.0;
        let after = |wait: Duration| Instant::now() + wait.mul_f64(1.0 - jitter);
        let (mut end, soon) = (after(patience), after(least));
        let mut next = (patience * 2).min(PATIENCE.1);
        loop {
            tokio::select! {
                () = sleep_until(end) => return Some(next),
                command = self.commands.recv() => match command {
                    Some(command) => {
                        if matches!(command, Command::Write { .. }) {
                            (end, next) = (end.min(soon), PATIENCE.0);
                        }
                        self.refuse(command);
                    }
                    None => return None,
                },
            }
        }
    }

    /// What can be answered without the database: what was kept last.
    fn refuse(&self, command: Command) {
        let away = || StoreError::Unavailable(format!("the database is away: {}", self.cause));
        match command {
            Command::Read(reply) => {
                let copy = Copy::load(&self.place.path).map_err(StoreError::from);
                let _ = reply.send(copy.and_then(|copy| self.read(&copy.ok_or_else(away)?, &away())));
            }
            Command::Write { reply, .. } => drop(reply.send(Err(away()))),
            Command::Since { reply, .. } => drop(reply.send(Err(away()))),
            Command::Renew { reply, .. } | Command::Renewals { reply, .. } => {
                drop(reply.send(Err(away())));
            }
        }
    }

    /// What is read while the database is away. What is left of a damaged copy is no revision, for it is none that ever
    /// was: who has it takes over all that the database says later.
    fn read(&self, copy: &Loaded, away: &StoreError) -> Result<Stored, StoreError> {
        if copy.is_empty() {
            return Err(without(away, copy, &self.place.path.display()));
        }
        let revision = if copy.lost == 0 { copy.stored.revision } else { Revision::NONE };
        Ok(Stored::new(revision, copy.stored.config.clone()))
    }

    /// The highest revision that was there, as far as this process can know.
    fn known(&self) -> Revision {
        self.place.seen.max(*self.newest.borrow())
    }

    /// From one connection to its end.
    async fn session(&mut self) -> End {
        let known = self.known();
        let mut session = match Session::open(&self.config, &self.tls, known).await {
            Ok(session) => session,
            Err(error) => return End::Refused(error),
        };
        if let Err(error) = self.catch_up(&mut session).await {
            return End::Refused(error);
        }
        if let Some(begun) = self.begun.take() {
            let _ = begun.send(Ok(()));
        }
        info!(revision = %*self.newest.borrow(), "connected to the database");
        loop {
            let served = tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.answer(&mut session, command).await,
                    None => return End::Closed,
                },
                is_there = session.heard() => match is_there {
                    true => self.catch_up(&mut session).await,
                    false => Err(StoreError::Unavailable("the connection has ended".to_owned())),
                },
                () = sleep(LOOK) => self.catch_up(&mut session).await,
            };
            if let Err(error) = served {
                return End::Broken(error);
            }
        }
    }

    /// Answers; an error is one that the connection does not survive.
    async fn answer(&mut self, session: &mut Session, command: Command) -> Result<(), StoreError> {
        match command {
            Command::Read(reply) => {
                let read = within(tables::documents(&mut session.client)).await;
                finish(&reply, read.and_then(|(revision, documents)| Stored::of(revision, &documents)))
            }
            Command::Since { revision, most, reply } => {
                let since = within(tables::since(&session.client, revision, most)).await;
                finish(&reply, since.map(|entries| entries.into_iter().map(|(_, entry)| entry).collect()))
            }
            Command::Renew { targets, reply } => {
                finish(&reply, within(leases::renew(&session.client, &targets)).await)
            }
            Command::Renewals { targets, reply } => {
                finish(&reply, within(leases::renewals(&session.client, &targets)).await)
            }
            Command::Write { base, rows, note, reply } => {
                let write = tables::write(&mut session.client, base, &rows, &note, self.history);
                let written = within(write).await.and_then(|outcome| match outcome {
                    Outcome::Kept(revision) => Ok(revision),
                    Outcome::Same => Ok(base),
                    Outcome::Conflict(newest) => Err(StoreError::Conflict { newest }),
                });
                if let Ok(revision) = written {
                    self.newest.send_if_modified(|newest| std::mem::replace(newest, revision) != revision);
                }
                finish(&reply, written)?;
                // The copy follows; nobody waits for it.
                self.catch_up(session).await
            }
        }
    }

    /// Takes over what is new: into the copy, then it is told.
    async fn catch_up(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let revision = within(tables::revision(&session.client)).await?;
        tables::lost(self.known(), revision)?;
        if self.copy.is_none() {
            self.copy = Copy::resume(&self.place.path, revision).unwrap_or_else(|error| self.lost(&error));
        }
        let known = self.copy.as_ref().map(Copy::revision);
        if known != Some(revision) {
            let followed = match known.filter(|known| *known < revision) {
                Some(known) => self.follow(session, known).await?,
                None => false,
            };
            if !followed {
                self.begin(session).await?;
            }
        }
        self.newest.send_if_modified(|newest| std::mem::replace(newest, revision) != revision);
        self.place.is_there.store(true, SeqCst);
        Ok(())
    }

    /// Adds the changes since `known` to the copy; false where it has to be written anew.
    async fn follow(&mut self, session: &mut Session, mut known: Revision) -> Result<bool, StoreError> {
        /// What of an entry goes into the copy.
        #[derive(Deserialize)]
        struct Made {
            change: Value,
        }
        loop {
            let entries = within(tables::since(&session.client, known, PAGE)).await?;
            let count = entries.len();
            for (revision, entry) in entries {
                let made: Option<Made> = serde_json::from_str(&entry).ok();
                let Some((copy, made)) = self.copy.as_mut().zip(made).filter(|_| revision == known.next())
                else {
                    return Ok(false);
                };
                if let Err(error) = copy.append(revision, &made.change.to_string()) {
                    self.copy = self.lost(&error);
                    return Ok(false);
                }
                known = revision;
            }
            if count < PAGE {
                return Ok(self.copy.as_ref().is_some_and(|copy| !copy.is_long()));
            }
        }
    }

    /// Writes the copy anew.
    async fn begin(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let (revision, documents) = within(tables::documents(&mut session.client)).await?;
        self.copy = Copy::start(&self.place.path, revision, documents)
            .map(Some)
            .unwrap_or_else(|error| self.lost(&error));
        Ok(())
    }

    fn lost(&self, error: &std::io::Error) -> Option<Copy> {
        error!(%error, path = %self.place.path.display(), "there is no copy of the database");
        None
    }
}

/// Why there is nothing to read: neither the database, nor a line of the copy.
pub(super) fn without(away: &StoreError, copy: &Loaded, path: &impl fmt::Display) -> StoreError {
    let lost = copy.lost;
    StoreError::Unavailable(format!(
        "{}; {path} is damaged, none of its {lost} lines can be read",
        cause(away)
    ))
}

/// What an error says, without the words that every error of a store begins with.
fn cause(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(cause) => cause.clone(),
        other => other.to_string(),
    }
}

/// Hands the answer over. What the database itself refuses leaves the connection as it is.
fn finish<T>(reply: &Reply<T>, answer: Result<T, StoreError>) -> Result<(), StoreError> {
    let broken = match &answer {
        Err(StoreError::Unavailable(reason)) => Err(StoreError::Unavailable(reason.clone())),
        _ => Ok(()),
    };
    let _ = reply.send(answer);
    broken
}
