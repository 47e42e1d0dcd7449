//! A panic of a plugin, kept to its own request.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use http::Response;

use crate::{
    Body,
    error::Reason,
    plugin::{Exchange, Source},
    reply::reply,
};

/// Runs a chain; nothing where it panicked. Only its own request pays, also where no server of ours, but an
/// embedder's, would have to catch it. It is not polled again, so nobody sees what it left behind.
pub(super) async fn contained<F: Future>(mut chain: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| chain.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Answers a request in whose chain a plugin or a layer panicked.
pub(super) fn panicked(exchange: &mut Exchange) -> Response<Body> {
    tracing::error!(request_id = %exchange.request_id, "a plugin panicked");
    exchange.reason = Some(Reason::Internal);
    exchange.source = Source::Exit;
    reply(Reason::Internal, exchange.asked, exchange.request_id)
}
