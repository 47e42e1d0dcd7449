//! The seam between the gateway and a plugin that is ready to run.

use std::{future::Future, pin::Pin, sync::Arc};

use http::{Request, Response};

use super::{Destination, Exchange, Reading, Series};
use crate::Body;

/// A plugin with its configuration. Each phase takes `&self`: one handler serves many
/// requests at once, and a phase that does not wait allocates nothing.
///
/// ```
/// use gateway_core::{Body, plugin::{Exchange, Flow, Handler}};
/// use http::{HeaderValue, Request};
///
/// struct Stamp;
///
/// impl Handler for Stamp {
///     fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
///         request.headers_mut().insert("x-stamp", HeaderValue::from_static("1"));
///         Flow::Continue
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Sees the request before it is forwarded; may change it, answer it, or wait.
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let _ = (request, exchange);
        Flow::Continue
    }

    /// Sees a request that a plugin of higher priority has answered, in place of
    /// [`on_request`](Self::on_request): it goes no further.
    fn on_skipped(&self, request: &Request<Body>, exchange: &mut Exchange) {
        let _ = (request, exchange);
    }

    /// Sees the response, the gateway's own included; may change or replace it, or wait.
    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        let _ = (response, exchange);
        Flow::Continue
    }

    /// Whether it asks for what the route's regular expression takes out of the path
    /// ([`UriCaptures`](super::UriCaptures)). Requests of other routes are not searched for it.
    fn wants_captures(&self) -> bool {
        false
    }

    /// Sees what became of the request, after the last byte of the response.
    fn on_log(&self, exchange: &Exchange) {
        let _ = exchange;
    }

    /// Where it may send requests instead of to the route's own service ([`Exchange::send_to`]). Asked when a route is
    /// compiled, not by request.
    fn destinations(&self) -> Vec<Arc<Destination>> {
        Vec::new()
    }

    /// What there is to see of it at this moment.
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }

    /// Which metrics are shown of the routes it applies to, where that is its business. Asked when a route is
    /// compiled, not by request.
    fn series(&self) -> Option<Series> {
        None
    }
}

/// What a phase wants next.
pub enum Flow<M> {
    /// Go on with the next plugin.
    Continue,
    /// Answer with this; plugins of lower priority do not see the request.
    Reply(Box<Response<Body>>),
    /// Wait; the message stays with the gateway and comes back to the resumption.
    Wait(Wait<M>),
}

impl<M> Flow<M> {
    /// Answers with `response`.
    #[must_use]
    pub fn reply(response: Response<Body>) -> Self {
        Self::Reply(Box::new(response))
    }

    /// Waits for `future`, then goes on as `resume` says.
    pub fn wait<F, R>(future: F, resume: R) -> Self
    where
        F: Future + Send + 'static,
        R: FnOnce(F::Output, &mut M, &mut Exchange) -> Self + Send + 'static,
        F::Output: Send + 'static,
        M: 'static,
    {
        Self::Wait(Box::pin(async move {
            let output = future.await;
            let resume: Resume<M> = Box::new(move |message, exchange| resume(output, message, exchange));
            resume
        }))
    }
}

/// A phase that is not over yet.
pub type Wait<M> = Pin<Box<dyn Future<Output = Resume<M>> + Send>>;

/// How a phase goes on once its wait is over.
pub type Resume<M> = Box<dyn FnOnce(&mut M, &mut Exchange) -> Flow<M> + Send>;
