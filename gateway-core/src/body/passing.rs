//! A body that somebody watches as it passes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::Body;
use crate::error::BoxError;

/// A body that somebody watches as it passes. It is never held up for that.
pub(crate) struct Passing<W> {
    body: Body,
    watcher: W,
}

/// Who watches a body.
pub(crate) trait Watch {
    /// Whoever takes the body asks for more.
    fn asked(&mut self) {}

    /// A frame passes.
    fn pass(&mut self, frame: &mut Frame<Bytes>);

    /// It is over, or has failed. Said with the last frame where that is known to be the last one, and perhaps again.
    fn end(&mut self, end: Result<(), &BoxError>);
}

impl<W> Passing<W> {
    pub(crate) const fn new(body: Body, watcher: W) -> Self {
        Self { body, watcher }
    }
}

impl<W: Watch + Unpin> HttpBody for Passing<W> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, watcher } = &mut *self;
        watcher.asked();
        let mut frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        match &mut frame {
            Some(Ok(frame)) => {
                watcher.pass(frame);
                if body.is_end_stream() {
                    watcher.end(Ok(()));
                }
            }
            Some(Err(error)) => watcher.end(Err(error)),
            None => watcher.end(Ok(())),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
