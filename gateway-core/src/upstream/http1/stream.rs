//! The bytes of a connection to an endpoint: in clear, or over TLS.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf};
use tokio_rustls::client::TlsStream;

use crate::cork::Corked;

/// An enum, not a box: each request reads and writes it.
#[derive(Debug)]
pub(crate) enum Stream {
    Clear(Corked),
    Tls(Box<TlsStream<Corked>>),
    /// What is left when a task still writes the request.
    Reading(ReadHalf<Stream>),
    Closed,
}

impl Stream {
    /// Whether nothing has come and nothing has ended while it was idle. The runtime has been told by the
    /// kernel before, so this asks the kernel nothing.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Clear(stream) => stream.is_quiet(),
            _ => self.poll_quiet(&mut Context::from_waker(Waker::noop())),
        }
    }

    /// How much was written so far.
    pub(super) const fn written(&self) -> u64 {
        match self {
            Self::Clear(stream) => stream.written(),
            _ => 0,
        }
    }

    /// Whether more than so much may have gone out; if not, nothing more does. TLS does not say.
    pub(super) fn may_have_sent_since(&self, written: u64) -> bool {
        match self {
            Self::Clear(stream) => {
                stream.forget_held();
                stream.sent() > written
            }
            _ => true,
        }
    }

    /// Whether it is quiet, and wakes the task of `cx` when that changes.
    pub(super) fn poll_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(self).poll_read(cx, &mut ReadBuf::new(&mut [0])).is_pending()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Reading(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Reading(_) | Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Reading(_) | Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Clear(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Reading(_) | Self::Closed => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Self::Reading(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Reading(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
