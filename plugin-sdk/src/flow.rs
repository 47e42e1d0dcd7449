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

/// A phase that is over, or one that waits: for phases that do not wait as a rule, so that the rule costs no future.
///
/// ```
/// use std::rc::Rc;
/// use plugin_sdk::{Outcome, prelude::*};
///
/// struct Patient;
///
/// #[plugin(name = "patient")]
/// impl Patient {
///     fn configure((): ()) -> Result<Self, String> {
///         Ok(Self)
///     }
///
///     fn on_request(self: Rc<Self>, request: Request) -> Outcome {
///         match request.header("x-wait") {
///             None => Outcome::now(Flow::Continue),
///             Some(_) => Outcome::later(async {
///                 let _ = time::sleep(std::time::Duration::from_secs(1)).await;
///             }),
///         }
///     }
/// }
/// # fn main() {}
/// ```
pub struct Outcome(pub(crate) Stage);

pub(crate) enum Stage {
    Now(Flow),
    Later(Later),
}

/// A phase that waits.
pub(crate) type Later = Pin<Box<dyn Future<Output = Flow>>>;

impl Outcome {
    /// The phase is over.
    pub fn now(flow: impl Into<Flow>) -> Self {
        Self(Stage::Now(flow.into()))
    }

    /// The phase goes on with this, and holds the message while it waits.
    pub fn later<F: Into<Flow>>(phase: impl Future<Output = F> + 'static) -> Self {
        Self(Stage::Later(Box::pin(async move { phase.await.into() })))
    }
}
