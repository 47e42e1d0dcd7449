//! The socket, with its progress written down.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::{TcpStream, UnixStream},
};

use super::{deadline::Wire, state::ConnState};
use crate::cork::Corked;

/// A byte stream that HTTP can be served on.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Prepares that what the peer has not taken is thrown away when this is dropped, where that is
    /// possible: a peer that does not read must not hold our memory any longer. Nothing by default.
    fn forget_unsent(&self) {}
}

impl Transport for TcpStream {
    fn forget_unsent(&self) {
        // Closing with a linger of zero sends RST. Failing that, an ordinary close remains.
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Transport for Corked {
    fn forget_unsent(&self) {
        self.socket().forget_unsent();
    }
}

impl Transport for UnixStream {}
impl Transport for DuplexStream {}

/// How an HTTP/2 connection with prior knowledge begins (RFC 9113 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A transport that tells [`ConnState`] of each progress. It stands under TLS, so that what the
/// peer takes and gives is seen as the kernel sees it.
#[derive(Debug)]
pub(super) struct TimedIo<T: Transport> {
    transport: T,
    state: Arc<ConnState>,
    /// The first bytes, read to choose the protocol; replayed to it.
    first: [u8; PREFACE.len()],
    len: u8,
    replayed: u8,
}

impl<T: Transport> TimedIo<T> {
    pub(super) const fn new(transport: T, state: Arc<ConnState>) -> Self {
        Self { transport, state, first: [0; PREFACE.len()], len: 0, replayed: 0 }
    }

    /// The bytes that came so far, while the protocol is being chosen.
    pub(super) fn first_bytes(&self) -> &[u8] {
        self.first.get(..self.len.into()).unwrap_or_default()
    }

    /// Chooses the protocol by the first bytes: HTTP/2 has all of the preface, HTTP/1 is anything else,
    /// and also the end of the stream.
    pub(super) fn poll_wire(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Wire>> {
        loop {
            if !PREFACE.starts_with(self.first_bytes()) {
                return Poll::Ready(Ok(Wire::Http1));
            }
            let Some(rest @ [_, ..]) = self.first.get_mut(self.len.into()..) else {
                return Poll::Ready(Ok(Wire::Http2));
            };
            let mut buf = ReadBuf::new(rest);
            ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buf))?;
            let read = buf.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(Wire::Http1));
            }
            self.state.on_read();
            self.len += u8::try_from(read).unwrap_or_default();
        }
    }

    /// Gives the first bytes again, and in the same breath what came after them: hyper doubles its read
    /// buffer when a head comes in two reads, and keeps it so for the connection's life.
    fn replay(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) {
        let rest = self.first.get(self.replayed.into()..self.len.into()).unwrap_or_default();
        let take = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..take).unwrap_or_default());
        self.replayed += u8::try_from(take).unwrap_or_default();
        if buf.remaining() > 0 {
            // An error comes again with the next read, or is the end of the stream then.
            let _ = self.read(cx, buf);
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.state.on_read();
        }
        Poll::Ready(Ok(()))
    }

    fn written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(bytes)) => self.state.on_write(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.state.on_blocked(),
        }
        result
    }
}

impl<T: Transport> AsyncRead for TimedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.replayed < self.len {
            self.replay(cx, buf);
            return Poll::Ready(Ok(()));
        }
        self.read(cx, buf)
    }
}

impl<T: Transport> AsyncWrite for TimedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.transport).poll_flush(cx);
        self.written(result.map_ok(|()| 0)).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Held bytes go first, and wait for the peer.
        let result = Pin::new(&mut self.transport).poll_shutdown(cx);
        self.written(result.map_ok(|()| 0)).map_ok(drop)
    }
}

impl<T: Transport> Drop for TimedIo<T> {
    fn drop(&mut self) {
        if self.state.is_aborted() {
            self.transport.forget_unsent();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        net::Ipv4Addr,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
        time::Duration,
    };

    use tokio::{
        io::AsyncWrite,
        net::{TcpListener, TcpStream},
        task::coop::unconstrained,
        time::timeout,
    };

    use super::{ConnState, TimedIo};
    use crate::{
        cork::Corked,
        server::{Drain, Timeouts, deadline::Times},
    };

    /// A stream to a peer that reads nothing; it holds what did not fit. And the peer.
    async fn stuck() -> (TimedIo<Corked>, Arc<ConnState>, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let times = Times::new(&Timeouts::default());
        let state = Arc::new(ConnState::new(Arc::default(), &times, Drain::new().enter()));
        let mut io = TimedIo::new(Corked::new(near.unwrap()), Arc::clone(&state));
        let filled = poll_fn(|cx| {
            while write(&mut io, cx, &[0; 5000]) {}
            // What follows is not what waited.
            state.on_write(0);
            assert!(write(&mut io, cx, b"held"));
            Poll::Ready(())
        });
        unconstrained(filled).await;
        (io, state, far.unwrap().0)
    }

    fn write(io: &mut TimedIo<Corked>, cx: &mut Context<'_>, bytes: &[u8]) -> bool {
        let written = Pin::new(io).poll_write(cx, bytes);
        written.map(Result::unwrap).is_ready()
    }

    #[tokio::test]
    async fn a_close_that_waits_for_the_peer_is_seen_to_wait() {
        let (mut io, state, _far) = stuck().await;
        assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut io).poll_shutdown(cx).is_pending())).await);
        assert!(state.look().blocked.since != 0, "the write timeout runs");
    }

    /// As a connection does that has nothing more to write, and waits for its next request.
    #[tokio::test]
    async fn last_words_that_wait_for_the_peer_are_seen_to_wait() {
        let (mut io, state, _far) = stuck().await;
        let idle = poll_fn(|cx| {
            let _ = Pin::new(&mut io).poll_flush(cx);
            if state.look().blocked.since == 0 { Poll::Pending } else { Poll::Ready(()) }
        });
        timeout(Duration::from_secs(10), idle).await.expect("the write timeout runs");
    }
}
