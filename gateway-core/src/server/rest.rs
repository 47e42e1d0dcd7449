//! An idle HTTP/1 connection at rest: without hyper's buffers and state, which are most of what it holds.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{sleep, timeout},
};

use super::{
    counters::Timeout,
    drain::{Bell, Phase},
    state::ConnState,
};

/// Most bytes that are taken off the stream before hyper reads the rest of a request.
const FIRST: usize = 512;

/// Waits for the client's next request for `patience`, and gives its first bytes; `None` where the connection is
/// over instead: the client has gone, its time is up, or a stop has begun.
pub(super) async fn rest<I>(
    io: &mut I,
    state: &Arc<ConnState>,
    patience: Duration,
    bell: &mut Bell,
) -> Option<Bytes>
where
    I: AsyncRead + Unpin,
{
    let mut over = pin!(sleep(patience));
    poll_fn(|cx| {
        // First the stream: what came before a stop is answered.
        if let Poll::Ready(read) = poll_first(io, cx) {
            return Poll::Ready(read.ok().filter(|read| !read.is_empty()));
        }
        if bell.listen(cx.waker()) != Phase::Serving {
            return Poll::Ready(None);
        }
        over.as_mut().poll(cx).map(|()| {
            state.counters.time_out(Timeout::KeepAlive, 1);
            None
        })
    })
    .await
}

fn poll_first<I: AsyncRead + Unpin>(io: &mut I, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    let mut first = [0; FIRST];
    let mut buf = ReadBuf::new(&mut first);
    Pin::new(io).poll_read(cx, &mut buf).map_ok(|()| Bytes::copy_from_slice(buf.filled()))
}

/// Closes a stream that was at rest: over TLS that takes a word.
pub(super) async fn close<I: AsyncWrite + Unpin>(io: &mut I, patience: Duration) {
    let _ = timeout(patience, io.shutdown()).await;
}

/// A stream with what has been read of it already in front.
#[derive(Debug)]
pub(super) struct Begun<I> {
    read: Bytes,
    io: I,
}

impl<I> Begun<I> {
    pub(super) const fn new(read: Bytes, io: I) -> Self {
        Self { read, io }
    }

    /// The stream, where nothing stands in front.
    pub(super) fn into_inner(self) -> I {
        self.io
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Begun<I> {
    /// What was read comes with what follows, in the same breath: hyper keeps a larger buffer for a connection
    /// whose head comes in two reads.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(self.read.get(..length).unwrap_or_default());
        self.read.advance(length);
        if self.read.is_empty() {
            self.read = Bytes::new();
            // An error comes again with the next read, or is the end of the stream then.
            let _ = Pin::new(&mut self.io).poll_read(cx, buf);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Begun<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::Begun;

    #[tokio::test]
    async fn what_was_read_comes_first_and_with_what_follows() {
        let (mut far, near) = duplex(64);
        far.write_all(b"T / HTTP/1.1").await.unwrap();
        let mut begun = Begun::new(Bytes::from_static(b"GE"), near);
        let mut small = [0; 1];
        begun.read_exact(&mut small).await.unwrap();
        let mut rest = [0; 64];
        let read = begun.read(&mut rest).await.unwrap();
        assert_eq!((&small[..], &rest[..read]), (&b"G"[..], &b"ET / HTTP/1.1"[..]));
    }
}
