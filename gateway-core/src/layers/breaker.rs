//! A circuit breaker around any service.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::time::Clock;
use crate::breaker::{Breaker, Open, Settings, Ticket, Verdict};

/// Puts a circuit breaker around a service.
///
/// It answers by itself, with [`BreakerError::Open`], while the breaker is open. It leaves requests and responses
/// alone. Clones of one service share its breaker; each service that the layer makes has its own, unless
/// [`sharing`](Self::sharing) says otherwise. What counts as a failure a [`Classify`] says: by default
/// ([`ServerErrors`]) an error, or a response with a status of 500 and above. A call that is dropped before it has
/// ended counts for nothing.
///
/// ```
/// use std::time::Duration;
/// use gateway_core::{breaker::Settings, layers::{BreakerError, BreakerLayer}};
/// use http::{Request, Response, StatusCode};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut settings = Settings::default();
/// (settings.consecutive, settings.open_for) = (2, Duration::from_secs(10));
///
/// // Any client, here one whose upstream always fails.
/// let client = service_fn(async |_: Request<()>| {
///     let mut response = Response::new(());
///     *response.status_mut() = StatusCode::BAD_GATEWAY;
///     Ok::<_, std::io::Error>(response)
/// });
/// let client = ServiceBuilder::new().layer(BreakerLayer::new(settings)).service(client);
///
/// for _ in 0..2 {
///     assert_eq!(client.clone().oneshot(Request::new(())).await.unwrap().status(), 502);
/// }
/// let refused = client.oneshot(Request::new(())).await.unwrap_err();
/// assert!(matches!(refused, BreakerError::Open(open) if open.after > Duration::from_secs(9)));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct BreakerLayer<C = ServerErrors> {
    settings: Settings,
    classify: C,
    shared: Option<Arc<Breaker>>,
}

/// Says what the outcome of a call counts as.
pub trait Classify<Response, Error> {
    /// Whether it failed; none: it says nothing of the other side.
    fn failed(&self, result: Result<&Response, &Error>) -> Option<bool>;
}

/// An error is a failure, and so is a response with a status of 500 and above.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerErrors;

impl<B, E> Classify<Response<B>, E> for ServerErrors {
    fn failed(&self, result: Result<&Response<B>, &E>) -> Option<bool> {
        Some(result.map_or(true, |response| response.status().is_server_error()))
    }
}

impl<F, R, E> Classify<R, E> for F
where
    F: Fn(Result<&R, &E>) -> Option<bool>,
{
    fn failed(&self, result: Result<&R, &E>) -> Option<bool> {
        self(result)
    }
}

impl BreakerLayer {
    /// Opens and closes as `settings` say.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, classify: ServerErrors, shared: None }
    }
}

impl<C> BreakerLayer<C> {
    /// The same, with another view of what a failure is.
    ///
    /// ```
    /// use gateway_core::{breaker::Settings, layers::BreakerLayer};
    ///
    /// // A full queue says nothing of the other side.
    /// let layer = BreakerLayer::new(Settings::default())
    ///     .classify(|result: Result<&String, &std::io::Error>| match result {
    ///         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
    ///         result => Some(result.is_err()),
    ///     });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn classify<D>(self, classify: D) -> BreakerLayer<D> {
        BreakerLayer { settings: self.settings, classify, shared: self.shared }
    }

    /// The same, with one breaker for all services that it makes. Who keeps it can see how it is.
    #[must_use]
    pub fn sharing(mut self, breaker: Arc<Breaker>) -> Self {
        self.shared = Some(breaker);
        self
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let (settings, classify) = (self.settings, self.classify.clone());
        let guarded =
            Guarded { settings, breaker: self.shared.clone().unwrap_or_default(), clock: Clock::start() };
        BreakerService { inner, classify, guarded }
    }
}

/// A service with a circuit breaker around it. See [`BreakerLayer`].
#[derive(Clone, Debug)]
pub struct BreakerService<S, C = ServerErrors> {
    inner: S,
    classify: C,
    guarded: Guarded,
}

#[derive(Clone, Debug)]
struct Guarded {
    settings: Settings,
    breaker: Arc<Breaker>,
    clock: Clock,
}

impl<S, C, R> Service<R> for BreakerService<S, C>
where
    S: Service<R>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = BreakerError<S::Error>;
    type Future = BreakerFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(BreakerError::Inner)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Guarded { settings, breaker, clock } = &self.guarded;
        let way = match breaker.admit(settings, || clock.now()) {
            Err(open) => Way::Refused { open },
            Ok(ticket) => Way::Called {
                future: self.inner.call(request),
                call: Call { guarded: self.guarded.clone(), ticket: Some(ticket), begun: Instant::now() },
                classify: self.classify.clone(),
            },
        };
        BreakerFuture { way }
    }
}

/// A call under way. Dropped before its end it gives its place back.
#[derive(Debug)]
struct Call {
    guarded: Guarded,
    ticket: Option<Ticket>,
    begun: Instant,
}

impl Call {
    fn end(&mut self, failed: Option<bool>) {
        let Guarded { settings, breaker, clock } = &self.guarded;
        if let (Some(failed), Some(ticket)) = (failed, self.ticket) {
            self.ticket = None;
            let verdict = Verdict { failed, slow: settings.is_slow(self.begun.elapsed()) };
            breaker.report(settings, ticket, verdict, clock.now());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.guarded.breaker.abandon(ticket);
        }
    }
}

pin_project! {
    /// The future of a [`BreakerService`].
    #[derive(Debug)]
    pub struct BreakerFuture<F, C> {
        #[pin]
        way: Way<F, C>,
    }
}

pin_project! {
    #[project = WayProjected]
    #[derive(Debug)]
    enum Way<F, C> {
        Refused { open: Open },
        Called { #[pin] future: F, call: Call, classify: C },
    }
}

impl<F, C, R, E> Future for BreakerFuture<F, C>
where
    F: Future<Output = Result<R, E>>,
    C: Classify<R, E>,
{
    type Output = Result<R, BreakerError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProjected::Refused { open } => Poll::Ready(Err(BreakerError::Open(*open))),
            WayProjected::Called { future, call, classify } => {
                let result = ready!(future.poll(cx));
                call.end(classify.failed(result.as_ref()));
                Poll::Ready(result.map_err(BreakerError::Inner))
            }
        }
    }
}

/// Why a [`BreakerService`] has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerError<E> {
    /// The breaker is open: nobody was asked.
    Open(Open),
    /// The service itself failed.
    Inner(E),
}

impl<E> BreakerError<E> {
    /// When to ask again at the earliest, where nobody was asked.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Open(open) => Some(open.after),
            Self::Inner(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(_) => f.write_str("the circuit breaker is open"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for BreakerError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Open(_) => None,
            Self::Inner(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http::{Request, Response};
    use tokio::{sync::Notify, time::sleep};
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::{BreakerError, BreakerLayer};
    use crate::breaker::{Breaker, Settings, State};

    fn settings() -> Settings {
        Settings { consecutive: 2, probes: 1, ..Settings::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_waits_tries_and_closes() {
        let breaker = Arc::new(Breaker::default());
        let layer = BreakerLayer::new(settings()).sharing(Arc::clone(&breaker));
        let client = ServiceBuilder::new().layer(layer).service(service_fn(async |status: u16| {
            let mut response = Response::new(());
            *response.status_mut() = status.try_into().unwrap();
            Ok::<_, std::convert::Infallible>(response)
        }));
        let ask = |status| client.clone().oneshot(status);
        for status in [404, 500, 200, 500, 503] {
            assert_eq!(ask(status).await.unwrap().status(), status);
        }
        assert_eq!(breaker.state(), State::Open);
        assert!(matches!(ask(200).await, Err(BreakerError::Open(_))));
        sleep(Duration::from_millis(5_001)).await;
        assert_eq!(ask(200).await.unwrap().status(), 200);
        assert_eq!(breaker.state(), State::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_gives_its_place_back() {
        let breaker = Arc::new(Breaker::default());
        let layer = BreakerLayer::new(settings()).sharing(Arc::clone(&breaker));
        let never = Arc::new(Notify::new());
        let client = ServiceBuilder::new().layer(layer).service(service_fn(move |request: Request<bool>| {
            let never = Arc::clone(&never);
            async move {
                if request.into_body() {
                    never.notified().await;
                }
                Err::<Response<()>, _>(std::io::Error::other("broken"))
            }
        }));
        let ask = |hangs| client.clone().oneshot(Request::new(hangs));
        for _ in 0..2 {
            assert!(matches!(ask(false).await, Err(BreakerError::Inner(_))));
        }
        sleep(Duration::from_millis(5_001)).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), ask(true)).await.is_err());
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(matches!(ask(false).await, Err(BreakerError::Inner(_))));
        assert_eq!(breaker.state(), State::Open);
    }
}
