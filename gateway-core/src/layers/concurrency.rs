//! A limit on calls at a time around any HTTP service.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::time::Clock;
use crate::limit::{Entry, Limiter, Seat, Settings};

/// Lets no more calls through at a time than a limit, which is fixed or finds itself.
///
/// It answers by itself, with [`ConcurrencyError::Full`] or [`ConcurrencyError::TimedOut`], where the queue is full or
/// the wait too long. It leaves requests alone; the body of a response holds the call's seat to its end
/// ([`Seated`]). All services that the layer makes, and their clones, share its limit.
///
/// ```
/// use gateway_core::{Body, layers::{ConcurrencyError, ConcurrencyLayer}, limit::Settings};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut settings = Settings::default();
/// (settings.most, settings.queue) = (1, 0);
/// let client = ServiceBuilder::new().layer(ConcurrencyLayer::new(settings)).service(service_fn(
///     async |_: Request<Body>| Ok::<_, std::io::Error>(Response::new(Body::from("hello"))),
/// ));
///
/// let ask = || client.clone().oneshot(Request::new(Body::empty()));
/// let first = ask().await.unwrap();
/// assert!(matches!(ask().await, Err(ConcurrencyError::Full)));
/// drop(first);
/// assert!(ask().await.is_ok());
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLayer {
    settings: Settings,
    limiter: Arc<Limiter>,
    clock: Clock,
}

impl ConcurrencyLayer {
    /// Limits as `settings` say.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, limiter: Arc::default(), clock: Clock::start() }
    }

    /// Its limiter, to see how many there are.
    #[must_use]
    pub const fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = ConcurrencyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConcurrencyService { inner, layer: self.clone() }
    }
}

/// A service with a limit on calls at a time. See [`ConcurrencyLayer`].
#[derive(Clone, Debug)]
pub struct ConcurrencyService<S> {
    inner: S,
    layer: ConcurrencyLayer,
}

impl<S, B, R> Service<Request<B>> for ConcurrencyService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Seated<R>>;
    type Error = ConcurrencyError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(ConcurrencyError::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ConcurrencyLayer { settings, limiter, clock } = self.layer.clone();
        // The one that is ready is used; its clone may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let entry = limiter.enter(&settings, clock.now());
        Box::pin(async move {
            let seat = match entry {
                Entry::Seated(seat) => seat,
                Entry::Queued(place) => place.wait().await.ok_or(ConcurrencyError::TimedOut)?,
                Entry::Full => return Err(ConcurrencyError::Full),
            };
            let begun = Instant::now();
            let result = inner.call(request).await;
            let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
            let dropped =
                result.as_ref().map_or(true, |response| matches!(response.status().as_u16(), 429 | 503));
            // An error that comes fast says nothing about how much the other side takes.
            if dropped || !failed {
                limiter.sample(begun.elapsed(), dropped, clock.now());
            }
            let response = result.map_err(ConcurrencyError::Inner)?;
            Ok(response.map(|body| Seated { body, seat: Some(seat) }))
        })
    }
}

pin_project! {
    /// A body that holds a seat to its end.
    #[derive(Debug)]
    pub struct Seated<B> {
        #[pin]
        body: B,
        seat: Option<Seat>,
    }
}

impl<B: HttpBody> HttpBody for Seated<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            *this.seat = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a [`ConcurrencyService`] has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConcurrencyError<E> {
    /// The limit is reached, and the queue is full.
    Full,
    /// It waited too long.
    TimedOut,
    /// The service itself failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for ConcurrencyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("too many calls at a time"),
            Self::TimedOut => f.write_str("no place in time"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for ConcurrencyError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Full | Self::TimedOut => None,
            Self::Inner(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use http::{Request, Response};
    use http_body_util::BodyExt;
    use tokio::{task::JoinSet, time::sleep};
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::{ConcurrencyError, ConcurrencyLayer, Settings};
    use crate::Body;

    #[tokio::test(start_paused = true)]
    async fn who_waits_comes_in_as_bodies_end_and_who_waits_too_long_does_not() {
        let settings =
            Settings { most: 2, queue: 3, patience: Duration::from_millis(250), ..Settings::default() };
        let layer = ConcurrencyLayer::new(settings);
        let client =
            ServiceBuilder::new().layer(layer.clone()).service(service_fn(async |_: Request<Body>| {
                Ok::<_, Infallible>(Response::new(Body::from("hello")))
            }));
        let mut clients = JoinSet::new();
        for _ in 0..7 {
            let ask = client.clone().oneshot(Request::new(Body::empty()));
            clients.spawn(async move {
                let response = ask.await.map_err(|error| matches!(error, ConcurrencyError::Full))?;
                // The body is slow to be read, and the seat is held for it.
                sleep(Duration::from_millis(200)).await;
                Ok::<_, bool>(response.into_body().collect().await.unwrap().to_bytes())
            });
        }
        let results = clients.join_all().await;
        let count =
            |wanted: &dyn Fn(&Result<_, bool>) -> bool| results.iter().filter(|it| wanted(it)).count();
        // Two at once, two after 200 ms; one waits for too long, two find no place.
        let counts = (count(&|it| it.is_ok()), count(&|it| *it == Err(false)), count(&|it| *it == Err(true)));
        assert_eq!(counts, (4, 1, 2));
        assert_eq!((layer.limiter().seated(), layer.limiter().queued()), (0, 0));
    }
}
