//! How a stream writes: what is short waits for the end of the turn.

use std::{
    io::{self, IoSlice},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::net::tcp::OwnedWriteHalf;

use super::{
    sender::Sender,
    short_writes::SHORT,
    turn::{Holding, Turn},
};

/// Shared by a stream with the [`Turn`] of its runtime, which lives on the same thread: the lock is free.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) turn: Option<Arc<Turn>>,
    sender: Mutex<Sender>,
    /// Bytes wait for the kernel, or met a failure. A flush asks this alone.
    stuck: AtomicBool,
}

impl Writing {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        Self { turn: Turn::here(), sender: Mutex::new(Sender::new(half)), stuck: AtomicBool::new(false) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Sender> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `slices` as far as it goes: all of them where they are short, and no more is held with them. What is longer goes
    /// out at once, behind what is held.
    pub(super) fn poll_write(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut sender = self.lock();
        self.settle(&mut sender)?;
        ready!(sender.poll_drained(cx));
        let count = slices.iter().map(|slice| slice.len()).sum();
        match &self.turn {
            Some(turn) if sender.held().len() + count <= SHORT => {
                let last = sender.held().is_empty() && turn.enter(Arc::clone(self) as _, sender.held());
                slices.iter().for_each(|slice| sender.held().extend_from_slice(slice));
                sender.written_by(cx);
                drop(sender);
                if last {
                    turn.end();
                }
                Poll::Ready(Ok(count))
            }
            _ => {
                ready!(self.poll_send(&mut sender, cx))?;
                sender.poll_write(cx, slices)
            }
        }
    }

    /// Ready, but where bytes are known to be stuck: that the others go out is certain.
    pub(super) fn poll_flush(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.stuck.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let mut sender = self.lock();
        self.settle(&mut sender)?;
        sender.poll_drained(cx).map(Ok)
    }

    pub(super) fn poll_shutdown(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sender = self.lock();
        ready!(self.poll_send(&mut sender, cx))?;
        sender.poll_shutdown(cx)
    }

    /// What the bytes that were held met.
    pub(super) fn check(&self) -> io::Result<()> {
        self.settle(&mut self.lock())
    }

    /// Ready once nothing is held.
    fn poll_send(self: &Arc<Self>, sender: &mut Sender, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send(sender);
        self.settle(sender)?;
        sender.poll_drained(cx).map(Ok)
    }

    /// Sends what is held; a task of its own goes on where the kernel does not take all of it.
    fn send(self: &Arc<Self>, sender: &mut Sender) {
        if sender.is_draining() {
            return;
        }
        if sender.send().is_pending()
            && let Some(turn) = &self.turn
        {
            sender.begin_to_drain();
            turn.spawn(drain(Arc::clone(self)));
        }
        self.note(sender);
    }

    /// Gives the failure, once.
    fn settle(&self, sender: &mut Sender) -> io::Result<()> {
        let checked = sender.check();
        if checked.is_err() {
            self.note(sender);
        }
        checked
    }

    fn note(&self, sender: &Sender) {
        self.stuck.store(sender.is_draining() || sender.has_failed(), Relaxed);
    }
}

impl Holding for Writing {
    fn send_held(self: Arc<Self>) -> Option<Vec<u8>> {
        let mut sender = self.lock();
        self.send(&mut sender);
        sender.held().is_empty().then(|| std::mem::take(sender.held()))
    }
}

/// Sends what is held as the kernel takes it; ends with the stream.
async fn drain(writing: Arc<Writing>) {
    std::future::poll_fn(|cx| {
        let mut sender = writing.lock();
        ready!(sender.poll_send(cx));
        writing.note(&sender);
        Poll::Ready(())
    })
    .await;
}
