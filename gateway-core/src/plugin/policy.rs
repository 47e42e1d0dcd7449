//! What a plugin contributes to the forwarding itself: guards around a request and each of its tries.

use std::{borrow::Cow, fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http::StatusCode;
use uuid::Uuid;

use super::{Hedging, Retrying};
use crate::error::{Error, Reason};

/// A plugin, configured, that has no phases but a say in how requests are forwarded: a circuit breaker, a limit.
///
/// It is bound to each service that its configuration reaches. What it learns at a service belongs to the policy,
/// not to the routes that lead there: it goes on as long as the policy and one of those routes stand, and its
/// plugin hands it on when the configuration of the policy changes ([`Plugin::reconfigure`](super::Plugin::reconfigure)).
pub trait Policy: Send + Sync + 'static {
    /// The policy at one service. Asked when routes are compiled, not on a request's path.
    fn at(&self, service: Uuid) -> Bound;

    /// The policy as its plugin knows it, to take over what it has learned.
    fn as_any(&self) -> &dyn std::any::Any;

    /// What there is to see of it at this moment.
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }
}

/// A policy at one service.
#[derive(Clone)]
#[non_exhaustive]
pub enum Bound {
    /// It lets requests and tries in.
    Guard(Arc<dyn Guard>),
    /// It says what is tried again, in place of the service's `retries`. Of several the one whose plugin has the
    /// highest priority counts.
    Retry(Arc<Retrying>),
    /// It says when a second try begins beside the first one. Of several the one whose plugin has the highest priority
    /// counts.
    Hedge(Arc<Hedging>),
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guard(_) => "Guard",
            Self::Retry(_) => "Retry",
            Self::Hedge(_) => "Hedge",
        })
    }
}

/// Lets requests to one service in, and hears what became of them. Guards are asked in the order of their plugins'
/// priorities, after every phase of the chain and once a short body has been read.
///
/// ```
/// use gateway_core::{Error, Reason, plugin::{Admission, Guard}};
///
/// /// Sends nobody there.
/// struct Closed;
///
/// impl Guard for Closed {
///     fn admit(&self) -> Admission {
///         Admission::Refuse(Error::from(Reason::Overloaded))
///     }
/// }
/// ```
pub trait Guard: Send + Sync + 'static {
    /// Before a request is forwarded. Its permit hears of the last try, and ends with the last byte of the answer
    /// where it asks for that.
    fn admit(&self) -> Admission {
        Admission::Go(Permit::free())
    }

    /// Before a try at an endpoint. One that is refused is passed over for the next.
    ///
    /// # Errors
    /// With what the client is told if no endpoint is left and none has been tried: otherwise it is told what the last
    /// try met.
    fn admit_try(&self, endpoint: SocketAddr) -> Result<Permit, Error> {
        let _ = endpoint;
        Ok(Permit::free())
    }
}

/// What a guard says to a request.
pub enum Admission {
    /// It may go on.
    Go(Permit),
    /// It may not.
    Refuse(Error),
    /// It has to wait to know.
    Wait(Pin<Box<dyn Future<Output = Result<Permit, Error>> + Send>>),
}

/// What became of a request, or of one of its tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the upstream's answer, or why there is none.
    pub result: Result<StatusCode, Reason>,
    /// How long that took.
    pub took: Duration,
}

/// Hears what became of what it has let in.
pub trait Keeper: Send + Sync + 'static {
    /// The head of an answer has come, or a failure.
    fn settle(&self, ticket: u64, outcome: &Outcome) -> Keep;

    /// It is over: nobody knows how, where it has not been settled before.
    fn release(&self, ticket: u64);
}

/// Whether a permit is kept once its outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// No: it is not released any more.
    Done,
    /// To the last byte of the answer.
    ToTheEnd,
}

/// Leave to go on. It comes back in every case: settled, or released when it is dropped.
#[must_use]
pub struct Permit(Option<(Arc<dyn Keeper>, u64)>);

impl Permit {
    /// One that nobody waits for.
    pub const fn free() -> Self {
        Self(None)
    }

    /// One that `keeper` knows as `ticket`.
    pub fn new(keeper: Arc<dyn Keeper>, ticket: u64) -> Self {
        Self(Some((keeper, ticket)))
    }

    /// Tells the keeper what became of it; whether it is to be kept.
    pub(crate) fn settle(&mut self, outcome: &Outcome) -> bool {
        let Some((keeper, ticket)) = &self.0 else { return false };
        let keep = keeper.settle(*ticket, outcome) == Keep::ToTheEnd;
        if !keep {
            self.0 = None;
        }
        keep
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((keeper, ticket)) = self.0.take() {
            keeper.release(ticket);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.0.as_ref().map(|(_, ticket)| ticket)).finish()
    }
}

/// One number that a plugin shows, as a sample of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The name of the metric.
    pub metric: Cow<'static, str>,
    /// What it is.
    pub help: &'static str,
    /// The service that it is about, where it is about one.
    pub service: Option<Uuid>,
    /// Labels besides `service`.
    pub labels: Vec<(&'static str, String)>,
    /// The number now.
    pub value: u64,
}
