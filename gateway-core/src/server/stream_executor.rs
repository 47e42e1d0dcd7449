//! The tasks of one connection's HTTP/2 streams.

use std::sync::Arc;

use hyper::rt::Executor;

use super::state::ConnState;

/// Runs the streams of one connection as tasks that [`Streams`](super::streams::Streams) can end.
#[derive(Clone, Debug)]
pub(super) struct StreamExecutor(pub(super) Arc<ConnState>);

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.streams.attach(tokio::spawn(stream).abort_handle());
    }
}
