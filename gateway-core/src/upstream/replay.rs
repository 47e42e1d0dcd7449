//! What is kept of a request so that it can be sent once more.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use crate::Body;

/// A copy of a request that may be written twice: its method is idempotent (RFC 9110 9.2.2) and
/// its body is in memory.
pub(crate) struct Replay {
    method: Method,
    uri: Uri,
    /// As a list: it is made for each request and read for few.
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Replay {
    /// The copy, where `request` allows one.
    pub(crate) fn of(request: &Request<Body>) -> Option<Self> {
        if !is_idempotent(request.method()) {
            return None;
        }
        let body = match request.body().as_bytes() {
            Some(bytes) => bytes.clone(),
            None if http_body::Body::is_end_stream(request.body()) => Bytes::new(),
            None => return None,
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let field = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
        Some(Self { method, uri, headers: request.headers().iter().map(field).collect(), body })
    }

    /// The request again.
    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        for (name, value) in &self.headers {
            request.headers_mut().append(name.clone(), value.clone());
        }
        request
    }
}

const fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
