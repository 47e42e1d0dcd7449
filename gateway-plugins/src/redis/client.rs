//! A server that may go and come back.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use gateway_core::BoxError;
use redis::{FromRedisValue, RedisError, ScriptInvocation};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    Server,
    connect::{Connection, connect},
};
use crate::clock;

/// Calls under way at once. Those beyond get no answer, or wait for their turn.
pub(super) const MOST_CALLS: usize = 1_024;
/// Answers in a row that are late until a connection is given up.
const MOST_LATE: u32 = 3;
/// Milliseconds between two lines of the log about calls that a server refuses.
const REST: u64 = 10_000;
/// The pause after the first failure, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The client of one server: one connection for all workers, made with the first call.
///
/// A call waits for a connection only where nothing speaks against the server: at the start, and when a connection
/// that served well has broken. After that calls get no answer at once until a connection is there; one is
/// tried with the first call after a pause that grows with each failure. Nothing runs while nobody calls.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) server: Server,
    state: Mutex<State>,
    /// Held by who connects.
    gate: tokio::sync::Mutex<()>,
    room: Semaphore,
    /// When the log was last told of a call that was refused.
    told: AtomicU64,
}

#[derive(Debug)]
enum State {
    /// To be connected to.
    Fresh,
    Live(Arc<Live>),
    /// Not to be tried before that moment.
    Down(Instant, u32),
}

/// A connection in use.
struct Live {
    connection: Connection,
    /// Late answers since the last one in time.
    late: AtomicU32,
    /// Failures before it.
    failures: AtomicU32,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("late", &self.late).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(server: Server) -> Arc<Self> {
        Arc::new(Self {
            server,
            state: Mutex::new(State::Fresh),
            gate: tokio::sync::Mutex::default(),
            room: Semaphore::new(MOST_CALLS),
            told: AtomicU64::new(0),
        })
    }

    /// What `script` answers; none where the server gives no answer in time, or an error.
    pub(crate) async fn run<T: FromRedisValue>(self: &Arc<Self>, script: &ScriptInvocation<'_>) -> Option<T> {
        let _place = self.room.try_acquire().ok()?;
        self.ask(script).await
    }

    /// The same for calls that nobody can do without: those beyond the bound wait for their turn, as long as for an answer.
    pub(crate) async fn run_in_turn<T: FromRedisValue>(
        self: &Arc<Self>,
        script: &ScriptInvocation<'_>,
    ) -> Option<T> {
        let _place = timeout(self.server.timeout, self.room.acquire()).await.ok()?.ok()?;
        self.ask(script).await
    }

    async fn ask<T: FromRedisValue>(self: &Arc<Self>, script: &ScriptInvocation<'_>) -> Option<T> {
        let live = self.live().await?;
        let mut calls = live.connection.calls.clone();
        match timeout(self.server.timeout, script.invoke_async(&mut calls)).await {
            Ok(Ok(answer)) => {
                live.late.store(0, Relaxed);
                live.failures.store(0, Relaxed);
                Some(answer)
            }
            Ok(Err(error)) => {
                self.failed(&live, &error);
                None
            }
            Err(_) => {
                if live.late.fetch_add(1, Relaxed) + 1 >= MOST_LATE {
                    self.give_up(&live, &"it does not answer in time");
                }
                None
            }
        }
    }

    /// The connection; none where it is better not to wait for one.
    async fn live(self: &Arc<Self>) -> Option<Arc<Live>> {
        match &*self.state() {
            State::Live(live) => return Some(Arc::clone(live)),
            State::Down(until, _) if Instant::now() < *until => return None,
            State::Down(..) => {
                self.revive();
                return None;
            }
            State::Fresh => {}
        }
        let _gate = timeout(self.server.timeout, self.gate.lock()).await.ok()?;
        if !matches!(*self.state(), State::Fresh) {
            // Somebody else was here first.
            return self.known();
        }
        self.connect().await;
        self.known()
    }

    /// Tries a server again, unless somebody does; nobody waits for it. It takes no longer than the time limit.
    fn revive(self: &Arc<Self>) {
        if self.gate.try_lock().is_err() {
            return;
        }
        let client = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(_gate) = client.gate.try_lock() {
                client.connect().await;
            }
        });
    }

    fn known(&self) -> Option<Arc<Live>> {
        match &*self.state() {
            State::Live(live) => Some(Arc::clone(live)),
            State::Fresh | State::Down(..) => None,
        }
    }

    /// Connects; the gate is held.
    async fn connect(&self) {
        let failures = match &*self.state() {
            State::Live(_) => return,
            State::Fresh => 0,
            State::Down(until, _) if Instant::now() < *until => return,
            State::Down(_, failures) => *failures,
        };
        let connected = timeout(self.server.timeout, connect(&self.server, MOST_CALLS)).await;
        let connected = connected.unwrap_or_else(|_| Err(BoxError::from("no connection in time")));
        match connected {
            Ok(connection) => {
                // It has yet to show that it serves.
                let (late, failures) = (AtomicU32::new(0), AtomicU32::new(failures.max(1)));
                *self.state() = State::Live(Arc::new(Live { connection, late, failures }));
            }
            Err(error) => {
                tracing::warn!(server = ?self.server, %error, "no connection to redis");
                *self.state() = down(failures);
            }
        }
    }

    fn failed(&self, live: &Arc<Live>, error: &RedisError) {
        // Who only reads is a replica by now: its name may lead elsewhere.
        if error.is_unrecoverable_error() || error.is_io_error() || error.code() == Some("READONLY") {
            self.give_up(live, error);
        } else if clock::steady().saturating_sub(self.told.load(Relaxed)) >= REST {
            self.told.store(clock::steady(), Relaxed);
            tracing::warn!(server = ?self.server, %error, "redis refused a call");
        }
    }

    /// Leaves a connection, unless somebody has done so before. One that has served well is made again by the next
    /// call, which waits for it.
    fn give_up(&self, broken: &Arc<Live>, why: &dyn fmt::Display) {
        let mut state = self.state();
        if !matches!(&*state, State::Live(live) if Arc::ptr_eq(live, broken)) {
            return;
        }
        tracing::warn!(server = ?self.server, %why, "connection to redis given up");
        let failures = broken.failures.load(Relaxed);
        let well = failures == 0 && broken.late.load(Relaxed) == 0;
        *state = if well { State::Fresh } else { down(failures) };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not to be tried for a while: 100 ms after the first failure, then twice as long each time, up to 10 s; a part of it is
/// left to chance, so that not all nodes come at once.
fn down(failures: u32) -> State {
    let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    State::Down(Instant::now() + pause.mul_f64(0.75 + 0.25 * fastrand::f64()), failures.saturating_add(1))
}
