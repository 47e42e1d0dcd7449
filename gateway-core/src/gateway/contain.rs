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
    let mut output = None;
    poll_fn(|cx| {
        // Its output is left outside: what a closure gives back is copied twice on its way through `catch_unwind`.
        let poll = || chain.as_mut().poll(cx).map(|done| output = Some(done));
        catch_unwind(AssertUnwindSafe(poll)).unwrap_or(Poll::Ready(()))
    })
    .await;
    output
}

/// Answers a request in whose chain a plugin or a layer panicked.
pub(super) fn panicked(exchange: &mut Exchange) -> Response<Body> {
    tracing::error!(request_id = %exchange.request_id, "a plugin panicked");
    exchange.reason = Some(Reason::Internal);
    exchange.source = Source::Exit;
    reply(Reason::Internal, exchange.asked, exchange.request_id)
}
