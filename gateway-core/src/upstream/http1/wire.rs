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
pub(crate) struct Wire<S = Stream> {
    stream: S,
    read: Bytes,
    /// Where the next bytes go. What has been read shares its memory, which is used again once that has gone.
    space: BytesMut,
    room: usize,
    /// The buffer of requests.
    out: Vec<u8>,
    /// How much had been written when the present request began.
    begun_at: u64,
    interim: u8,
    /// Nothing that was read speaks against a further request.
    reusable: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: Bytes::new(),
            space: BytesMut::new(),
            room: ROOM,
            out: Vec::new(),
            begun_at: 0,
            interim: 0,
            reusable: true,
        }
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

    /// Gives back what only a large message needed.
    pub(crate) fn come_to_rest(&mut self) {
        if self.space.capacity() > ROOM {
            self.space = BytesMut::new();
        }
        if self.out.capacity() > ROOM {
            self.out = Vec::new();
        }
        self.room = ROOM;
    }

    /// Whether the connection may serve another request, now that an answer is complete: it said so, and nothing
    /// came after it (RFC 9112 section 6.3: what would, was meant for nobody).
    pub(crate) fn is_reusable(&self) -> bool {
        self.reusable && self.read.is_empty()
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

impl Wire {
    /// `request`, ready to go out on this connection.
    pub(crate) fn begin(&mut self, request: &Request<Body>, rewrite: Rewrite<'_>) -> Outgoing {
        self.interim = 0;
        self.begun_at = self.stream.written();
        Outgoing::new(std::mem::take(&mut self.out), request, rewrite)
    }

    /// Whether a byte of `outgoing`, which has failed, may have reached the other end. None does later: who sends the
    /// request again must not have it sent twice.
    pub(crate) fn has_sent(&self, outgoing: &Outgoing) -> bool {
        outgoing.is_written() && self.stream.may_have_sent_since(self.begun_at)
    }

    /// Ready once all of `request` has been taken.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
        request: &mut Request<Body>,
    ) -> Poll<Result<(), Broken>> {
        let sent = outgoing.poll(cx, &mut self.stream, request);
        // TLS may have sent some records of what it says to have failed.
        if matches!(sent, Poll::Ready(Err(Broken::Stream(_)))) && !matches!(self.stream, Stream::Clear(_)) {
            outgoing.assume_written();
        }
        sent
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
}

/// After an upgrade: first what has been read already.
impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        future::poll_fn,
        io,
        net::Ipv4Addr,
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http::{Method, Request};
    use proptest::prelude::*;
    use tokio::{
        io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
        net::{TcpListener, TcpStream},
    };

    use super::{Malformed, Rewrite, Stream, Wire};
    use crate::{Body, BoxError, cork::Corked};

    /// Brings bytes in these pieces, then the end.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match self.0.pop_front() {
                // Something else happens in between.
                Some(piece) if piece.is_empty() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(mut piece) => {
                    let rest = piece.split_off(piece.len().min(buf.remaining()));
                    buf.put_slice(&piece);
                    if !rest.is_empty() {
                        self.0.push_front(rest);
                    }
                }
                None => {}
            }
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Pieces {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Debug, PartialEq)]
    struct Read {
        status: u16,
        fields: usize,
        body: Vec<u8>,
        trailers: usize,
        reusable: bool,
    }

    /// The answer to a request with `method` as it comes out of `text` in pieces of these sizes.
    fn read(method: &Method, text: &[u8], sizes: &[usize]) -> Result<Read, BoxError> {
        let (mut pieces, mut rest) = (VecDeque::new(), text);
        let mut sizes = sizes.iter().copied().cycle();
        while !rest.is_empty() {
            let size = sizes.next().unwrap_or(usize::MAX);
            let (piece, more) = rest.split_at(size.clamp(1, rest.len()));
            pieces.extend([Vec::new(), piece.to_vec()]);
            rest = more;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut wire = Wire::new(Pieces(pieces));
            let (head, mut decoder) = poll_fn(|cx| wire.poll_head(cx, method)).await?;
            let (status, fields) = (head.status.as_u16(), head.headers.len());
            let (mut body, mut trailers) = (Vec::new(), 0);
            while let Some(frame) = poll_fn(|cx| wire.poll_frame(cx, &mut decoder)).await {
                match frame?.into_data() {
                    Ok(data) => body.extend_from_slice(&data),
                    Err(frame) => trailers = frame.into_trailers().map_or(0, |found| found.len()),
                }
            }
            Ok(Read { status, fields, body, trailers, reusable: wire.is_reusable() })
        })
    }

    #[test]
    fn a_connection_is_used_again_only_where_both_ends_agree_on_the_end() {
        for (text, reusable) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok", true),
            ("HTTP/1.1 200 OK\r\n\r\nok", false),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                false,
            ),
        ] {
            let read = read(&Method::GET, text.as_bytes(), &[usize::MAX]).unwrap();
            assert_eq!((read.body.as_slice(), read.reusable), (&b"ok"[..], reusable), "{text:?}");
        }
    }

    #[test]
    fn sixteen_interim_responses_and_no_more() {
        for (count, wanted) in [(16, Some(200)), (17, None)] {
            let text =
                format!("{}HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 103 Hints\r\nx: y\r\n\r\n".repeat(count));
            match read(&Method::GET, text.as_bytes(), &[3]) {
                Ok(read) => assert_eq!(Some(read.status), wanted),
                Err(error) => {
                    assert_eq!(error.downcast_ref::<Malformed>(), Some(&Malformed::TooManyInterim));
                    assert_eq!(wanted, None);
                }
            }
        }
    }

    #[test]
    fn a_head_that_does_not_end_is_too_large() {
        for line in ["x", "x: y\r\n"] {
            let text = format!("HTTP/1.1 200 OK\r\nx: {}", line.repeat(70_000));
            let error = read(&Method::GET, text.as_bytes(), &[1000]).unwrap_err();
            assert_eq!(error.downcast_ref::<Malformed>(), Some(&Malformed::TooLarge));
        }
    }

    /// Answers of every framing, some of them broken.
    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let interim = prop::sample::select(vec!["", "HTTP/1.1 100 C\r\n\r\n"]);
        let head = prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n",
            "HTTP/1.1 404 No\r\n",
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n",
            "HTTP/1.1 204 No\r\n",
            "HTTP/1.1 200 OK\ncontent-length: 3\r\n",
            "HTTP/1.1 200 OK\r\nbad field\r\n",
        ]);
        let body = prop::sample::select(vec![
            "",
            "hello, world",
            "hello, world, and more",
            "5\r\nhello\r\n0\r\n\r\n",
            "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 7\r\n\r\n",
            "5\r\nhello\r\n",
            "zz\r\n",
        ]);
        (interim, head, body)
            .prop_map(|(interim, head, body)| format!("{interim}{head}\r\n{body}").into_bytes())
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(
            text in answers(),
            head in prop::bool::ANY,
            sizes in prop::collection::vec(1usize..30, 1..10),
        ) {
            let method = if head { Method::HEAD } else { Method::GET };
            let whole = read(&method, &text, &[usize::MAX]);
            match (whole, read(&method, &text, &sizes)) {
                (Ok(mut one), Ok(mut other)) => {
                    // What comes too late to be seen with the answer is seen by the pool.
                    (one.reusable, other.reusable) = (false, false);
                    prop_assert_eq!(one, other);
                }
                (one, other) => {
                    let kind = |it: Result<Read, BoxError>| it.err().map(|error| error.to_string());
                    prop_assert_eq!(kind(one), kind(other), "{}", String::from_utf8_lossy(&text));
                }
            }
        }
    }

    #[test]
    fn what_was_read_beyond_a_101_is_the_tunnels() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let pieces = [b"HTTP/1.1 101 Go\r\n\r\nearly ".to_vec(), b"late".to_vec()];
            let mut wire = Wire::new(Pieces(pieces.into()));
            let (head, decoder) = poll_fn(|cx| wire.poll_head(cx, &Method::GET)).await.unwrap();
            assert!(head.status == 101 && decoder.is_done() && !wire.is_reusable());
            let mut text = String::new();
            wire.read_to_string(&mut text).await.unwrap();
            assert_eq!(Bytes::from(text), "early late");
        });
    }

    #[test]
    fn a_request_that_was_not_sent_is_not_sent_later() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (near, mut far) = (near.unwrap(), far.unwrap().0);
            // It wants no request, and reads all the same.
            far.shutdown().await.unwrap();
            near.readable().await.unwrap();
            let mut wire = Wire::new(Stream::Clear(Corked::new(near)));
            let mut request = Request::post("/").body(Body::from("once")).unwrap();
            let mut outgoing = wire.begin(&request, Rewrite::default());
            poll_fn(|cx| {
                assert!(matches!(wire.poll_send(cx, &mut outgoing, &mut request), Poll::Ready(Ok(()))));
                assert!(matches!(wire.poll_head(cx, &Method::POST), Poll::Ready(Err(_))));
                Poll::Ready(())
            })
            .await;
            assert!(!wire.has_sent(&outgoing));
            tokio::task::yield_now().await;
            drop(wire);
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            assert!(all.is_empty(), "it may have been sent to another by now");
        });
    }
}
