//! An answer on its way down.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{
    super::{Endpoint, deadline::Deadline, download::Sender, endpoint::InFlight},
    connection::Seat,
    sending::Rest,
};
use crate::{
    Body,
    error::{BoxError, Error, Reason},
    sanitize::clean_trailers,
};

/// What follows the head of an answer. The stream is reset where this goes before its end.
pub(crate) struct Answer {
    pub(super) stream: RecvStream,
    /// What the answer came before.
    pub(super) rest: Option<Rest>,
    pub(super) deadline: Deadline,
    /// Bytes that are still to come, where it has said how many.
    pub(super) length: Option<u64>,
    pub(super) in_flight: InFlight,
    /// After the stream, which it is for.
    pub(super) seat: Seat,
}

impl Answer {
    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        self.in_flight.endpoint()
    }

    /// Whether it came before all of the request had gone out.
    pub(crate) const fn is_early(&self) -> bool {
        self.rest.is_some()
    }

    /// The body, which may be silent for `read_timeout`.
    pub(crate) fn download(mut self: Box<Self>, read_timeout: Duration) -> Body {
        if self.stream.is_end_stream() {
            return Body::empty();
        }
        let rest = self.rest.take().map(|rest| Sender::new(tokio::spawn(rest).abort_handle()));
        Body::new(Download { answer: Some(self), _rest: rest, read_timeout, waiting: false, at: At::Data })
    }
}

/// A body that is arriving.
struct Download {
    answer: Option<Box<Answer>>,
    /// Ended with the answer: what a server has answered, it need not read on.
    _rest: Option<Sender>,
    read_timeout: Duration,
    /// The deadline runs, as nothing arrives.
    waiting: bool,
    at: At,
}

#[derive(Clone, Copy)]
enum At {
    Data,
    Trailers,
}

impl Download {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(answer) = &mut self.answer else { return Poll::Ready(None) };
        if let Poll::Ready(next) = answer.poll_next(cx, &mut self.at) {
            self.waiting = false;
            return Poll::Ready(next);
        }
        if !std::mem::replace(&mut self.waiting, true) {
            answer.deadline.set(Instant::now() + self.read_timeout);
        }
        ready!(answer.deadline.poll(cx));
        answer.seat.timed_out();
        Poll::Ready(Some(Err(Error::from(Reason::ReadTimeout).into())))
    }

    /// The stream ends, and what was still going up.
    fn end(&mut self) {
        self._rest = None;
        self.answer = None;
    }
}

impl Answer {
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        at: &mut At,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if matches!(at, At::Data) {
            if let Some(data) = ready!(self.stream.poll_data(cx)) {
                return Poll::Ready(Some(
                    data.map(|data| self.take(data)).map_err(|error| truncated(&error)),
                ));
            }
            *at = At::Trailers;
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(|error| truncated(&error))?;
        Poll::Ready(trailers.map(|mut trailers| {
            // They bring no field that belongs into a head (compat D16).
            clean_trailers(&mut trailers);
            Ok(Frame::trailers(trailers))
        }))
    }

    /// Makes room in the window for as much as is passed on: that is the back-pressure.
    fn take(&mut self, data: Bytes) -> Frame<Bytes> {
        // It fails where the stream is over, and then nothing more comes.
        let _ = self.stream.flow_control().release_capacity(data.len());
        self.length = self.length.map(|left| left.saturating_sub(data.len() as u64));
        Frame::data(data)
    }
}

/// As text alone: hyper would tell the client the code that it finds in here, and "refused" or "calm down" is between
/// the gateway and the endpoint. What has begun to be answered is not safe to ask again (RFC 9113 section 8.7); whoever
/// has asked gets `INTERNAL_ERROR`.
fn truncated(error: &h2::Error) -> BoxError {
    Error::new(Reason::ResponseTruncated, error.to_string()).into()
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = ready!(self.poll_next(cx));
        let goes_on = matches!(&next, Some(Ok(frame)) if frame.is_data())
            && self.answer.as_ref().is_some_and(|answer| !answer.stream.is_end_stream());
        if !goes_on {
            self.end();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.answer {
            None => SizeHint::with_exact(0),
            Some(answer) => answer.length.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
