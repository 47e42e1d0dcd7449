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

/// A phase that is over, or one that waits. A plain `fn` returns it where it mostly has nothing to wait for:
/// [`Request::wait`](crate::Request::wait) makes one that does, and `.into()` one of anything that becomes a [`Flow`].
#[must_use]
pub enum Outcome {
    /// It is over.
    Now(Flow),
    /// It waits.
    #[doc(hidden)]
    Later(Pin<Box<dyn Future<Output = Flow>>>),
}

impl<F: Into<Flow>> From<F> for Outcome {
    fn from(flow: F) -> Self {
        Self::Now(flow.into())
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now(flow) => flow.fmt(f),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A phase that waits.
pub(crate) type Later = Pin<Box<dyn Future<Output = Flow>>>;

impl Outcome {
    #[doc(hidden)]
    pub fn now(flow: impl Into<Flow>) -> Self {
        Self::Now(flow.into())
    }

    #[doc(hidden)]
    pub fn later<F: Into<Flow>>(phase: impl Future<Output = F> + 'static) -> Self {
        Self::Later(Box::pin(async move { phase.await.into() }))
    }
}
