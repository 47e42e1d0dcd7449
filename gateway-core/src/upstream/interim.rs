//! A bound on interim (1xx) responses, which hyper's client takes without one.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{Error, Reason};

/// Interim responses to one request; one more is a bad response (compat D32).
const MOST: u8 = 16;

/// A connection's stream that reads along while a response is awaited, up to the first bytes of the
/// final head. A request costs one store, a read one load.
pub(crate) struct Bounded<I> {
    io: I,
    awaiting: Awaiting,
    interim: Interim,
}

/// Whether a response is awaited on a connection; shared by its stream and its user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaiting(Arc<AtomicBool>);

impl Awaiting {
    /// A request is about to be sent.
    pub(crate) fn begin(&self) {
        // The message to the connection's task orders this before its reads.
        self.0.store(true, Relaxed);
    }
}

impl<I> Bounded<I> {
    pub(crate) fn new(io: I, awaiting: Awaiting) -> Self {
        Self { io, awaiting, interim: Interim::default() }
    }

    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.interim.read(bytes) {
            Verdict::More => Ok(()),
            Verdict::Final => {
                self.interim = Interim::default();
                self.awaiting.0.store(false, Relaxed);
                Ok(())
            }
            Verdict::TooMany => Err(io::Error::other(Error::from(Reason::BadResponse))),
        }
    }
}

/// What the bytes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The final response has begun.
    Final,
    /// It has not.
    More,
    TooMany,
}

/// Where in the heads of interim responses a connection is.
#[derive(Debug, Default)]
struct Interim {
    count: u8,
    /// Bytes of the present head, as far as they matter.
    at: u8,
    status: u16,
    /// Nothing stands in the present line yet.
    blank: bool,
}

impl Interim {
    /// Reads on. Whether the bytes are HTTP at all is for the parser to say.
    fn read(&mut self, bytes: &[u8]) -> Verdict {
        if self.at == 0 && bytes.starts_with(b"HTTP/") && bytes.get(9).is_some_and(|digit| *digit != b'1') {
            return Verdict::Final;
        }
        for byte in bytes {
            match self.step(*byte) {
                Verdict::More => {}
                verdict => return verdict,
            }
        }
        Verdict::More
    }

    fn step(&mut self, byte: u8) -> Verdict {
        match byte {
            // Empty lines before a head are skipped, as the parser does.
            b'\r' | b'\n' if self.at == 0 => return Verdict::More,
            b'\n' if self.blank => return self.end(),
            b'\n' => self.blank = true,
            b'\r' => {}
            _ => self.blank = false,
        }
        if (9..12).contains(&self.at) {
            self.status = self.status * 10 + u16::from(byte.wrapping_sub(b'0'));
        }
        self.at = self.at.saturating_add(1);
        // A 101 is final: the parser ends there (RFC 9110 15.2.2).
        let interim = (100..200).contains(&self.status) && self.status != 101;
        if self.at == 12 && !interim { Verdict::Final } else { Verdict::More }
    }

    fn end(&mut self) -> Verdict {
        let count = self.count + 1;
        *self = Self { count, ..Self::default() };
        if count > MOST { Verdict::TooMany } else { Verdict::More }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Bounded<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if self.awaiting.0.load(Relaxed) {
            self.read(buf.filled().get(before..).unwrap_or_default())?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Bounded<I> {
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
    use proptest::prelude::*;

    use super::{Interim, MOST, Verdict};

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
        let mut interim = Interim::default();
        let verdicts = pieces.into_iter().map(|piece| interim.read(piece));
        verdicts.into_iter().find(|verdict| *verdict != Verdict::More).unwrap_or(Verdict::More)
    }

    fn heads(interim: usize, last: &str) -> String {
        format!("{}{last}", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(interim))
    }

    #[test]
    fn a_final_head_is_known_by_its_status() {
        for head in
            ["HTTP/1.1 200 OK", "HTTP/1.0 404 ", "HTTP/1.1 101 S", "\r\nHTTP/1.1 500 ", "garbage all along"]
        {
            assert_eq!(read([head.as_bytes()]), Verdict::Final, "{head:?}");
        }
        assert_eq!(read([&b"HTTP/1.1 1"[..]]), Verdict::More);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(
            count in 0usize..20,
            size in 1usize..60,
            newline in prop::bool::ANY,
        ) {
            let mut text = heads(count, "HTTP/1.1 200 OK\r\n\r\n");
            if newline {
                text = text.replace("\r\n", "\n");
            }
            let expected = if count > usize::from(MOST) { Verdict::TooMany } else { Verdict::Final };
            prop_assert_eq!(read(text.as_bytes().chunks(size)), expected);
        }
    }
}
