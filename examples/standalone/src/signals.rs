//! What the system tells the process.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// The signals that are listened to.
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

impl Signals {
    /// From here on signals do not end the process.
    pub(crate) fn listen() -> io::Result<Self> {
        // A file that gets too long for a limit (`ulimit -f`) is a write that fails, and no reason to end. It stays
        // heard when nobody listens any more.
        drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }
}
