//! An open connection to an endpoint.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, WriteHalf};

use super::{Broken, Decoder, Framing, Head, MOST_BYTES, Malformed, Outgoing, Rewrite, Stream};
use crate::{Body, BoxError};

/// Interim responses to one request; one more is a bad response (compat D32).
const MOST_INTERIM: u8 = 16;

/// Room for one read; it doubles while reads fill it, up to [`MOST_BYTES`].
const ROOM: usize = 8 * 1024;

/// Less room than this is not worth a read.
const LEAST_ROOM: usize = 4 * 1024;

/// A connection, with what has been read of it and not been taken.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    read: Bytes,
    /// Where the next bytes go. What has been read shares its memory, which is used again once that has gone.
    space: BytesMut,
    room: usize,
    /// The buffer of requests.
    out: Vec<u8>,
    interim: u8,
    /// Nothing that was read speaks against a further request.
    reusable: bool,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            read: Bytes::new(),
            space: BytesMut::new(),
            room: ROOM,
            out: Vec::new(),
            interim: 0,
            reusable: true,
        }
    }

    /// `request`, ready to go out on this connection.
    pub(crate) fn begin(&mut self, request: &Request<Body>, rewrite: Rewrite<'_>) -> Outgoing {
        self.interim = 0;
        Outgoing::new(std::mem::take(&mut self.out), request, rewrite)
    }

    /// Ready once all of `request` has been taken.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
        request: &mut Request<Body>,
    ) -> Poll<Result<(), Broken>> {
        outgoing.poll(cx, &mut self.stream, request)
    }

    /// A request that has gone out whole leaves its buffer.
    pub(crate) fn sent(&mut self, outgoing: Outgoing) {
        self.out = outgoing.into_buffer();
    }

    /// The head of the answer to a request with `method`, and the way to its body.
    ///
    /// # Errors
    /// The stream's, [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where it ends before; [`Malformed`] where
    /// what comes is no answer.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<(Head, Decoder), BoxError>> {
        loop {
            while let Some(head) = self.parse()? {
                if !head.is_interim() {
                    let framing = Framing::of(&head, method)?;
                    let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
                    self.reusable = head.keeps_alive() && !framing.is_in_doubt(&head) && !switched;
                    return Poll::Ready(Ok((head, Decoder::new(framing))));
                }
                self.interim += 1;
                if self.interim > MOST_INTERIM {
                    return Poll::Ready(Err(Malformed::TooManyInterim.into()));
                }
            }
            loop {
                let before = self.read.len();
                if ready!(self.poll_fill(cx))? == 0 {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                // A line that comes byte by byte is not parsed byte by byte.
                if before == 0 || self.read.len() >= MOST_BYTES || self.ends_a_line(before) {
                    break;
                }
            }
        }
    }

    fn parse(&mut self) -> Result<Option<Head>, Malformed> {
        if self.read.is_empty() { Ok(None) } else { Head::parse(&mut self.read) }
    }

    fn ends_a_line(&self, from: usize) -> bool {
        self.read.get(from..).is_some_and(|read| memchr::memchr(b'\n', read).is_some())
    }

    /// The next frame of a body.
    ///
    /// # Errors
    /// The stream's; [`Malformed`] where what comes is no such body, or ends before it.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        decoder: &mut Decoder,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match self.try_frame(decoder) {
                Ok(None) if decoder.is_done() => return Poll::Ready(None),
                Ok(None) => {}
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Err(malformed) => return Poll::Ready(Some(Err(malformed.into()))),
            }
            if ready!(self.poll_fill(cx))? == 0 {
                self.reusable = false;
                decoder.end()?;
            }
        }
    }

    /// The next frame of a body, as far as it has been read.
    pub(crate) fn try_frame(&mut self, decoder: &mut Decoder) -> Result<Option<Frame<Bytes>>, Malformed> {
        decoder.decode(&mut self.read)
    }

    /// Whether the connection may serve another request, now that an answer is complete: it said so, and nothing
    /// came after it (RFC 9112 section 6.3: what would, was meant for nobody).
    pub(crate) fn is_reusable(&self) -> bool {
        self.reusable && self.read.is_empty()
    }

    /// Whether nothing has happened on it since it came to rest.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// The same, and wakes the task of `cx` when that changes.
    pub(crate) fn poll_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.stream.poll_quiet(cx)
    }

    /// Lets another task write the rest of a request. The connection serves nobody else.
    pub(crate) fn split_off_writing(&mut self) -> WriteHalf<Stream> {
        let (reading, writing) = tokio::io::split(std::mem::replace(&mut self.stream, Stream::Closed));
        self.stream = Stream::Reading(reading);
        self.reusable = false;
        writing
    }

    /// Reads on; how much came.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.space.capacity() < LEAST_ROOM.max(self.room / 2) {
            self.space.reserve(self.room);
        }
        let room = self.space.capacity();
        let count = ready!(pin!(self.stream.read_buf(&mut self.space)).poll(cx))?;
        self.room = if count == room { (self.room * 2).min(MOST_BYTES) } else { ROOM };
        let read = self.space.split().freeze();
        self.read = if self.read.is_empty() { read } else { [&self.read[..], &read[..]].concat().into() };
        Poll::Ready(Ok(count))
    }
}

/// After an upgrade: first what has been read already.
impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
