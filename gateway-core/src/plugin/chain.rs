//! The plugins of a route, in order, around one forwarder.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{Request, Response};
use smallvec::SmallVec;
use uuid::Uuid;

use super::{
    ChainService, Configured, Exchange, Flow, Handler, Scoped,
    layer::{Rest, through},
};
use crate::Body;

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
    /// greater name comes first, as in Kong.
    pub fn new(mut links: Vec<Link>, forwarder: F) -> Self {
        links.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        let mut handlers = Vec::new();
        let mut inner = Inner::Forwarder(forwarder);
        for link in links {
            let own = link.configured.filter_map(|configured| match configured {
                Configured::Handler(handler) => Some(Arc::clone(handler)),
                Configured::Layer(_) => None,
            });
            if !own.is_empty() {
                handlers.push(own);
            }
            if link.configured.any(|configured| matches!(configured, Configured::Layer(_))) {
                let rest = Arc::new(Self::outermost_last(std::mem::take(&mut handlers), inner));
                let services = link.configured.filter_map(|configured| match configured {
                    Configured::Layer(layer) => Some(layer.wrap(ChainService::new(Rest::new(&rest)))),
                    Configured::Handler(_) => None,
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
            Some(reply) => reply,
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
    ) -> Option<Response<Body>> {
        let mut reply = None;
        for scoped in &self.handlers {
            let Some((_, handler)) = scoped.resolve(consumer(exchange)) else { continue };
            chosen.push(handler);
            if reply.is_none() {
                reply = on_request(handler.as_ref(), request, exchange).await;
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

    /// Whether there is nothing around the forwarder.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.handlers.is_empty() && matches!(self.inner, Inner::Forwarder(_))
    }
}

impl<F> fmt::Debug for Chain<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("handlers", &self.handlers.len()).finish_non_exhaustive()
    }
}

fn consumer(exchange: &Exchange) -> Option<Uuid> {
    exchange.consumer.as_ref().map(|consumer| consumer.id)
}

/// Runs a request phase to its end, waits included.
async fn on_request(
    handler: &dyn Handler,
    request: &mut Request<Body>,
    exchange: &mut Exchange,
) -> Option<Response<Body>> {
    let mut flow = handler.on_request(request, exchange);
    loop {
        match flow {
            Flow::Continue => return None,
            Flow::Reply(response) => return Some(*response),
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

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, SocketAddr},
        sync::Arc,
    };

    use http::{HeaderValue, Request, Response};
    use tower::{layer::layer_fn, util::MapResponseLayer};

    use super::{Chain, Forward, Link};
    use crate::{
        Body, ConnectInfo,
        plugin::{ChainService, Configured, Exchange, Flow, Handler, LayerPlugin, Plugin, Scope, Scoped},
    };

    /// Writes its name into a header of request and response; `x-stop: name` makes it reply.
    struct Trail(&'static str);

    impl Trail {
        fn mark(&self, headers: &mut http::HeaderMap) {
            headers.append("x-trail", HeaderValue::from_static(self.0));
        }
    }

    impl Handler for Trail {
        fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
            self.mark(request.headers_mut());
            if request.headers().get("x-stop").is_some_and(|name| name == self.0) {
                return Flow::reply(Response::new(Body::from("stopped")));
            }
            let name = self.0;
            Flow::wait(async {}, move |(), request: &mut Request<Body>, _| {
                Self(name).mark(request.headers_mut());
                Flow::Continue
            })
        }

        fn on_response(&self, response: &mut Response<Body>, _: &mut Exchange) -> Flow<Response<Body>> {
            self.mark(response.headers_mut());
            Flow::Continue
        }
    }

    /// Answers with the request's headers.
    #[derive(Clone, Debug)]
    struct Mirror;

    impl Forward for Mirror {
        async fn forward(&self, request: &mut Request<Body>, _: &mut Exchange) -> Response<Body> {
            let mut response = Response::new(Body::empty());
            for value in request.headers().get_all("x-trail") {
                response.headers_mut().append("x-seen", value.clone());
            }
            response
        }
    }

    fn link(priority: i32, name: &'static str) -> Link {
        let mut configured = Scoped::default();
        configured.insert(Scope::Global, Configured::handler(Trail(name)));
        Link { name: name.into(), priority, configured }
    }

    fn layer(priority: i32) -> Link {
        let around = MapResponseLayer::new(|mut response: Response<Body>| {
            response.headers_mut().append("x-trail", HeaderValue::from_static("layer"));
            response
        });
        let plugin = LayerPlugin::new("layer", priority, around);
        let mut configured = Scoped::default();
        configured.insert(Scope::Global, plugin.configure(&serde_json::json!({})).unwrap());
        Link { name: "layer".into(), priority, configured }
    }

    async fn run(links: Vec<Link>, stop: &'static str) -> (Vec<String>, Vec<String>) {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut exchange = Exchange::new(Arc::new(ConnectInfo::new(nowhere, nowhere)));
        let mut request = Request::builder().header("x-stop", stop).body(Body::empty()).unwrap();
        let response = Chain::new(links, Mirror).run(&mut request, &mut exchange).await;
        let all = |name: &str| {
            let values = response.headers().get_all(name);
            values.iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        (all("x-seen"), all("x-trail"))
    }

    #[tokio::test]
    async fn both_phases_run_from_the_highest_priority_down() {
        let (seen, trail) = run(vec![link(1, "c"), link(3, "a"), link(2, "b")], "").await;
        assert_eq!(seen, ["a", "a", "b", "b", "c", "c"]);
        assert_eq!(trail, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_reply_ends_the_request_phase_and_every_plugin_still_sees_the_response() {
        let (seen, trail) = run(vec![link(1, "c"), link(3, "a"), link(2, "b")], "b").await;
        assert!(seen.is_empty());
        assert_eq!(trail, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn of_equal_priorities_the_greater_name_comes_first() {
        let (_, trail) = run(vec![link(1, "a"), link(1, "b")], "").await;
        assert_eq!(trail, ["b", "a"]);
    }

    #[tokio::test]
    async fn a_layer_wraps_what_has_a_lower_priority() {
        let (seen, trail) = run(vec![link(3, "a"), layer(2), link(1, "c")], "").await;
        assert_eq!(seen, ["a", "a", "c", "c"]);
        assert_eq!(trail, ["c", "layer", "a"]);
    }

    #[tokio::test]
    async fn a_layer_that_answers_by_itself_keeps_the_exchange() {
        let refusing = layer_fn(|_: ChainService| {
            tower::service_fn(|_: Request<Body>| async {
                Ok::<_, std::convert::Infallible>(Response::new(Body::from("no")))
            })
        });
        let plugin = LayerPlugin::new("refuse", 2, refusing);
        let mut configured = Scoped::default();
        configured.insert(Scope::Global, plugin.configure(&serde_json::json!({})).unwrap());
        let refuse = Link { name: "refuse".into(), priority: 2, configured };
        let (seen, trail) = run(vec![link(3, "a"), refuse, link(1, "c")], "").await;
        assert!(seen.is_empty());
        assert_eq!(trail, ["a"]);
    }
}
