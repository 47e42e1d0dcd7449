//! The plugins of a route, in order, around one forwarder.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use smallvec::SmallVec;
use tower_service::Service;
use uuid::Uuid;

use super::{
    ChainService, Configured, Exchange, Flow, Handler, Scoped, Series,
    layer::{Carried, through},
};
use crate::{Body, Reason};

/// What stands at the inner end of a chain.
pub trait Forward: Clone + Send + Sync + 'static {
    /// Answers a request that every plugin has let through, and takes it out of `request`: it stands in one
    /// place from the connection to the upstream, since each move of it would be a copy.
    fn forward(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// One plugin of a chain with all its configurations.
#[derive(Clone, Debug)]
pub struct Link {
    /// The plugin's name.
    pub name: Arc<str>,
    /// Its place: higher runs first.
    pub priority: i32,
    /// Its configurations on this route.
    pub configured: Scoped<Configured>,
}

impl Link {
    /// Which metrics are shown of the route, where this plugin says that.
    pub(crate) fn series(&self) -> Option<Series> {
        match self.configured.resolve(None) {
            Some((_, Configured::Handler(handler))) => handler.series(),
            _ => None,
        }
    }

    /// Whether one of its handlers asks for what the route's expression takes out of the path.
    pub(crate) fn wants_captures(&self) -> bool {
        self.configured
            .any(|configured| matches!(configured, Configured::Handler(handler) if handler.wants_captures()))
    }
}

/// The plugins of a route around its forwarder.
///
/// `on_request` runs from the highest priority down until a plugin replies; then `on_response`
/// of every plugin chosen for the request, from the highest priority down, whoever made the
/// answer (compat A 2.4). A plugin that is a Tower layer wraps what has a lower priority.
#[derive(Clone)]
pub struct Chain<F> {
    /// Handlers above the first layer, or all of them.
    handlers: Box<[Scoped<Arc<dyn Handler>>]>,
    inner: Inner<F>,
}

#[derive(Clone)]
enum Inner<F> {
    Forwarder(F),
    /// A layer, and what it wraps: for configurations that do not apply it is passed by.
    Layer {
        services: Scoped<ChainService>,
        rest: Arc<Chain<F>>,
    },
}

/// The handlers that apply to one request.
type Chosen<'a> = SmallVec<[&'a Arc<dyn Handler>; 8]>;

impl<F: Forward> Chain<F> {
    /// A chain of `links` around `forwarder`. Of two links with the same priority the one with the
    /// greater name comes first, as in Kong. Policies are the forwarder's to follow.
    pub fn new(mut links: Vec<Link>, forwarder: F) -> Self {
        links.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        let mut handlers = Vec::new();
        let mut inner = Inner::Forwarder(forwarder);
        for link in links {
            let own = link.configured.filter_map(|configured| match configured {
                Configured::Handler(handler) => Some(Arc::clone(handler)),
                Configured::Layer(_) | Configured::Policy(_) => None,
            });
            if !own.is_empty() {
                handlers.push(own);
            }
            if link.configured.any(|configured| matches!(configured, Configured::Layer(_))) {
                let rest = Arc::new(Self::outermost_last(std::mem::take(&mut handlers), inner));
                let services = link.configured.filter_map(|configured| match configured {
                    Configured::Layer(layer) => Some(layer.wrap(ChainService::new(Rest::new(&rest)))),
                    Configured::Handler(_) | Configured::Policy(_) => None,
                });
                inner = Inner::Layer { services, rest };
            }
        }
        Self::outermost_last(handlers, inner)
    }

    fn outermost_last(mut handlers: Vec<Scoped<Arc<dyn Handler>>>, inner: Inner<F>) -> Self {
        handlers.reverse();
        Self { handlers: handlers.into(), inner }
    }

    /// Answers `request`, which is taken.
    pub async fn run(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Response<Body> {
        if self.handlers.is_empty() {
            return self.run_inner(request, exchange).await;
        }
        let mut chosen = Chosen::new();
        let reply = self.on_request(request, exchange, &mut chosen).await;
        let mut response = match reply {
            Some(reply) => told(*reply, exchange),
            None => self.run_inner(request, exchange).await,
        };
        for handler in chosen {
            on_response(handler.as_ref(), &mut response, exchange).await;
        }
        response
    }

    async fn on_request<'a>(
        &'a self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
        chosen: &mut Chosen<'a>,
    ) -> Option<Box<Response<Body>>> {
        let mut reply = None;
        for scoped in &self.handlers {
            let Some((_, handler)) = scoped.resolve(consumer(exchange)) else { continue };
            chosen.push(handler);
            match reply {
                None => reply = on_request(handler.as_ref(), request, exchange).await,
                Some(_) => handler.on_skipped(request, exchange),
            }
        }
        reply
    }

    async fn run_inner(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Response<Body> {
        match &self.inner {
            Inner::Forwarder(forwarder) => forwarder.forward(request, exchange).await,
            Inner::Layer { services, rest } => match services.resolve(consumer(exchange)) {
                Some((_, service)) => {
                    Box::pin(through(service.clone(), std::mem::take(request), exchange)).await
                }
                None => Box::pin(rest.run(request, exchange)).await,
            },
        }
    }

    /// Its inner end.
    pub(crate) fn forwarder(&self) -> &F {
        match &self.inner {
            Inner::Forwarder(forwarder) => forwarder,
            Inner::Layer { rest, .. } => rest.forwarder(),
        }
    }

    /// Lets every plugin log a finished exchange. A plugin that panics here harms no one else.
    pub fn log(&self, exchange: &Exchange) {
        for scoped in &self.handlers {
            if let Some((_, handler)) = scoped.resolve(consumer(exchange)) {
                let logged = catch_unwind(AssertUnwindSafe(|| handler.on_log(exchange)));
                if logged.is_err() {
                    tracing::error!(request_id = %exchange.request_id, "a plugin panicked in its log phase");
                }
            }
        }
        if let Inner::Layer { rest, .. } = &self.inner {
            rest.log(exchange);
        }
    }
}

impl<F> fmt::Debug for Chain<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("handlers", &self.handlers.len()).finish_non_exhaustive()
    }
}

/// A plugin's answer, which has a reason when it is a failure.
fn told(reply: Response<Body>, exchange: &mut Exchange) -> Response<Body> {
    if reply.status().is_client_error() || reply.status().is_server_error() {
        exchange.reason.get_or_insert(Reason::Plugin);
    }
    reply
}

fn consumer(exchange: &Exchange) -> Option<Uuid> {
    exchange.consumer.as_ref().map(|consumer| consumer.id)
}

/// Runs a request phase to its end, waits included. A reply stays in its box: most phases have none, and room for one would
/// be moved all the same.
async fn on_request(
    handler: &dyn Handler,
    request: &mut Request<Body>,
    exchange: &mut Exchange,
) -> Option<Box<Response<Body>>> {
    let mut flow = handler.on_request(request, exchange);
    loop {
        match flow {
            Flow::Continue => return None,
            Flow::Reply(response) => return Some(response),
            Flow::Wait(wait) => flow = wait.await(request, exchange),
        }
    }
}

/// Runs a response phase to its end, waits included.
async fn on_response(handler: &dyn Handler, response: &mut Response<Body>, exchange: &mut Exchange) {
    let mut flow = handler.on_response(response, exchange);
    loop {
        match flow {
            Flow::Continue => return,
            Flow::Reply(other) => {
                *response = *other;
                return;
            }
            Flow::Wait(wait) => flow = wait.await(response, exchange),
        }
    }
}

/// A chain as a Tower service, for a layer to wrap.
struct Rest<F>(Arc<Chain<F>>);

impl<F> Rest<F> {
    fn new(chain: &Arc<Chain<F>>) -> Self {
        Self(Arc::clone(chain))
    }
}

impl<F> Clone for Rest<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Forward> Service<Request<Body>> for Rest<F> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let chain = Arc::clone(&self.0);
        Box::pin(async move {
            let carried = request.extensions_mut().remove::<Carried>().unwrap_or_default();
            let mut exchange = carried.take();
            let response = chain.run(&mut request, &mut exchange).await;
            carried.put(exchange);
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests;
