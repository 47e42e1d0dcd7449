//! The body of a request on its way up.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body as _, Frame};

use crate::{Body, BoxError};

/// Bytes that a stream asks for at a time: what it has been given, no other stream of the connection can have.
const CLAIM: usize = 16 * 1024;

/// Bytes of a body that are kept for another try, once they have been sent.
const MOST_KEPT: usize = 64 * 1024;

/// How far a body has gone out. It is asked for more only when all before has been taken: that is the back-pressure.
/// Where it goes before its end, the stream is reset.
pub(super) struct Sending {
    stream: SendStream<Bytes>,
    /// What waits for the endpoint's window.
    data: Bytes,
    /// Nothing comes behind that.
    last: bool,
    taken: Taken,
    done: bool,
}

/// What has been taken out of a body, kept up to [`MOST_KEPT`] for another try.
#[derive(Default)]
struct Taken {
    data: Vec<Bytes>,
    bytes: usize,
    /// The body has ended.
    whole: bool,
    /// More than is kept, or trailers.
    lost: bool,
}

impl Taken {
    fn note(&mut self, frame: Option<&Frame<Bytes>>, last: bool) {
        self.whole = last || frame.is_none();
        match frame.map(Frame::data_ref) {
            None => {}
            Some(Some(data)) if !self.lost && self.bytes + data.len() <= MOST_KEPT => {
                self.bytes += data.len();
                self.data.push(data.clone());
            }
            Some(_) => {
                *self = Self { whole: self.whole, lost: true, ..Self::default() };
            }
        }
    }
}

/// Why a body did not go out whole.
pub(super) enum Broken {
    /// The stream has been reset, or its connection has ended.
    Stream(h2::Error),
    /// The body itself failed.
    Body(BoxError),
}

impl Sending {
    /// Of a request whose head has gone out; `whole` where its body is in memory, and that is the end of it.
    pub(super) fn new(stream: SendStream<Bytes>, whole: Option<Bytes>) -> Self {
        let last = whole.is_some();
        Self { stream, data: whole.unwrap_or_default(), last, taken: Taken::default(), done: false }
    }

    /// Of a request without a body: its head was the end.
    pub(super) fn none(stream: SendStream<Bytes>) -> Self {
        Self { stream, data: Bytes::new(), last: true, taken: Taken::default(), done: true }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// No other try follows: nothing is kept from now on.
    pub(super) fn keep_nothing(&mut self) {
        self.taken = Taken { lost: true, ..Taken::default() };
    }

    /// Puts what has been taken out of `body` in front of the rest of it, for another try; whether all of it is there.
    pub(super) fn give_back(&mut self, body: &mut Body) -> bool {
        let Taken { data, whole, lost, .. } = std::mem::take(&mut self.taken);
        if lost {
            return false;
        }
        if !data.is_empty() {
            let rest = if whole { Body::empty() } else { std::mem::take(body) };
            *body = rest.behind(data.concat().into());
        }
        true
    }

    /// Ready once all of `body` has gone out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, body: &mut Body) -> Poll<Result<(), Broken>> {
        while !self.done {
            // Whoever is reset need not wait for a window, nor for the client.
            if let Poll::Ready(reset) = self.stream.poll_reset(cx) {
                return Poll::Ready(Err(Broken::Stream(reset.map_or_else(|error| error, h2::Error::from))));
            }
            if !self.data.is_empty() {
                ready!(self.poll_data(cx)).map_err(Broken::Stream)?;
            } else if self.last {
                self.done = true;
            } else {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                let last = body.is_end_stream();
                if !matches!(frame, Some(Err(_))) {
                    self.taken.note(frame.as_ref().and_then(|frame| frame.as_ref().ok()), last);
                }
                self.push(frame, last)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the stream what its window has room for.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        self.stream.reserve_capacity(self.data.len().min(CLAIM));
        if self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(given) => drop(given?),
                None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
            }
        }
        let length = self.stream.capacity().min(self.data.len());
        let data = self.data.split_to(length);
        let ends = self.last && self.data.is_empty();
        Poll::Ready(if length == 0 && !ends { Ok(()) } else { self.stream.send_data(data, ends) })
    }

    fn push(&mut self, frame: Option<Result<Frame<Bytes>, BoxError>>, last: bool) -> Result<(), Broken> {
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() && last => self.end(),
                Ok(data) => {
                    (self.data, self.last) = (data, last);
                    Ok(())
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { return Ok(()) };
                    self.done = true;
                    self.stream.send_trailers(trailers).map_err(Broken::Stream)
                }
            },
            Some(Err(error)) => {
                self.stream.send_reset(Reason::CANCEL);
                Err(Broken::Body(error))
            }
            None => self.end(),
        }
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.done = true;
        self.stream.send_data(Bytes::new(), true).map_err(Broken::Stream)
    }
}

/// The rest of a body, whose answer has begun: either may wait for the other.
pub(super) struct Rest {
    pub(super) sending: Sending,
    pub(super) body: Body,
}

impl Future for Rest {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { sending, body } = &mut *self;
        sending.poll(cx, body).map(drop)
    }
}
