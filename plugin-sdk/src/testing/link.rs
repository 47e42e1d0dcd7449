//! What is said to a testbed, and what it says.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use super::wire::{Ask, Tell};

/// Where the testbed listens.
pub(super) const TESTBED: &str = "PLUGIN_TESTBED";

/// A connection to a testbed.
pub(super) struct Link {
    socket: RefCell<TcpStream>,
    told: Receiver<Tell>,
    /// What came while something else was waited for.
    aside: RefCell<VecDeque<Tell>>,
}

impl Link {
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub(super) fn to(address: &str) -> Self {
        let socket = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("no testbed at {address}, see {TESTBED}: {error}"));
        let told = listen(&socket);
        Self { socket: RefCell::new(socket), told, aside: RefCell::default() }
    }

    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub(super) fn say(&self, ask: &Ask) {
        let mut line = serde_json::to_string(ask).unwrap_or_default();
        line.push('\n');
        let said = self.socket.borrow_mut().write_all(line.as_bytes());
        said.unwrap_or_else(|error| panic!("the testbed has gone: {error}"));
    }

    /// What comes next, or what was put aside.
    pub(super) fn next(&self, patience: Duration) -> Result<Tell, RecvTimeoutError> {
        let aside = self.aside.borrow_mut().pop_front();
        aside.map_or_else(|| self.tells(patience), Ok)
    }

    /// What comes next.
    pub(super) fn tells(&self, patience: Duration) -> Result<Tell, RecvTimeoutError> {
        self.told.recv_timeout(patience)
    }

    /// It is for later.
    pub(super) fn put_aside(&self, tell: Tell) {
        self.aside.borrow_mut().push_back(tell);
    }
}

/// What the testbed says, line by line.
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn listen(socket: &TcpStream) -> Receiver<Tell> {
    let (sender, told) = channel();
    let socket = socket.try_clone().unwrap_or_else(|error| panic!("the testbed's socket: {error}"));
    thread::spawn(move || {
        for line in BufReader::new(socket).lines() {
            let Ok(tell) = line.map_err(drop).and_then(|line| serde_json::from_str(&line).map_err(drop))
            else {
                return;
            };
            if sender.send(tell).is_err() {
                return;
            }
        }
    });
    told
}
