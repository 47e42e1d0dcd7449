//! The one public object: requests in, responses out.

mod builder;
mod finish;

pub use builder::Builder;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::{
    Body, ConnectInfo, Settings,
    config::{Change, Config, Problems, Protocol},
    error::{BoxError, Reason},
    observe::Observer,
    plugin::{Exchange, Registry, Source},
    reply::{Asked, https_reply, reply},
    router::Head,
    sanitize::{Canonical, check_head, complete_refusal},
    server::Serve,
    snapshot::{Entry, Environment, Snapshot, compile},
};

/// An API gateway as a [`tower::Service`](Service).
///
/// It takes requests of any body, answers each of them (`Error = Infallible`), and is cheap to clone.
/// [`reload`](Self::reload) and [`apply`](Self::apply) change its configuration at one instant, without
/// touching a request or a connection under way.
///
/// ```
/// use gateway_core::{Body, Gateway, config::{Config, Route, Service}};
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let service = Service::new("users", "127.0.0.1");
/// let mut route = Route::new("users").to(&service);
/// route.paths = Some(vec!["/users".into()]);
/// let gateway = Gateway::builder().config(Config::default().with(service).with(route)).build().unwrap();
///
/// let request = http::Request::get("/elsewhere").header("host", "example.com").body(Body::empty()).unwrap();
/// let response = gateway.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 404);
/// # });
/// ```
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    shard: Shard,
}

/// What all clones of a gateway share.
struct Shared {
    snapshot: ArcSwap<Snapshot>,
    /// Changes are made one at a time; requests never take it.
    changing: Mutex<()>,
    environment: Environment,
    settings: Settings,
    observer: Observer,
}

/// Which share of pools and counters a clone uses.
#[derive(Clone, Copy)]
enum Shard {
    /// That of a worker with a runtime of its own.
    Worker(usize),
    /// That of the thread it happens to run on.
    Thread,
}

impl Gateway {
    /// Starts to build a gateway.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The gateway for the worker with this index: its connections and counters are that worker's own.
    /// Use it where each thread has a runtime of its own, as the crate's [server](crate::server) does.
    #[must_use]
    pub fn for_worker(&self, index: usize) -> Self {
        Self { shared: Arc::clone(&self.shared), shard: Shard::Worker(index) }
    }

    /// The gateway as the service of a worker's connections, without a box around each answer.
    ///
    /// ```no_run
    /// use gateway_core::{Gateway, server::{Server, Settings}};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let gateway = Gateway::builder().build()?;
    /// let server = Server::new(Settings::default()).listen("127.0.0.1:8000".parse()?).bind()?;
    /// server.start(move |worker| gateway.serve(worker))?.run(std::future::pending()).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve(&self, worker: usize) -> impl Serve + use<> {
        let gateway = self.for_worker(worker);
        move |connection: &Arc<ConnectInfo>, request: Request<Body>| gateway.handle(connection, request)
    }

    /// The configuration that requests are served by now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// What it has counted.
    #[must_use]
    pub fn observer(&self) -> &Observer {
        &self.shared.observer
    }

    /// The plugins that its configurations may name.
    #[must_use]
    pub fn plugins(&self) -> &Registry {
        &self.shared.environment.registry
    }

    /// The node's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Serves by `config` from now on; what it shares with the configuration of before goes on undisturbed.
    /// Gives what differed.
    ///
    /// # Errors
    /// Every problem of `config`; then nothing has changed.
    pub fn reload(&self, config: &Config) -> Result<Change, Problems> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let config = config.check(self.shared.environment.registry.as_ref())?;
        let previous = self.shared.snapshot.load_full();
        let change = previous.config().diff(&config);
        self.swap(&previous, &change)?;
        Ok(change)
    }

    /// Makes one change.
    ///
    /// # Errors
    /// Every problem of the configuration as it would be; then nothing has changed.
    pub fn apply(&self, change: &Change) -> Result<(), Problems> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = self.shared.snapshot.load_full();
        let config = previous.config().apply(change).check(self.shared.environment.registry.as_ref())?;
        let change = previous.config().diff(&config);
        self.swap(&previous, &change)
    }

    fn swap(&self, previous: &Snapshot, change: &Change) -> Result<(), Problems> {
        if change.is_empty() {
            return Ok(());
        }
        let next = compile(previous.config().apply(change), Some(previous), &self.shared.environment)?;
        self.shared.snapshot.store(Arc::new(next));
        Ok(())
    }

    /// Answers a request that came on `connection`.
    pub fn handle(
        &self,
        connection: &Arc<ConnectInfo>,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        let gateway = self.clone();
        let mut exchange = Box::new(Exchange::new(Arc::clone(connection)));
        // The block uses what it captures in place: an argument of an `async fn` would be stored twice.
        async move {
            let (response, entry) = gateway.answer(&mut request, &mut exchange).await;
            gateway.finish(response, exchange, entry)
        }
    }

    async fn answer(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> (Response<Body>, Option<Arc<Entry>>) {
        exchange.shard = self.shard.index();
        self.shared.observer.begin(exchange.shard);
        exchange.asked = Asked::by(request.method(), request.version(), request.headers());
        match self.admit(request, exchange) {
            Ok(entry) => {
                let response = contained(pin!(entry.chain.run(request, exchange))).await;
                (response.unwrap_or_else(|| panicked(exchange)), Some(entry))
            }
            Err(refusal) => (*refusal, None),
        }
    }

    /// Checks the head, finds the route, and turns the target into the upstream's.
    fn admit(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<Arc<Entry>, Box<Response<Body>>> {
        let (mut parts, body) = std::mem::take(request).into_parts();
        let admitted = self.admit_head(&mut parts, exchange);
        *request = Request::from_parts(parts, body);
        admitted
    }

    fn admit_head(
        &self,
        parts: &mut Parts,
        exchange: &mut Exchange,
    ) -> Result<Arc<Entry>, Box<Response<Body>>> {
        exchange.receive(parts, &self.shared.environment.outbound.trust);
        exchange.debug = self.shared.settings.debug_header && asks_for_debug(parts);
        let canonical =
            check_head(parts, &self.shared.settings.rules).map_err(|reason| refuse(reason, exchange))?;
        canonical.apply(parts, &self.shared.settings.rules);
        let snapshot = self.shared.snapshot.load();
        let entry =
            self.find(&snapshot, parts, &canonical, exchange).map_err(|reason| refuse(reason, exchange))?;
        exchange.accept(canonical);
        Self::check_scheme(&entry, exchange)?;
        Ok(entry)
    }

    /// The route of a request; its target becomes what the route's service is asked for.
    fn find(
        &self,
        snapshot: &Snapshot,
        parts: &mut Parts,
        canonical: &Canonical,
        exchange: &mut Exchange,
    ) -> Result<Arc<Entry>, Reason> {
        let head = Head {
            scheme: exchange.client.scheme,
            method: &parts.method,
            host: canonical.host.name(),
            port: canonical.host.port().unwrap_or_else(|| exchange.client.scheme.default_port()),
            path: parts.uri.path(),
            headers: &parts.headers,
            sni: exchange.connection.tls().and_then(|tls| tls.sni.as_deref()),
        };
        let found = snapshot.router().find(&head).ok_or(Reason::NoRoute)?;
        let entry = Arc::clone(found.value);
        exchange.matched = Some(Arc::clone(&entry.matched));
        exchange.stripped = if entry.route().strip_path { found.matched } else { 0 };
        if let Some(target) = entry.target(&parts.uri, exchange.stripped) {
            parts.uri = target;
        }
        Ok(entry)
    }

    /// An https route tells a request in clear where to go (compat P15).
    fn check_scheme(entry: &Entry, exchange: &mut Exchange) -> Result<(), Box<Response<Body>>> {
        if entry.clear || exchange.client.scheme == Protocol::Https {
            return Ok(());
        }
        exchange.reason = Some(Reason::HttpsRequired);
        let status = entry.route().https_redirect_status_code;
        let reply =
            https_reply(status, exchange.host.name(), &exchange.uri, exchange.asked, exchange.request_id);
        Err(Box::new(reply))
    }
}

/// Whether the client asks how it was routed (compat P52).
fn asks_for_debug(parts: &Parts) -> bool {
    parts.headers.get("kong-debug").is_some_and(|value| value == "1")
}

/// Runs a chain; nothing where it panicked. Only its own request pays, also where no server of ours, but an
/// embedder's, would have to catch it. It is not polled again, so nobody sees what it left behind.
async fn contained<F: Future>(mut chain: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| chain.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Answers a request in whose chain a plugin or a layer panicked.
fn panicked(exchange: &mut Exchange) -> Response<Body> {
    tracing::error!(request_id = %exchange.request_id, "a plugin panicked");
    exchange.reason = Some(Reason::Internal);
    exchange.source = Source::Exit;
    reply(Reason::Internal, exchange.asked, exchange.request_id)
}

/// Answers a request that goes no further.
fn refuse(reason: Reason, exchange: &mut Exchange) -> Box<Response<Body>> {
    exchange.reason = Some(reason);
    let mut response = reply(reason, exchange.asked, exchange.request_id);
    complete_refusal(reason, response.headers_mut());
    Box::new(response)
}

impl Shard {
    fn index(self) -> usize {
        match self {
            Self::Worker(index) => index,
            Self::Thread => thread_index(),
        }
    }
}

/// A number for the current thread, counted up from 0.
fn thread_index() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static INDEX: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    INDEX.with(|index| *index)
}

impl<B> Service<Request<B>> for Gateway
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    /// Always ready: bounds are kept per upstream, not here.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let gateway = self.clone();
        let connection = request.extensions_mut().remove::<Arc<ConnectInfo>>();
        let connection = connection.unwrap_or_else(|| Arc::new(ConnectInfo::unknown()));
        Box::pin(async move { Ok(gateway.handle(&connection, request.map(Body::new)).await) })
    }
}
