//! What is held until an answer is over.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Switched, rules::Permits};
use crate::{Body, error::BoxError};

/// Holds `permits` until the answer is over: its body, or the connection that it became.
pub(super) fn hold(response: &mut Response<Body>, permits: Permits) {
    if permits.is_empty() {
        return;
    }
    if let Some(switched) = response.extensions_mut().get_mut::<Switched>() {
        switched.hold(permits);
    } else if response.body().as_bytes().is_none() && !response.body().is_end_stream() {
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = Body::new(Held { body, permits });
    }
}

/// A body, and what is given back at its end.
struct Held {
    body: Body,
    permits: Permits,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.permits.clear();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
