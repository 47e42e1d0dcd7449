//! Short writes of many sockets that go out together, at the end of the runtime's turn.

mod sender;
mod short_writes;
mod turn;
mod writing;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use self::writing::Writing;

/// A socket whose short writes wait for those of the other sockets of its runtime.
///
/// On a runtime of one thread, what a task writes, up to 2 KiB a socket, is held until the tasks that were ready with
/// it have run; then it goes out, socket by socket. Those who read at the other ends are woken once for many messages
/// in place of once for each, and to wake somebody is a large part of what a short write costs. Nothing waits for a
/// timer, and for 32 sockets at most: where one task alone is ready, its write goes out as soon as it has returned. On a
/// runtime of several threads, where tasks do not take turns, each write goes out at once.
///
/// To the writer bytes that are held are written, like those in the kernel's own buffer. An error that they meet comes
/// with the next call; a flush waits only for what the kernel does not take. Dropping the stream sends what it takes.
///
/// ```
/// # async fn run() -> std::io::Result<()> {
/// use gateway_core::{Body, ConnectInfo, server};
/// use http::{Request, Response};
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let (stream, peer) = listener.accept().await?;
/// let info = ConnectInfo::new(peer, stream.local_addr()?);
/// let hello = |_: &_, _: Request<Body>| async { Response::new(Body::from("hello")) };
/// server::serve_connection(server::Corked::new(stream), info, hello).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Corked {
    reading: OwnedReadHalf,
    writing: Arc<Writing>,
    /// Bytes that were written as far as the writer knows.
    written: u64,
}

impl Corked {
    /// A stream of the runtime that this is called on.
    ///
    /// # Panics
    /// Never; outside of a runtime each write goes out at once.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let (reading, half) = stream.into_split();
        Self { reading, writing: Arc::new(Writing::new(half)), written: 0 }
    }

    /// The socket, for its options and addresses.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        self.reading.as_ref()
    }

    /// Whether nothing has come and nothing has ended, as far as the runtime has been told.
    pub(crate) fn is_quiet(&self) -> bool {
        self.reading.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// How many bytes were written so far, held ones too.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes the kernel has taken.
    pub(crate) fn sent(&self) -> u64 {
        self.writing.lock().sent()
    }

    /// Sees to it that nothing more of what is held goes out, for one who counts on what has not been sent.
    pub(crate) fn forget_held(&self) {
        self.writing.lock().forget();
    }
}

impl AsyncRead for Corked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.reading).poll_read(cx, buf));
        // What could not be sent says more about the end than the end does.
        if read.is_err() || buf.filled().len() == before {
            self.writing.check()?;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Corked {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.writing.poll_write(cx, slices))?;
        self.written += count as u64;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.poll_shutdown(cx)
    }
}

impl Drop for Corked {
    fn drop(&mut self) {
        self.writing.lock().close();
    }
}

#[cfg(test)]
mod tests;
