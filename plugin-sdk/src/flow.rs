//! What a phase wants next.

use std::{future::Future, pin::Pin};

use crate::Reply;

/// What a phase wants next. Phases may return anything that becomes one: `()` to go on, a [`Reply`] to answer, a
/// `Result` of these with a reply as the error, for `?`.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Go on.
    Continue,
    /// Answer with this; plugins of lower priority and the upstream do not see the request.
    Reply(Reply),
    /// For body phases: keep what has come, and show it again with what comes next.
    Hold,
}

impl From<()> for Flow {
    fn from((): ()) -> Self {
        Self::Continue
    }
}

impl From<Reply> for Flow {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl<F: Into<Self>> From<Result<F, Reply>> for Flow {
    fn from(result: Result<F, Reply>) -> Self {
        result.map_or_else(Self::Reply, Into::into)
    }
}

/// A phase that is over, or one that waits. `#[plugin]` makes it.
#[doc(hidden)]
pub enum Outcome {
    Now(Flow),
    Later(Later),
}

/// A phase that waits.
pub(crate) type Later = Pin<Box<dyn Future<Output = Flow>>>;

impl Outcome {
    pub fn now(flow: impl Into<Flow>) -> Self {
        Self::Now(flow.into())
    }

    pub fn later<F: Into<Flow>>(phase: impl Future<Output = F> + 'static) -> Self {
        Self::Later(Box::pin(async move { phase.await.into() }))
    }
}
