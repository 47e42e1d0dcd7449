//! A request on its way up.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, Request, header::TRAILER};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use super::{Framing, Rewrite, fields, request};
use crate::{Body, BoxError};

/// Data up to so many bytes is copied behind the head or the chunk's size, which makes one short write.
const SHORT: usize = 1024;

/// How far a request has gone out. Its body is asked for more only when all before has been taken: that is the
/// back-pressure.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// What goes out next, from `at` on; then `data`; then `tail`.
    out: Vec<u8>,
    at: usize,
    data: Bytes,
    tail: &'static [u8],
    /// Of the body: what is still to come.
    framing: Framing,
    /// Nothing more comes into `out`.
    ended: bool,
    written: bool,
    done: bool,
}

/// Why a request did not go out whole.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection failed.
    Stream(io::Error),
    /// Its body did.
    Body(BoxError),
}

impl Outgoing {
    /// `request`, written into `out`: the head, and a body that is in memory. The request is left as it is.
    pub(super) fn new(mut out: Vec<u8>, request: &Request<Body>, rewrite: Rewrite<'_>) -> Self {
        let framing = request::framing(request);
        out.clear();
        request::write_head(&mut out, request, rewrite, framing);
        let whole = request.body().as_bytes().cloned();
        let ended = whole.is_some() || framing == Framing::None;
        let mut outgoing =
            Self { out, at: 0, data: Bytes::new(), tail: b"", framing, ended, written: false, done: false };
        outgoing.push_data(whole.unwrap_or_default());
        outgoing
    }

    /// Whether all of it has been taken.
    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// Whether a byte of it has been taken.
    pub(super) const fn is_written(&self) -> bool {
        self.written
    }

    /// A stream that failed cannot say how much it has sent before.
    pub(super) const fn assume_written(&mut self) {
        self.written = true;
    }

    /// The buffer, for the next request.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.out
    }

    /// Ready once all of `request` has been taken by `stream`.
    pub(crate) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
        request: &mut Request<Body>,
    ) -> Poll<Result<(), Broken>> {
        while !self.done {
            ready!(self.poll_write(cx, stream)).map_err(Broken::Stream)?;
            if self.ended {
                ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(Broken::Stream)?;
                self.done = true;
                break;
            }
            match ready!(Pin::new(request.body_mut()).poll_frame(cx)) {
                Some(frame) => self.push(frame.map_err(Broken::Body)?, request.headers())?,
                None => self.end(None)?,
            }
            if !self.ended && request.body().is_end_stream() {
                self.end_behind_data()?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        loop {
            let stream = Pin::new(&mut *stream);
            let text = self.out.get(self.at..).unwrap_or_default();
            let taken = if !self.data.is_empty() || !self.tail.is_empty() {
                let all = [IoSlice::new(text), IoSlice::new(&self.data), IoSlice::new(self.tail)];
                ready!(stream.poll_write_vectored(cx, &all))?
            } else if !text.is_empty() {
                ready!(stream.poll_write(cx, text))?
            } else {
                break;
            };
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written = true;
            self.advance(taken, text.len());
        }
        self.out.clear();
        self.at = 0;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, taken: usize, text: usize) {
        let of_text = taken.min(text);
        let of_data = (taken - of_text).min(self.data.len());
        self.at += of_text;
        self.data.advance(of_data);
        self.tail = self.tail.get(taken - of_text - of_data..).unwrap_or_default();
    }

    fn push(&mut self, frame: Frame<Bytes>, headers: &HeaderMap) -> Result<(), Broken> {
        match frame.into_data() {
            Ok(data) => self.frame_data(data),
            Err(frame) => self.end(frame.into_trailers().ok().map(|trailers| (trailers, headers))),
        }
    }

    /// What goes beyond the length that was told would be taken for the next request (RFC 9112 section 6.2).
    fn frame_data(&mut self, data: Bytes) -> Result<(), Broken> {
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| broken("more than its length"))?;
                self.push_data(data);
            }
            Framing::Chunked if data.is_empty() => {}
            Framing::Chunked => {
                // Writing to memory does not fail.
                let _ = write!(self.out, "{:x}\r\n", data.len());
                self.push_data(data);
                self.tail = b"\r\n";
            }
            Framing::None | Framing::Close => return Err(broken("a body where there was none")),
        }
        Ok(())
    }

    fn push_data(&mut self, data: Bytes) {
        if data.len() <= SHORT {
            self.out.extend_from_slice(&data);
        } else {
            self.data = data;
        }
    }

    /// The end of a body whose last data is still to go out.
    fn end_behind_data(&mut self) -> Result<(), Broken> {
        if self.framing != Framing::Chunked || self.tail.is_empty() {
            return self.end(None);
        }
        self.tail = b"\r\n0\r\n\r\n";
        self.ended = true;
        Ok(())
    }

    fn end(&mut self, trailers: Option<(HeaderMap, &HeaderMap)>) -> Result<(), Broken> {
        match self.framing {
            Framing::Length(1..) => return Err(broken("less than its length")),
            Framing::Chunked => {
                self.out.extend_from_slice(b"0\r\n");
                if let Some((trailers, headers)) = trailers {
                    write_trailers(&mut self.out, &trailers, headers);
                }
                self.out.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        self.ended = true;
        Ok(())
    }
}

fn broken(what: &'static str) -> Broken {
    Broken::Body(what.into())
}

/// Those that the head announced; which of them may never stand there has been settled before
/// (RFC 9110 section 6.5.1).
fn write_trailers(out: &mut Vec<u8>, trailers: &HeaderMap, headers: &HeaderMap) {
    let announced = |name: &HeaderName| {
        let values = headers.get_all(TRAILER).iter();
        let mut names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        names.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
    };
    for (name, value) in trailers.iter().filter(|(name, _)| announced(name)) {
        fields::write(out, name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Request};
    use http_body::Frame;
    use http_body_util::{BodyExt, Full, StreamBody};
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, duplex};

    use super::{Broken, Outgoing, Rewrite};
    use crate::{Body, BoxError};

    type Frames = Vec<Result<Frame<Bytes>, BoxError>>;

    fn streamed(frames: Frames) -> Request<Body> {
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        Request::post("/").header("trailer", "x-sum, y").body(body).unwrap()
    }

    /// A body that says with its last frame that it is over, as one over HTTP/2 does.
    struct Known(std::collections::VecDeque<Bytes>);

    impl http_body::Body for Known {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            std::task::Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    #[test]
    fn a_body_that_knows_its_end_is_ended_behind_its_last_data() {
        for size in [1, 5, 5000] {
            for pipe in [3, 100, 100_000] {
                let last = "x".repeat(size);
                let frames = ["first", &last].map(|text| Bytes::copy_from_slice(text.as_bytes()));
                let request =
                    Request::post("/").body(Body::new(Known(frames.into_iter().collect()))).unwrap();
                let (text, sent) = sent(request, pipe);
                assert!(sent.is_ok());
                let body = text.split_once("\r\n\r\n").unwrap().1;
                assert_eq!(body, format!("5\r\nfirst\r\n{size:x}\r\n{last}\r\n0\r\n\r\n"));
            }
        }
    }

    /// What arrives of `request` over a pipe that holds so many bytes.
    fn sent(mut request: Request<Body>, pipe: usize) -> (String, Result<(), Broken>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut near, mut far) = duplex(pipe);
            let mut outgoing = Outgoing::new(Vec::new(), &request, Rewrite::default());
            let sending = async {
                let sent = poll_fn(|cx| outgoing.poll(cx, &mut near, &mut request)).await;
                assert_eq!(sent.is_ok(), outgoing.is_done());
                drop(near);
                sent
            };
            let mut read = Vec::new();
            let (sent, _) = tokio::join!(sending, far.read_to_end(&mut read));
            (String::from_utf8(read).unwrap(), sent)
        })
    }

    fn data(text: &str) -> Result<Frame<Bytes>, BoxError> {
        Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())))
    }

    #[test]
    fn a_body_in_memory_follows_its_head_and_stays() {
        for length in [0, 5, 5000] {
            let request = Request::put("/").body(Body::from("x".repeat(length))).unwrap();
            let body = request.body().as_bytes().cloned().unwrap_or_default();
            let (text, sent) = sent(request, 1000);
            let told = if length > 0 { format!("content-length: {length}\r\n") } else { String::new() };
            assert!(sent.is_ok());
            assert_eq!(text, format!("PUT / HTTP/1.1\r\n{told}\r\n{}", str::from_utf8(&body).unwrap()));
        }
    }

    #[test]
    fn chunks_and_the_trailers_that_were_announced() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("7"));
        trailers.insert("other", HeaderValue::from_static("8"));
        let long = "l".repeat(3000);
        let frames = vec![data("hello"), data(""), data(&long), Ok(Frame::trailers(trailers))];
        let (text, sent) = sent(streamed(frames), 700);
        assert!(sent.is_ok());
        let body = text.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body, format!("5\r\nhello\r\nbb8\r\n{long}\r\n0\r\nx-sum: 7\r\n\r\n"));
    }

    #[test]
    fn a_body_that_knows_its_end_goes_out_with_it() {
        for (length, pipe) in [(5, 4096), (3000, 4096), (3000, 100)] {
            let data = "x".repeat(length);
            let body = Full::new(Bytes::from(data.clone())).map_frame(|frame| frame);
            let (text, sent) = sent(Request::post("/").body(Body::new(body)).unwrap(), pipe);
            assert!(sent.is_ok());
            let body = text.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(body, format!("{length:x}\r\n{data}\r\n0\r\n\r\n"));
        }
    }

    #[test]
    fn a_body_that_breaks_off_or_lies_is_an_error() {
        let (text, broken) = sent(streamed(vec![data("hello"), Err("gone".into())]), 4096);
        assert!(matches!(broken, Err(Broken::Body(_))) && text.ends_with("5\r\nhello\r\n"), "{text}");
        for told in [4, 6] {
            let lying = Lying(told, Full::new(Bytes::from_static(b"hello")));
            let request = Request::post("/").body(Body::new(lying)).unwrap();
            assert!(matches!(sent(request, 4096).1, Err(Broken::Body(_))), "{told}");
        }
    }

    /// Says that it has so many bytes.
    struct Lying(u64, Full<Bytes>);

    impl http_body::Body for Lying {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            std::pin::Pin::new(&mut self.1).poll_frame(cx).map_err(|error| match error {})
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0)
        }
    }

    proptest! {
        #[test]
        fn what_goes_out_is_what_came_in(
            texts in prop::collection::vec("[a-z]{0,40}", 0..8),
            pipe in 1usize..200,
        ) {
            let (text, sent) = sent(streamed(texts.iter().map(|text| data(text)).collect()), pipe);
            prop_assert!(sent.is_ok());
            let mut rest = text.split_once("\r\n\r\n").unwrap().1;
            let mut read = String::new();
            while let Some((size, more)) = rest.split_once("\r\n") {
                let size = usize::from_str_radix(size, 16).unwrap();
                read.push_str(&more[..size]);
                rest = more[size..].strip_prefix("\r\n").unwrap();
            }
            prop_assert_eq!(read, texts.concat());
        }
    }
}
