//! The response's body on its way down: timed, and giving its connection back at the end.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{io::AsyncWriteExt, task::AbortHandle};

use super::{
    endpoint::InFlight,
    http1::{Decoder, Outgoing, Wire},
    pool::Connection,
};
use crate::{
    Body,
    error::{BoxError, Error, Reason},
    sanitize::clean_trailers,
};

/// A connection lent to one exchange.
pub(crate) struct Lease {
    pub(crate) connection: Box<Connection>,
    pub(crate) in_flight: InFlight,
    pub(crate) shard: usize,
    /// What the answer came before. The connection is used up by it, as after an early 413.
    pub(crate) rest: Option<Rest>,
}

impl Lease {
    /// Ends an exchange whose response is complete.
    pub(crate) fn give_back(self) {
        if self.rest.is_none() && self.connection.wire.is_reusable() {
            self.in_flight.endpoint().give_back(self.shard, self.connection);
        }
    }
}

/// The rest of a request whose answer has begun.
pub(crate) enum Rest {
    Held(Box<(Outgoing, Request<Body>)>),
    /// A task sends it while the answer is read: either may wait for the other.
    Sent(#[expect(dead_code, reason = "kept for its drop")] Sender),
}

impl Rest {
    pub(crate) fn new(outgoing: Outgoing, request: Request<Body>) -> Self {
        Self::Held(Box::new((outgoing, request)))
    }

    fn sent_beside(self, wire: &mut Wire) -> Self {
        let Self::Held(held) = self else { return self };
        let mut writing = wire.split_off_writing();
        let task = tokio::spawn(async move {
            let (mut outgoing, mut request) = *held;
            let sent = poll_fn(|cx| outgoing.poll(cx, &mut writing, &mut request)).await;
            if sent.is_err() {
                // The endpoint sees that no more comes.
                let _ = writing.shutdown().await;
            }
        });
        Self::Sent(Sender::new(task.abort_handle()))
    }
}

/// The task that sends the rest of a request, ended with its exchange: one that is given up leaves no upload
/// behind.
pub(crate) struct Sender(AbortHandle);

impl Sender {
    pub(super) const fn new(task: AbortHandle) -> Self {
        Self(task)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body that `decoder` reads. One that has arrived whole with its head, as short ones do, needs no
/// stream: its connection is free at once.
///
/// # Errors
/// If the first bytes are broken already, while the client has seen nothing yet.
pub(crate) fn download(
    mut decoder: Decoder,
    mut lease: Lease,
    read_timeout: Duration,
) -> Result<Body, Error> {
    let first = lease.connection.wire.try_frame(&mut decoder);
    let first = first.map_err(|malformed| Error::new(Reason::BadResponse, malformed))?.map(cleaned);
    let whole = decoder.is_done() && first.as_ref().is_none_or(Frame::is_data);
    if whole {
        lease.give_back();
        return Ok(first.and_then(|frame| frame.into_data().ok()).map(Body::from).unwrap_or_default());
    }
    lease.rest = lease.rest.map(|rest| rest.sent_beside(&mut lease.connection.wire));
    Ok(Body::new(Stream { first, decoder, lease: Some(lease), read_timeout, waiting: false }))
}

/// Trailers bring no field that belongs into a head (compat D16).
fn cleaned(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    frame.trailers_mut().map(clean_trailers);
    frame
}

/// A body that is still arriving.
struct Stream {
    first: Option<Frame<Bytes>>,
    decoder: Decoder,
    lease: Option<Lease>,
    read_timeout: Duration,
    /// The deadline runs, as nothing arrives.
    waiting: bool,
}

impl Stream {
    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(lease) = &mut self.lease else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = lease.connection.wire.poll_frame(cx, &mut self.decoder) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map(cleaned).map_err(truncated)));
        }
        if !std::mem::replace(&mut self.waiting, true) {
            lease.connection.deadline.set(Instant::now() + self.read_timeout);
        }
        ready!(lease.connection.deadline.poll(cx));
        Poll::Ready(Some(Err(Error::from(Reason::ReadTimeout).into())))
    }
}

fn truncated(error: BoxError) -> BoxError {
    Error::new(Reason::ResponseTruncated, error).into()
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(frame) = self.first.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let frame = ready!(self.poll_next(cx));
        match &frame {
            Some(Err(_)) => self.lease = None,
            _ if self.decoder.is_done() => self.end(),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.lease.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.decoder.size_hint();
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + first);
        }
        whole
    }
}
