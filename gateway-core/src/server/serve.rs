//! What a server serves.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower::util::{Oneshot, ServiceExt};
use tower_service::Service;

use crate::{Body, ConnectInfo, Reason};

/// Answers the requests of connections. Each connection gets a clone, so a clone should be cheap.
///
/// A closure is one too:
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{Body, ConnectInfo, server::Serve};
/// use http::{Request, Response};
///
/// fn greeter() -> impl Serve {
///     |connection: &Arc<ConnectInfo>, _request: Request<Body>| {
///         let text = format!("hello {}", connection.peer());
///         async move { Response::new(Body::from(text)) }
///     }
/// }
/// # let _ = greeter();
/// ```
pub trait Serve: Clone + Send + Sync + 'static {
    /// The answer on its way. It is dropped when the client goes away before it is ready.
    type Future: Future<Output = Response<Body>> + Send + 'static;

    /// Answers one request.
    ///
    /// The body ends in an [`Error`](crate::Error) with [`Reason::ClientTimeout`] when the client is too
    /// slow while it is being waited for; the right answer is then 408.
    ///
    /// An upgrade is taken with [`hyper::upgrade::on`] from `request`; the connection then counts, and
    /// holds its place, until the upgraded stream is dropped.
    fn serve(&self, connection: &Arc<ConnectInfo>, request: Request<Body>) -> Self::Future;

    /// The answer to a request whose service panicked before it had one. Default: 500 with a short text.
    #[must_use]
    fn panicked() -> Response<Body> {
        let mut response = Response::new(Body::from(Reason::Internal.message()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }
}

impl<F, A> Serve for F
where
    F: Fn(&Arc<ConnectInfo>, Request<Body>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    type Future = A;

    fn serve(&self, connection: &Arc<ConnectInfo>, request: Request<Body>) -> A {
        self(connection, request)
    }
}

/// Serves a Tower service. It finds the `Arc<ConnectInfo>` in the extensions of each request.
#[derive(Clone, Debug)]
pub struct TowerServe<T>(pub T);

impl<T> Serve for TowerServe<T>
where
    T: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    T::Future: Send,
{
    type Future = TowerFuture<T>;

    fn serve(&self, connection: &Arc<ConnectInfo>, mut request: Request<Body>) -> TowerFuture<T> {
        request.extensions_mut().insert(Arc::clone(connection));
        TowerFuture { oneshot: self.0.clone().oneshot(request) }
    }
}

pin_project! {
    /// The future of [`TowerServe`]: waits until the service is ready, then for its answer.
    pub struct TowerFuture<T>
    where
        T: Service<Request<Body>>,
    {
        #[pin]
        oneshot: Oneshot<T, Request<Body>>,
    }
}

impl<T> Future for TowerFuture<T>
where
    T: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Output = Response<Body>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        self.project().oneshot.poll(cx).map(|result| {
            let Ok(response) = result;
            response
        })
    }
}
