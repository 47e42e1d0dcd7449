//! Retries around any HTTP client.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, request::Parts};
use tokio::time::{Instant, sleep, timeout_at};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::{Replay, time::Clock};
use crate::retry::{Budget, Settings, Share};

/// Sends requests again that failed, within a budget.
///
/// It answers by itself, with [`RetryError::TimedOut`], where a limit of time is over. It leaves requests and responses
/// alone. What is tried again [`Settings`] say: statuses of their list, and errors where the request was not sent
/// or its method may be repeated; `on` is not looked at, as a client's error says little, and a missing `retries` is taken as 2. A body that cannot be sent again ([`Replay`]) is sent once. All services that the layer makes, and
/// their clones, share its budget.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use gateway_core::{Body, layers::RetryLayer, retry::{Settings, Share}};
/// use http::{Request, Response, StatusCode};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// static ASKED: AtomicU32 = AtomicU32::new(0);
/// // Any client, here one whose upstream is well again at the third request.
/// let client = service_fn(async |_: Request<Body>| {
///     let mut response = Response::new(Body::empty());
///     if ASKED.fetch_add(1, Relaxed) < 2 {
///         *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///     }
///     Ok::<_, std::io::Error>(response)
/// });
/// let layer = RetryLayer::new(Settings::default(), Share::default());
/// let client = ServiceBuilder::new().layer(layer).service(client);
///
/// let response = client.oneshot(Request::new(Body::empty())).await.unwrap();
/// assert_eq!((response.status(), ASKED.load(Relaxed)), (StatusCode::OK, 3));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct RetryLayer<J = AnyError> {
    shared: Arc<Shared>,
    judge: J,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    share: Share,
    /// Behind a lock, held for a few instructions and never over a wait.
    budget: Mutex<Budget>,
    clock: Clock,
}

/// What an error says of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Nothing of it was sent: any request may be repeated.
    Unsent,
    /// It may have been acted on: only some methods may be repeated.
    Unknown,
    /// It is not to be repeated, whatever its method: a breaker is open, the client's own body broke.
    Final,
}

/// Says what an error says of the request.
pub trait Judge<E> {
    /// What `error` says.
    fn judge(&self, error: &E) -> Failed;
}

/// Of no error is it known whether the request was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyError;

impl<E> Judge<E> for AnyError {
    fn judge(&self, _: &E) -> Failed {
        Failed::Unknown
    }
}

impl<F: Fn(&E) -> Failed, E> Judge<E> for F {
    fn judge(&self, error: &E) -> Failed {
        self(error)
    }
}

/// Further tries where the settings do not say how many.
const RETRIES: u32 = 2;

impl RetryLayer {
    /// Tries again as `settings` say, within `share`.
    #[must_use]
    pub fn new(settings: Settings, share: Share) -> Self {
        let shared = Shared { settings, share, budget: Mutex::default(), clock: Clock::start() };
        Self { shared: Arc::new(shared), judge: AnyError }
    }
}

impl<J> RetryLayer<J> {
    /// The same, with a view of what errors say.
    ///
    /// ```
    /// use gateway_core::{layers::{BreakerError, Failed, RetryLayer}, retry::{Settings, Share}};
    ///
    /// let layer = RetryLayer::new(Settings::default(), Share::default())
    ///     .judge(|error: &BreakerError<std::io::Error>| match error {
    ///         BreakerError::Open(_) => Failed::Final,
    ///         BreakerError::Inner(_) => Failed::Unknown,
    ///     });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn judge<K>(self, judge: K) -> RetryLayer<K> {
        RetryLayer { shared: self.shared, judge }
    }
}

impl<S, J: Clone> Layer<S> for RetryLayer<J> {
    type Service = RetryService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService { inner, shared: Arc::clone(&self.shared), judge: self.judge.clone() }
    }
}

/// A service that sends requests again. See [`RetryLayer`].
#[derive(Clone, Debug)]
pub struct RetryService<S, J = AnyError> {
    inner: S,
    shared: Arc<Shared>,
    judge: J,
}

impl<S, J, B, R> Service<Request<B>> for RetryService<S, J>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    J: Judge<S::Error> + Clone + Send + Sync + 'static,
    B: Replay + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = RetryError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(RetryError::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is used; its clone may not be.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let (parts, body) = request.into_parts();
        let tries = Tries { inner, shared: Arc::clone(&self.shared), judge: self.judge.clone(), parts };
        Box::pin(tries.run(body))
    }
}

/// The tries of one request.
struct Tries<S, J> {
    inner: S,
    shared: Arc<Shared>,
    judge: J,
    parts: Parts,
}

impl<S, J> Tries<S, J> {
    async fn run<B, R>(mut self, body: B) -> Result<Response<R>, RetryError<S::Error>>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        J: Judge<S::Error>,
        B: Replay,
    {
        let shared = Arc::clone(&self.shared);
        let Settings { per_try, retries, ref deadline_header, .. } = shared.settings;
        let total = shared.settings.limit(&self.parts.headers);
        let due = total.and_then(|total| Instant::now().checked_add(total));
        self.shared.with(Budget::deposit);
        let mut next = Some(body);
        for number in 1.. {
            let Some(body) = next.take() else { break };
            next = body.replay();
            let mut request = Request::from_parts(self.parts.clone(), body);
            let own = per_try.and_then(|limit| Instant::now().checked_add(limit));
            let until = own.into_iter().chain(due).min();
            if let (Some(header), Some(until)) = (deadline_header, until) {
                header.write(request.headers_mut(), until.saturating_duration_since(Instant::now()));
            }
            let result = within(until, self.inner.call(request)).await;
            let wait = self.wait_after(&result, number).filter(|_| next.is_some());
            let wait = wait.filter(|_| number <= retries.unwrap_or(RETRIES));
            let in_time = |wait: &Duration| due.is_none_or(|due| Instant::now() + *wait < due);
            let Some(wait) = wait.filter(in_time) else { return result };
            if !self.shared.with(Budget::withdraw) {
                return result;
            }
            drop(result);
            sleep(wait).await;
            within(due, self.inner.ready()).await?;
        }
        Err(RetryError::TimedOut)
    }

    /// How long to wait before the next try; none where there is none.
    fn wait_after<R, E>(&self, result: &Result<Response<R>, RetryError<E>>, number: u32) -> Option<Duration>
    where
        J: Judge<E>,
    {
        let settings = &self.shared.settings;
        let repeatable = settings.may_repeat(&self.parts.method);
        let failed = match result {
            Ok(response) if repeatable || settings.names_grpc(response.headers()) => {
                return settings.wait_after(response.status(), response.headers(), number, fastrand::u64(..));
            }
            Ok(_) => Failed::Final,
            Err(RetryError::TimedOut) => Failed::Unknown,
            Err(RetryError::Inner(error)) => self.judge.judge(error),
        };
        let again = failed == Failed::Unsent || (failed == Failed::Unknown && repeatable);
        again.then(|| settings.backoff.wait(number, fastrand::u64(..)))
    }
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Budget, &Share, u64) -> T) -> T {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut budget, &self.share, self.clock.now())
    }
}

/// What `future` gives, unless that takes longer than `until`.
async fn within<T, E>(
    until: Option<Instant>,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, RetryError<E>> {
    match until {
        None => future.await.map_err(RetryError::Inner),
        Some(until) => match timeout_at(until, future).await {
            Ok(result) => result.map_err(RetryError::Inner),
            Err(_) => Err(RetryError::TimedOut),
        },
    }
}

/// Why a [`RetryService`] has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryError<E> {
    /// A limit of time is over.
    TimedOut,
    /// The last try failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for RetryError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::TimedOut => None,
            Self::Inner(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
        time::Duration,
    };

    use bytes::Bytes;
    use http::{Method, Request, Response};
    use http_body_util::StreamBody;
    use tokio::time::{Instant, sleep};
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::{Failed, RetryError, RetryLayer};
    use crate::{
        Body,
        retry::{DeadlineHeader, Settings, Share},
    };

    const PLENTY: Share = Share { percent: 1_000, per_second: 1_000 };

    fn request(method: Method, body: impl Into<Body>) -> Request<Body> {
        Request::builder().method(method).body(body.into()).unwrap()
    }

    /// How often a service that always fails is asked, and with what error it ends.
    async fn asked(
        layer: RetryLayer<impl super::Judge<io::Error> + Clone + Send + Sync + 'static>,
        request: Request<Body>,
        kind: io::ErrorKind,
    ) -> (u32, RetryError<io::ErrorKind>) {
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        let client = ServiceBuilder::new().layer(layer).service(service_fn(move |_: Request<Body>| {
            counter.fetch_add(1, Relaxed);
            async move {
                if kind == io::ErrorKind::TimedOut {
                    sleep(Duration::from_secs(3_600)).await;
                }
                Err::<Response<Body>, _>(io::Error::from(kind))
            }
        }));
        let error = match client.oneshot(request).await.unwrap_err() {
            RetryError::TimedOut => RetryError::TimedOut,
            RetryError::Inner(error) => RetryError::Inner(error.kind()),
        };
        (count.load(Relaxed), error)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_be_repeated_is() {
        let reset = io::ErrorKind::ConnectionReset;
        let layer = || RetryLayer::new(Settings::default(), PLENTY);
        let ended = RetryError::Inner(reset);
        assert_eq!(asked(layer(), request(Method::GET, ""), reset).await, (3, ended));
        assert_eq!(asked(layer(), request(Method::PUT, "hello"), reset).await, (3, ended));
        assert_eq!(asked(layer(), request(Method::POST, "hello"), reset).await, (1, ended));
        let stream = Body::new(StreamBody::new(futures_util::stream::pending::<
            Result<http_body::Frame<Bytes>, io::Error>,
        >()));
        assert_eq!(asked(layer(), request(Method::PUT, stream), reset).await, (1, ended));
        let unsent = |_: &io::Error| Failed::Unsent;
        assert_eq!(asked(layer().judge(unsent), request(Method::POST, "hello"), reset).await, (3, ended));
        let last = |_: &io::Error| Failed::Final;
        assert_eq!(asked(layer().judge(last), request(Method::GET, ""), reset).await, (1, ended));
    }

    #[tokio::test(start_paused = true)]
    async fn each_try_is_told_what_is_left_for_it() {
        let name = http::HeaderName::from_static("x-timeout-ms");
        let settings = Settings {
            per_try: Some(Duration::from_secs(1)),
            total: Some(Duration::from_secs(60)),
            retries: Some(9),
            deadline_header: Some(DeadlineHeader::new(name.clone())),
            ..Settings::default()
        };
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (seen, field) = (Arc::clone(&told), name.clone());
        let hung = service_fn(move |request: Request<Body>| {
            seen.lock().unwrap().push(request.headers()[&field].to_str().unwrap().parse::<u64>().unwrap());
            std::future::pending::<Result<Response<Body>, io::Error>>()
        });
        let client = ServiceBuilder::new().layer(RetryLayer::new(settings, PLENTY)).service(hung);
        let mut request = request(Method::GET, "");
        request.headers_mut().insert(name, "2500".parse().unwrap());
        assert!(matches!(client.oneshot(request).await, Err(RetryError::TimedOut)));
        let told = told.lock().unwrap();
        assert_eq!((told.len(), told[0], told[1]), (3, 1_000, 1_000));
        assert!(told[2] <= 500);
    }

    #[tokio::test(start_paused = true)]
    async fn limits_of_time_hold() {
        let settings = Settings {
            per_try: Some(Duration::from_secs(1)),
            total: Some(Duration::from_millis(2_500)),
            retries: Some(9),
            ..Settings::default()
        };
        let begun = Instant::now();
        let hung =
            asked(RetryLayer::new(settings, PLENTY), request(Method::GET, ""), io::ErrorKind::TimedOut);
        assert_eq!(hung.await, (3, RetryError::TimedOut));
        assert_eq!(begun.elapsed(), Duration::from_millis(2_500));
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_shared_by_all_that_the_layer_makes() {
        let layer = RetryLayer::new(Settings::default(), Share { percent: 20, per_second: 0 });
        let mut all = 0;
        for _ in 0..100 {
            all += asked(layer.clone(), request(Method::GET, ""), io::ErrorKind::Other).await.0;
        }
        assert_eq!(all, 120);
    }
}
