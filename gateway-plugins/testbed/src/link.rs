//! The way between a session and its test.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
};

use plugin_sdk::{
    contract::LATER,
    testing::wire::{Ask, Request, Response, Tell},
};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

/// What a function returned.
pub(crate) enum Returned {
    Now(Vec<u8>),
    Later(oneshot::Receiver<Vec<u8>>),
    Failed(u32),
}

/// The way to a test, and what waits for its word.
pub(crate) struct Link {
    socket: Mutex<TcpStream>,
    next: AtomicU64,
    answers: Mutex<HashMap<u64, oneshot::Sender<Option<Response>>>>,
    returns: Mutex<HashMap<u64, mpsc::Sender<Returned>>>,
    late: Mutex<HashMap<u32, oneshot::Sender<Vec<u8>>>>,
}

impl Link {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket: Mutex::new(socket),
            next: AtomicU64::new(1),
            answers: Mutex::default(),
            returns: Mutex::default(),
            late: Mutex::default(),
        }
    }

    pub(crate) fn tell(&self, tell: &Tell) {
        let mut line = serde_json::to_string(tell).unwrap_or_default();
        line.push('\n');
        // A test that has gone needs no word.
        let _ = locked(&self.socket).write_all(line.as_bytes());
    }

    /// Asks a service; nothing where it breaks the connection.
    pub(crate) async fn ask(&self, service: &str, request: Request) -> Option<Response> {
        let (id, (sender, answer)) = (self.next.fetch_add(1, Relaxed), oneshot::channel());
        locked(&self.answers).insert(id, sender);
        self.tell(&Tell::Asked(id, service.to_owned(), Box::new(request)));
        answer.await.ok().flatten()
    }

    /// Calls a function, and stands still until it returns: the guest does, too.
    pub(crate) fn call(&self, name: &str, arguments: &[u8]) -> Returned {
        const INTERNAL_FAILURE: u32 = 10;
        let (id, (sender, returned)) = (self.next.fetch_add(1, Relaxed), mpsc::channel());
        locked(&self.returns).insert(id, sender);
        self.tell(&Tell::Called(id, name.to_owned(), arguments.to_vec()));
        returned.recv().unwrap_or(Returned::Failed(INTERNAL_FAILURE))
    }

    /// Reads what the test says until it goes: what somebody waits for is brought to him, all else to the session.
    pub(crate) fn read(&self, socket: TcpStream, session: &UnboundedSender<Ask>) {
        for line in BufReader::new(socket).lines() {
            let Ok(Ok(ask)) = line.map(|line| serde_json::from_str(&line)) else { break };
            match ask {
                Ask::Answer(id, response) => {
                    locked(&self.answers).remove(&id).map(|sender| sender.send(response));
                }
                Ask::Return(id, result) => {
                    let returned = self.returned(result);
                    locked(&self.returns).remove(&id).map(|sender| sender.send(returned));
                }
                Ask::Late(token, bytes) => {
                    locked(&self.late).remove(&token).map(|sender| sender.send(bytes));
                }
                other => drop(session.send(other)),
            }
        }
        locked(&self.returns).clear();
    }

    fn returned(&self, result: Result<Vec<u8>, u32>) -> Returned {
        match result {
            Err(status) => Returned::Failed(status),
            Ok(bytes) => match bytes.split_first() {
                Some((&LATER, token)) => {
                    let token = token.first_chunk().copied().map(u32::from_le_bytes).unwrap_or_default();
                    let (sender, late) = oneshot::channel();
                    locked(&self.late).insert(token, sender);
                    Returned::Later(late)
                }
                _ => Returned::Now(bytes),
            },
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
