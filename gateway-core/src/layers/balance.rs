//! One of several services for each call.

mod members;

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_layer::Layer;
use tower_service::Service;

use members::{Members, UnderWay};

use super::{Classify, ServerErrors};
use crate::health::{Outliers, Recovery};

/// Spreads calls over several services that do the same, the endpoints of another service: of two the one with fewer calls
/// under way, the one whose turn it is and one by lot.
///
/// It is a layer over a `Vec` of services, each with its own address, pool and breaker. It leaves requests and responses
/// alone, and answers by itself only where there is no service at all. Clones of one service share what they know.
/// [`ejecting`](Self::ejecting) has it leave out for a time who fails more often than the others. A call that is dropped
/// before it has ended says nothing.
///
/// ```
/// use gateway_core::layers::BalanceLayer;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let endpoint = |name: &'static str| {
///     service_fn(move |_: ()| async move { Ok::<_, std::io::Error>(http::Response::new(name)) })
/// };
/// let client = ServiceBuilder::new()
///     .layer(BalanceLayer::new())
///     .service(vec![endpoint("one"), endpoint("two")]);
///
/// let mut names = Vec::new();
/// for _ in 0..4 {
///     names.push(client.clone().oneshot(()).await.unwrap().into_body());
/// }
/// // Idle ones take turns.
/// assert_eq!(names, ["one", "two", "one", "two"]);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct BalanceLayer<C = ServerErrors> {
    classify: C,
    ejecting: Option<(Outliers, Recovery)>,
}

impl BalanceLayer {
    /// One that leaves nobody out.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> BalanceLayer<C> {
    /// The same, which leaves out who fails more often than the others, and tries them again as `recovery` says. Its
    /// `panic_threshold` is not looked at: where all are out, all are asked.
    #[must_use]
    pub const fn ejecting(mut self, outliers: Outliers, recovery: Recovery) -> Self {
        self.ejecting = Some((outliers, recovery));
        self
    }

    /// The same, with another view of what a failure is.
    #[must_use]
    pub fn classify<D>(self, classify: D) -> BalanceLayer<D> {
        BalanceLayer { classify, ejecting: self.ejecting }
    }
}

impl<S, C: Clone> Layer<Vec<S>> for BalanceLayer<C> {
    type Service = BalanceService<S, C>;

    fn layer(&self, services: Vec<S>) -> Self::Service {
        let members = Arc::new(Members::new(services.len(), self.ejecting));
        BalanceService { services: services.into(), classify: self.classify.clone(), members }
    }
}

/// A service that is several. See [`BalanceLayer`].
#[derive(Debug)]
pub struct BalanceService<S, C = ServerErrors> {
    services: Arc<[S]>,
    classify: C,
    members: Arc<Members>,
}

impl<S, C: Clone> Clone for BalanceService<S, C> {
    fn clone(&self) -> Self {
        let (services, members) = (Arc::clone(&self.services), Arc::clone(&self.members));
        Self { services, classify: self.classify.clone(), members }
    }
}

impl<S, C> BalanceService<S, C> {
    /// How many of its services are left out now.
    #[must_use]
    pub fn ejected(&self) -> usize {
        self.members.out()
    }
}

impl<S, C, R> Service<R> for BalanceService<S, C>
where
    S: Service<R> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = BalanceError<S::Error>;
    type Future = BalanceFuture<S, R, C>;

    /// Always ready: it waits for the one that is picked, within the call.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let picked = self.members.pick();
        let way = match picked.and_then(|index| Some((index, self.services.get(index)?.clone()))) {
            None => Way::Nowhere,
            Some((index, service)) => Way::Called {
                future: Oneshot::new(service, request),
                under_way: UnderWay::new(&self.members, index),
                classify: self.classify.clone(),
            },
        };
        BalanceFuture { way }
    }
}

pin_project! {
    /// The future of a [`BalanceService`].
    pub struct BalanceFuture<S: Service<R>, R, C> {
        #[pin]
        way: Way<S, R, C>,
    }
}

pin_project! {
    #[project = WayProjected]
    enum Way<S: Service<R>, R, C> {
        Nowhere,
        Called { #[pin] future: Oneshot<S, R>, under_way: UnderWay, classify: C },
    }
}

impl<S: Service<R>, R, C> fmt::Debug for BalanceFuture<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceFuture").finish_non_exhaustive()
    }
}

impl<S, R, C> Future for BalanceFuture<S, R, C>
where
    S: Service<R>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, BalanceError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProjected::Nowhere => Poll::Ready(Err(BalanceError::Empty)),
            WayProjected::Called { future, under_way, classify } => {
                let result = ready!(future.poll(cx));
                if let Some(failed) = classify.failed(result.as_ref()) {
                    under_way.ended(failed);
                }
                Poll::Ready(result.map_err(BalanceError::Inner))
            }
        }
    }
}

/// Why a [`BalanceService`] has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceError<E> {
    /// It was made of no service.
    Empty,
    /// The one that was picked failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for BalanceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no service to ask"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for BalanceError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Empty => None,
            Self::Inner(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests;
