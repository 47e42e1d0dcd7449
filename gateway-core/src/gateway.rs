//! The one public object: requests in, responses out.

mod admit;
mod builder;
mod contain;
mod ending;
mod explain;
mod finish;
mod prepared;
mod retired;
mod shard;
mod shared;

pub use builder::Builder;
pub use prepared::Prepared;

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, PoisonError, Weak},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::runtime::Handle;
use tower_service::Service;

use contain::{contained, panicked};
use ending::Ending;
use retired::Retired;
use shard::Shard;
use shared::Shared;

use crate::{
    Body, ConnectInfo, Settings,
    config::{Change, Checked, Config, Problems},
    error::BoxError,
    observe::Observer,
    plugin::{Exchange, Registry},
    server::Serve,
    snapshot::{Entry, Snapshot, compile},
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

/// A [`Gateway`] that may be gone.
#[derive(Clone)]
pub struct WeakGateway {
    shared: Weak<Shared>,
    shard: Shard,
}

impl WeakGateway {
    /// The gateway, if any other handle still keeps it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Gateway> {
        self.shared.upgrade().map(|shared| Gateway { shared, shard: self.shard })
    }
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

    /// The gateway as the service of a worker's connections.
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
        gateway.begin_probes();
        // In a box: hyper keeps room for one answer in each connection as long as it lives, so an idle one
        // would hold 2.4 KB for nothing, and every answer would be copied into that room.
        move |connection: &Arc<ConnectInfo>, request: Request<Body>| {
            Box::pin(gateway.handle(connection, request))
        }
    }

    /// A handle that does not keep the gateway alive: for what the gateway itself holds, such as a plugin.
    #[must_use]
    pub fn downgrade(&self) -> WeakGateway {
        WeakGateway { shared: Arc::downgrade(&self.shared), shard: self.shard }
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
    pub fn plugins(&self) -> Arc<Registry> {
        Arc::clone(self.snapshot().plugins())
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
        self.prepare_reload(config).map(Prepared::commit)
    }

    /// As [`reload`](Self::reload), up to the moment from which it is served.
    ///
    /// # Errors
    /// Every problem of `config`; nothing has changed in any case.
    pub fn prepare_reload(&self, config: &Config) -> Result<Prepared<'_>, Problems> {
        self.prepared(|previous| previous.apply(&previous.config().diff(config), &self.plugins()))
    }

    /// As [`reload`](Self::reload), for a configuration that has been checked already, with this gateway's
    /// [`plugins`](Self::plugins).
    ///
    /// ```
    /// use gateway_core::{Gateway, config::Checked};
    ///
    /// let gateway = Gateway::builder().build().unwrap();
    /// let text = "{_format_version: '3.0', routes: [{name: users, paths: [/users]}]}";
    /// let change = gateway.reload_checked(Checked::parse(text, &gateway.plugins()).unwrap()).unwrap();
    /// assert_eq!(change.routes.len(), 1);
    /// ```
    ///
    /// # Errors
    /// What only compiling finds; then nothing has changed.
    pub fn reload_checked(&self, checked: Checked) -> Result<Change, Problems> {
        self.prepare_checked(checked).map(Prepared::commit)
    }

    /// As [`reload_checked`](Self::reload_checked), up to the moment from which it is served.
    ///
    /// # Errors
    /// What only compiling finds; nothing has changed in any case.
    pub fn prepare_checked(&self, checked: Checked) -> Result<Prepared<'_>, Problems> {
        self.prepared(|previous| {
            let checked = checked.sharing(previous.config());
            let change = previous.config().diff(checked.config());
            Ok((checked, change))
        })
    }

    /// Makes one change. It costs as much as it touches, however large the configuration is.
    ///
    /// # Errors
    /// Every problem of the configuration as it would be; then nothing has changed.
    pub fn apply(&self, change: &Change) -> Result<(), Problems> {
        self.prepare(change).map(Prepared::commit).map(drop)
    }

    /// As [`apply`](Self::apply), up to the moment from which it is served: for who keeps a change before it counts.
    /// No other change is made meanwhile.
    ///
    /// ```
    /// use gateway_core::{Gateway, config::{Change, Service}};
    ///
    /// let gateway = Gateway::builder().build().unwrap();
    /// let (users, mut change) = (Service::new("users", "users.internal"), Change::default());
    /// change.services.insert(users.id, Some(users.into()));
    ///
    /// drop(gateway.prepare(&change).unwrap());
    /// assert!(gateway.snapshot().config().services.is_empty());
    /// gateway.prepare(&change).unwrap().commit();
    /// assert_eq!(gateway.snapshot().config().services.len(), 1);
    /// ```
    ///
    /// # Errors
    /// Every problem of the configuration as it would be; nothing has changed in any case.
    pub fn prepare(&self, change: &Change) -> Result<Prepared<'_>, Problems> {
        self.prepared(|previous| previous.apply(change, &self.plugins()))
    }

    /// Has other plugins from now on. What those of `plugins` configured that it had before goes on undisturbed: a
    /// registry made [`with_shared`](Registry::with_shared) has the same ones. What others configured is made anew by
    /// the plugins of that name. Requests under way end with what they began with. Gives the plugins that were made
    /// anew, and what else differs because other tables have other defaults.
    ///
    /// ```
    /// use gateway_core::{Gateway, plugin::Registry, plugins};
    ///
    /// let gateway = Gateway::builder().plugins(Registry::empty()).build().unwrap();
    /// assert!(gateway.plugins().get("cors").is_none());
    /// gateway.replace_plugins(plugins::bundled()).unwrap();
    /// assert!(gateway.plugins().get("cors").is_some());
    /// ```
    ///
    /// # Errors
    /// Every problem that the configuration has with them; then nothing has changed.
    pub fn replace_plugins(&self, plugins: Registry) -> Result<Change, Problems> {
        let retired = self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let (previous, plugins) = (self.snapshot(), Arc::new(plugins));
        let checked = Checked::of(previous.config(), &plugins)?.sharing(previous.config());
        let mut change = previous.config().diff(checked.config());
        let others = checked.config().plugins.iter();
        let others = others.filter(|(_, entity)| !plugins.has_that_of(previous.plugins(), &entity.name));
        change.plugins.extend(others.map(|(id, entity)| (*id, Some(Arc::clone(entity)))));
        let next = compile(checked, &change, &previous, &plugins, &self.shared.environment)?;
        Ok(Prepared::new(&self.shared.snapshot, retired, previous, Some(next), change).commit())
    }

    /// Compiles what `next` makes of the configuration that is served by now.
    fn prepared(
        &self,
        next: impl FnOnce(&Checked) -> Result<(Checked, Change), Problems>,
    ) -> Result<Prepared<'_>, Problems> {
        let retired = self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = self.snapshot();
        let (checked, change) = next(previous.checked())?;
        let next = match change.is_empty() {
            true => None,
            false => {
                Some(compile(checked, &change, &previous, previous.plugins(), &self.shared.environment)?)
            }
        };
        Ok(Prepared::new(&self.shared.snapshot, retired, previous, next, change))
    }

    /// Probes begin once there is a runtime that stays: that of the first worker to serve.
    fn begin_probes(&self) {
        if let Ok(runtime) = Handle::try_current() {
            let runtime = self.shared.environment.runtime.get_or_init(|| runtime);
            let _unchanging = self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
            self.snapshot().start(runtime);
        }
    }

    /// Answers a request that came on `connection`.
    pub fn handle(
        &self,
        connection: &Arc<ConnectInfo>,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        // From here on the exchange ends in every case: with its last byte, or when this is dropped.
        let mut ending = Ending::new(&self.shared, self.shard.index(), connection);
        // Before there is a future: taking a request apart that stands in one is four copies of it.
        let (mut parts, body) = request.into_parts();
        let admitted = self.admit(&mut parts, &mut ending.exchange);
        let mut request = Request::from_parts(parts, body);
        // The block uses what it captures in place: an argument of an `async fn` would be stored twice.
        async move {
            let response = match admitted {
                Ok(entry) => answer(ending.entry.insert(entry), &mut request, &mut ending.exchange).await,
                Err(refusal) => *refusal,
            };
            ending.finish(response)
        }
    }
}

async fn answer(entry: &Entry, request: &mut Request<Body>, exchange: &mut Exchange) -> Response<Body> {
    let response = contained(pin!(entry.chain.run(request, exchange))).await;
    response.unwrap_or_else(|| panicked(exchange))
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
