//! The half of a socket that is written to, and what waits to go out on it.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use socket2::SockRef;
use tokio::{io::AsyncWrite, net::tcp::OwnedWriteHalf};

use super::short_writes;

#[derive(Debug)]
pub(super) struct Sender {
    /// None once the stream has been dropped.
    half: Option<OwnedWriteHalf>,
    held: Vec<u8>,
    /// How much of `held` the kernel has taken.
    at: usize,
    sent: u64,
    failed: Option<io::Error>,
    /// A task waits until the kernel takes the rest of what is held.
    draining: bool,
    /// That task: a socket that is closed does not wake it.
    drainer: Option<Waker>,
    /// Who wrote what is held, and is told when it is stuck; or waits for that task.
    waiting: Option<Waker>,
}

impl Sender {
    pub(super) const fn new(half: OwnedWriteHalf) -> Self {
        Self {
            half: Some(half),
            held: Vec::new(),
            at: 0,
            sent: 0,
            failed: None,
            draining: false,
            drainer: None,
            waiting: None,
        }
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// What waits to go out. Nothing is put behind what the kernel did not take.
    pub(super) const fn held(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// What the bytes that were held met; said once.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether a task waits for the kernel.
    pub(super) const fn is_draining(&self) -> bool {
        self.draining
    }

    /// A task waits from now on. Whoever wrote asks again whether it has gone, and so learns that he waits for the peer.
    pub(super) fn begin_to_drain(&mut self) {
        self.draining = true;
        if let Some(writer) = &self.waiting {
            writer.wake_by_ref();
        }
    }

    /// Remembers the task of `cx` as the writer.
    pub(super) fn written_by(&mut self, cx: &Context<'_>) {
        if !self.waiting.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.waiting = Some(cx.waker().clone());
        }
    }

    /// Pending as long as that task waits; then wakes the task of `cx`.
    pub(super) fn poll_drained(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.draining {
            return Poll::Ready(());
        }
        self.written_by(cx);
        Poll::Pending
    }

    /// Sends what is held. Pending where the kernel does not take all of it; ready also where nobody ever will.
    pub(super) fn send(&mut self) -> Poll<()> {
        ready!(self.send_by(|half, bytes| match half.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            written => Poll::Ready(written),
        }));
        // A stream at rest does not keep the memory of the task that used it.
        self.waiting = None;
        Poll::Ready(())
    }

    /// The same, for the task that waits.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.send_by(|half, bytes| Pin::new(half).poll_write(cx, bytes)).is_pending() {
            self.drainer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        (self.draining, self.drainer) = (false, None);
        self.held = Vec::new();
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
        Poll::Ready(())
    }

    fn send_by(
        &mut self,
        mut write: impl FnMut(&mut OwnedWriteHalf, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<()> {
        while let (Some(half), Some(rest @ [_, ..])) = (&mut self.half, self.held.get(self.at..)) {
            match ready!(write(half, rest)) {
                Ok(count) => {
                    self.at += count;
                    self.sent += count as u64;
                }
                Err(error) => {
                    self.fail(error);
                    break;
                }
            }
        }
        self.forget();
        Poll::Ready(())
    }

    /// Whoever reads learns of it too: the read ends.
    fn fail(&mut self, error: io::Error) {
        if let Some(half) = &self.half {
            let _ = SockRef::from(half.as_ref()).shutdown(Shutdown::Both);
        }
        self.failed = Some(error);
    }

    /// Writes past what is held, of which there is nothing.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(half) = &mut self.half else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        let count = ready!(short_writes::poll_write(Pin::new(half), cx, slices))?;
        self.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.as_mut().map_or(Poll::Ready(Ok(())), |half| Pin::new(half).poll_shutdown(cx))
    }

    /// Throws away what is held.
    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.at = 0;
    }

    /// Sends what the kernel takes, and lets the socket go. A task that waits ends.
    pub(super) fn close(&mut self) {
        let _ = self.send();
        if let Some(drainer) = self.drainer.take() {
            drainer.wake();
        }
        self.waiting = None;
        if let Some(half) = self.half.take() {
            // The socket is closed by whoever reads, both ways at once.
            half.forget();
        }
    }
}
