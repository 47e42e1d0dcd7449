//! The answer to one request, from the service's future to the last byte of its body.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::{
    serve::Serve,
    state::{ConnState, InFlight},
    streams::StreamSlot,
};
use crate::{Body, BoxError, ConnectInfo, pace::Paced};

/// Hands a request to the service. A panic in the service is answered, not passed on.
pub(super) fn answer<S: Serve>(
    serve: &S,
    connection: &Arc<ConnectInfo>,
    state: &Arc<ConnState>,
    cancel_window: u32,
    request: Request<Incoming>,
) -> Answer<S::Future> {
    let (parts, incoming) = request.into_parts();
    let paced = (!incoming.is_end_stream()).then(|| Paced::new(incoming, Arc::clone(&state.waits)));
    let in_flight = InFlight::begin(state, cancel_window, paced.as_ref().map(Paced::ticket));
    let request = Request::from_parts(parts, paced.map_or_else(Body::empty, Body::from));
    let future = catch_unwind(AssertUnwindSafe(|| serve.serve(connection, request))).ok();
    Answer { future, in_flight: Some(in_flight), panicked: S::panicked }
}

pin_project! {
    /// The future of an answer: the service's, with panics contained and its request counted.
    pub(super) struct Answer<F> {
        // Nothing if making it has panicked.
        #[pin]
        future: Option<F>,
        in_flight: Option<InFlight>,
        panicked: fn() -> Response<Body>,
    }
}

impl<F: Future<Output = Response<Body>>> Future for Answer<F> {
    type Output = Result<Response<Reply>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.future.as_pin_mut() {
            // After a panic the future is not polled again, so nothing sees what it left behind.
            Some(future) => catch_unwind(AssertUnwindSafe(|| future.poll(cx))).ok(),
            None => None,
        };
        let mut response = match polled {
            Some(poll) => ready!(poll),
            None => {
                if let Some(in_flight) = this.in_flight {
                    in_flight.state.counters.panics.fetch_add(1, Relaxed);
                }
                (this.panicked)()
            }
        };
        let mut in_flight = this.in_flight.take();
        if let Some(in_flight) = &mut in_flight {
            in_flight.answered();
            if in_flight.state.is_leaving() && !in_flight.is_http2() {
                close_after(&mut response);
            }
        }
        Poll::Ready(Ok(response.map(|body| Reply { body, failure: None, in_flight })))
    }
}

/// hyper closes after an answer that says so (RFC 9112 9.6), unless the connection becomes a tunnel.
fn close_after(response: &mut Response<Body>) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The body of an answer. The request is in progress until it goes.
pub(super) struct Reply {
    body: Body,
    /// Why it breaks off, while what came before goes out.
    failure: Option<BoxError>,
    in_flight: Option<InFlight>,
}

impl Reply {
    /// Fails at the next turn. hyper throws away what it has not written yet, which may be the head: a client that gets
    /// nothing at all on a connection that it has used before takes it for an idle one that was closed, and asks again
    /// (RFC 9112 9.3.1), though its request was answered.
    fn fail<T>(&mut self, error: BoxError, cx: &Context<'_>) -> Poll<T> {
        self.failure = Some(error);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn chunk(&self, bytes: Bytes) -> Chunk {
        let waiting = self.in_flight.as_ref().and_then(|in_flight| {
            let (state, stream) = (Arc::clone(&in_flight.state), in_flight.stream()?);
            state.chunk_out(stream);
            // The peer may say something for each chunk, and open its window as it reads.
            state.earn(4 + u32::try_from(bytes.len() / 2048).unwrap_or(u32::MAX / 2));
            Some((state, stream))
        });
        Chunk { bytes, waiting }
    }
}

impl HttpBody for Reply {
    type Data = Chunk;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, BoxError>>> {
        if let Some(error) = self.failure.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let body = Pin::new(&mut self.body);
        let frame = match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
            Ok(poll) => ready!(poll),
            Err(_) => {
                self.body = Body::empty();
                if let Some(in_flight) = &self.in_flight {
                    in_flight.state.counters.panics.fetch_add(1, Relaxed);
                }
                Some(Err("the answer's body panicked".into()))
            }
        };
        match frame {
            Some(Err(error)) => self.fail(error, cx),
            frame => {
                Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| self.chunk(bytes)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failure.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer. On HTTP/2 they count as unsent until the connection has written them, because
/// there a peer can stop one answer, or all, by its flow-control window.
pub(super) struct Chunk {
    bytes: Bytes,
    waiting: Option<(Arc<ConnState>, StreamSlot)>,
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some((state, stream)) = &self.waiting {
            state.chunk_moved(*stream, count);
        }
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        if let Some((state, stream)) = &self.waiting {
            state.chunk_moved(*stream, len);
        }
        self.bytes.copy_to_bytes(len)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some((state, stream)) = &self.waiting {
            state.chunk_gone(*stream);
        }
    }
}
