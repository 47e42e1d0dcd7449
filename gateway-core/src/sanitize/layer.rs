//! Both edges as Tower layers, for stacks that are not the [`Gateway`](crate)'s own.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Canonical, Rules, Trailers, complete_refusal, guard_response, sanitize};
use crate::{
    Body,
    error::{BoxError, Error, Reason},
};

/// The request edge.
///
/// It adds a canonical head and, in the request's extensions, the [`Canonical`] it found. It answers by
/// itself what [`check_head`](super::check_head) refuses: in plain text, unless
/// [`SanitizeLayer::answer`] says otherwise. It leaves bodies and responses alone, and sets no
/// forwarding headers ([`set_forwarded`](super::set_forwarded)).
///
/// ```
/// use gateway_core::{Body, sanitize::{Rules, SanitizeLayer}};
/// use tower::{ServiceBuilder, service_fn};
///
/// let service = ServiceBuilder::new().layer(SanitizeLayer::new(Rules::default())).service(service_fn(
///     async |request: http::Request<Body>| Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(request.uri().to_string()))),
/// ));
/// # let _ = service;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SanitizeLayer {
    rules: Rules,
    answer: fn(Reason) -> Response<Body>,
}

impl SanitizeLayer {
    /// A layer with these rules that refuses in plain text.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, answer: plain_answer }
    }

    /// The same layer with refusals of your own. The fields that a status demands are added to them
    /// ([`complete_refusal`]).
    #[must_use]
    pub fn answer(mut self, answer: fn(Reason) -> Response<Body>) -> Self {
        self.answer = answer;
        self
    }
}

impl<S> Layer<S> for SanitizeLayer {
    type Service = Sanitize<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Sanitize { inner, layer: *self }
    }
}

/// The service of [`SanitizeLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Sanitize<S> {
    inner: S,
    layer: SanitizeLayer,
}

impl<S, B> Service<Request<B>> for Sanitize<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = SanitizeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        match sanitize(&mut parts, &self.layer.rules) {
            Ok(canonical) => {
                parts.extensions.insert(canonical);
                let inner = self.inner.call(Request::from_parts(parts, body));
                SanitizeFuture { inner: Some(inner), refusal: None }
            }
            Err(reason) => {
                let mut response = (self.layer.answer)(reason);
                complete_refusal(reason, response.headers_mut());
                SanitizeFuture { inner: None, refusal: Some(response) }
            }
        }
    }
}

fn plain_answer(reason: Reason) -> Response<Body> {
    let mut response = Response::new(Body::from(reason.message()));
    *response.status_mut() = reason.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

pin_project! {
    /// The answer of [`Sanitize`].
    pub struct SanitizeFuture<F> {
        // The inner service's, unless the request was refused.
        #[pin]
        inner: Option<F>,
        refusal: Option<Response<Body>>,
    }
}

impl<F, E> Future for SanitizeFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(inner) = this.inner.as_pin_mut() {
            return inner.poll(cx);
        }
        this.refusal.take().map_or(Poll::Pending, |refusal| Poll::Ready(Ok(refusal)))
    }
}

/// The upstream edge, around a service that speaks to an upstream.
///
/// It adds nothing. A response that [`guard_response`] refuses becomes an [`Error`] with
/// [`Reason::BadResponse`]; of any other it takes off what ends at this hop. It reads the [`Canonical`] in
/// the request's extensions, where there is one, for the handshake asked and for whether trailers go
/// on; without one every 101 is refused. It leaves the request and all bodies alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpstreamGuardLayer;

impl<S> Layer<S> for UpstreamGuardLayer {
    type Service = UpstreamGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        UpstreamGuard { inner }
    }
}

/// The service of [`UpstreamGuardLayer`].
#[derive(Clone, Copy, Debug)]
pub struct UpstreamGuard<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for UpstreamGuard<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = UpstreamGuardFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = request.extensions().get::<Canonical>().cloned();
        UpstreamGuardFuture { inner: self.inner.call(request), asked }
    }
}

pin_project! {
    /// The answer of [`UpstreamGuard`].
    pub struct UpstreamGuardFuture<F> {
        #[pin]
        inner: F,
        asked: Option<Canonical>,
    }
}

impl<F, R, E> Future for UpstreamGuardFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut parts, body) = ready!(this.inner.poll(cx)).map_err(Into::into)?.into_parts();
        let upgrade = this.asked.as_ref().and_then(|asked| asked.upgrade.as_ref());
        let trailers = this.asked.as_ref().map_or(Trailers::Drop, |asked| asked.trailers);
        guard_response(&mut parts, upgrade, trailers).map_err(Error::from)?;
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}
