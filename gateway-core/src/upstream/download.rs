//! The response's body on its way down: timed, and giving its connection back at the end.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::{
    endpoint::InFlight,
    pool::Connection,
    upload::{Progress, Upload},
};
use crate::{
    Body,
    error::{BoxError, Error, Reason},
    sanitize::clean_trailers,
};

/// A connection lent to one exchange.
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    pub(crate) in_flight: InFlight,
    pub(crate) shard: usize,
    /// The request's body, where it is streamed.
    pub(crate) upload: Option<Arc<Upload>>,
}

impl Lease {
    /// Ends an exchange whose response is complete. A connection on which the request is not complete, as
    /// after an early 413, is closed.
    pub(crate) fn give_back(self) {
        if self.upload.is_some_and(|upload| upload.progress() != Progress::Done) {
            return;
        }
        self.in_flight.endpoint().give_back(self.shard, self.connection);
    }
}

/// The body of `incoming`. One that has arrived whole with its head, as short ones do, needs no
/// stream: its connection is free at once.
///
/// # Errors
/// If the first bytes are broken already, while the client has seen nothing yet.
pub(crate) fn download(mut incoming: Incoming, lease: Lease, read_timeout: Duration) -> Result<Body, Error> {
    if incoming.is_end_stream() {
        lease.give_back();
        return Ok(Body::empty());
    }
    // Nobody is woken by this look; the stream polls again before it waits.
    let mut context = Context::from_waker(Waker::noop());
    let first = Pin::new(&mut incoming).poll_frame(&mut context).map_ok(cleaned);
    match first {
        Poll::Ready(Some(Ok(frame))) if incoming.is_end_stream() && frame.is_data() => {
            lease.give_back();
            Ok(frame.into_data().map(Body::from).unwrap_or_default())
        }
        Poll::Ready(Some(Err(error))) => Err(Error::new(Reason::BadResponse, error)),
        Poll::Ready(None) => {
            lease.give_back();
            Ok(Body::empty())
        }
        Poll::Ready(Some(Ok(frame))) => {
            Ok(Body::new(Stream::new(Some(frame), incoming, lease, read_timeout)))
        }
        Poll::Pending => Ok(Body::new(Stream::new(None, incoming, lease, read_timeout))),
    }
}

/// Trailers bring no field that belongs into a head (compat D16).
fn cleaned(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    frame.trailers_mut().map(clean_trailers);
    frame
}

/// A body that is still arriving.
struct Stream {
    first: Option<Frame<Bytes>>,
    incoming: Incoming,
    lease: Option<Lease>,
    read_timeout: Duration,
    /// Armed while nothing arrives; made when that first happens.
    timer: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Stream {
    const fn new(
        first: Option<Frame<Bytes>>,
        incoming: Incoming,
        lease: Lease,
        read_timeout: Duration,
    ) -> Self {
        Self { first, incoming, lease: Some(lease), read_timeout, timer: None, armed: false }
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    /// Ready once nothing has arrived for `read_timeout`.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.read_timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.armed {
            timer.as_mut().reset(tokio::time::Instant::now() + limit);
            self.armed = true;
        }
        timer.as_mut().poll(cx)
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        self.armed = false;
        match frame {
            Some(Ok(frame)) => {
                if self.incoming.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(cleaned(frame))))
            }
            Some(Err(error)) => {
                self.lease = None;
                Poll::Ready(Some(Err(Error::new(Reason::ResponseTruncated, error).into())))
            }
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
    }
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
        if let Poll::Ready(frame) = self.poll_incoming(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.poll_stalled(cx));
        self.lease = None;
        Poll::Ready(Some(Err(Error::from(Reason::ReadTimeout).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.incoming.size_hint();
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + first);
        }
        whole
    }
}
