//! A budget for HTTP/2 frames that carry no request.
//!
//! h2 answers SETTINGS, PING, PRIORITY and unknown frames without a limit (CVE-2019-9512, -9513,
//! -9515) and has no hook to count them, so this counts in the byte stream, by the 9-byte frame
//! headers alone. A bucket of frames fills with time and with answers: a client that asks for
//! something may also say something.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{counters::Refusal, state::ConnState};
use crate::clock;

/// The connection preface, before the first frame.
const PREFACE_LEN: usize = 24;
const HEADER_LEN: usize = 9;
/// GOAWAY, last stream 2^31-1, `ENHANCE_YOUR_CALM` (RFC 9113 6.8, 7).
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
/// A DATA frame up to this is a drop of a flood; the least gRPC message has 5 bytes.
const CRUMB: usize = 4;

/// Counts frames that come over `io`, and ends the connection when there are too many.
#[derive(Debug)]
pub(super) struct Frames<I> {
    io: I,
    state: Arc<ConnState>,
    parser: Parser,
    bucket: Bucket,
    /// The last write took all it was given, so a frame of ours would stand between two of h2's.
    between_frames: bool,
}

impl<I> Frames<I> {
    pub(super) fn new(io: I, state: Arc<ConnState>, burst: u32, rate: u32) -> Self {
        let bucket = Bucket::new(burst, rate, clock::now());
        Self { io, state, parser: Parser::new(), bucket, between_frames: true }
    }

    /// Whether the budget covers what came.
    fn admit(&mut self, bytes: &[u8]) -> bool {
        let frames = self.parser.count(bytes);
        if frames == 0 || self.bucket.take(frames) {
            return true;
        }
        self.bucket.fill(clock::now(), self.state.take_credit());
        self.bucket.take(frames)
    }
}

impl<I: AsyncWrite + Unpin> Frames<I> {
    /// Says why, as far as one attempt goes, and ends the connection.
    fn refuse(&mut self, cx: &mut Context<'_>) -> io::Error {
        if self.between_frames && Pin::new(&mut self.io).poll_write(cx, &GOAWAY).is_ready() {
            let _ = Pin::new(&mut self.io).poll_flush(cx);
        }
        io::Error::new(io::ErrorKind::ConnectionAborted, "HTTP/2 abuse")
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Frames<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if self.state.is_condemned() {
            return Poll::Ready(Err(self.refuse(cx)));
        }
        if !self.admit(buf.filled().get(before..).unwrap_or_default()) {
            self.state.counters.refuse(Refusal::ControlFlood);
            return Poll::Ready(Err(self.refuse(cx)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Frames<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.between_frames = matches!(result, Poll::Ready(Ok(written)) if written == buf.len());
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        self.between_frames = matches!(result, Poll::Ready(Ok(written)) if written == len);
        result
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

/// Finds frame headers in a stream of bytes.
#[derive(Debug)]
struct Parser {
    /// Bytes up to the next header.
    skip: usize,
    header: [u8; HEADER_LEN],
    have: usize,
}

impl Parser {
    const fn new() -> Self {
        Self { skip: PREFACE_LEN, header: [0; HEADER_LEN], have: 0 }
    }

    /// How many of the frames that begin in `bytes` the budget pays for.
    fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut frames = 0;
        loop {
            let skip = self.skip.min(bytes.len());
            self.skip -= skip;
            bytes = bytes.get(skip..).unwrap_or_default();
            if bytes.is_empty() {
                return frames;
            }
            bytes = self.fill(bytes);
            if self.have == HEADER_LEN {
                frames += u32::from(self.end_header());
            }
        }
    }

    fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let space = self.header.get_mut(self.have..).unwrap_or_default();
        let take = space.len().min(bytes.len());
        let (head, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
        space.iter_mut().zip(head).for_each(|(space, byte)| *space = *byte);
        self.have += take;
        rest
    }

    /// Whether the frame of this header costs.
    const fn end_header(&mut self) -> bool {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        self.have = 0;
        match kind {
            DATA => self.skip <= CRUMB && flags & END_STREAM == 0,
            HEADERS | CONTINUATION => false,
            _ => true,
        }
    }
}

/// A token bucket; time comes in as an argument.
#[derive(Debug)]
struct Bucket {
    tokens: u32,
    burst: u32,
    rate: u64,
    filled_at: u64,
}

impl Bucket {
    const fn new(burst: u32, rate: u32, now: u64) -> Self {
        Self { tokens: burst, burst, rate: rate as u64, filled_at: now }
    }

    const fn take(&mut self, tokens: u32) -> bool {
        match self.tokens.checked_sub(tokens) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }

    fn fill(&mut self, now: u64, credit: u32) {
        let earned = now.saturating_sub(self.filled_at).saturating_mul(self.rate) / 1000;
        if earned > 0 {
            self.filled_at = now;
        }
        let earned = u32::try_from(earned).unwrap_or(u32::MAX).saturating_add(credit);
        self.tokens = self.tokens.saturating_add(earned).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Parser};
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![a, b, c, kind, flags, 0, 0, 0, 1];
        frame.resize(9 + payload, 0xff);
        frame
    }

    #[test]
    fn requests_and_data_are_free_and_the_rest_costs() {
        let costs = |kind, flags, payload| {
            let mut parser = Parser::new();
            parser.count(&[0; 24]);
            parser.count(&frame(kind, flags, payload))
        };
        assert_eq!([costs(0, 0, 100), costs(0, 1, 1), costs(1, 4, 50), costs(9, 0, 50)], [0; 4]);
        assert_eq!(
            [costs(0, 0, 1), costs(2, 0, 5), costs(4, 0, 0), costs(6, 0, 8), costs(0xbe, 0, 3)],
            [1; 5]
        );
    }

    #[test]
    fn a_bucket_fills_with_time_and_credit_up_to_its_burst() {
        let mut bucket = Bucket::new(10, 100, 1_000);
        assert!(bucket.take(10));
        assert!(!bucket.take(1));
        bucket.fill(1_005, 0);
        assert!(!bucket.take(1));
        bucket.fill(1_050, 2);
        assert!(bucket.take(7));
        assert!(!bucket.take(1));
        bucket.fill(99_000, 99);
        assert!(bucket.take(10));
        assert!(!bucket.take(1));
    }

    proptest! {
        /// However the stream is cut, the same frames are found.
        #[test]
        fn cuts_do_not_matter(
            frames in proptest::collection::vec((0_u8..12, 0_u8..2, 0_usize..40), 0..30),
            cuts in proptest::collection::vec(1_usize..50, 1..60),
        ) {
            let mut bytes = vec![0; 24];
            for (kind, flags, payload) in &frames {
                bytes.extend(frame(*kind, *flags, *payload));
            }
            let whole = Parser::new().count(&bytes);
            let (mut parser, mut rest, mut sum) = (Parser::new(), bytes.as_slice(), 0);
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                sum += parser.count(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(sum, whole);
        }
    }
}
