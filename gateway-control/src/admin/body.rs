//! Bodies of requests, whole and within bounds.

use std::{error::Error, future::Future, iter::successors, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Multipart, Request},
};
use gateway_core::Reason;
use http::{HeaderMap, header};
use tokio::time::timeout;

use super::reply::Failure;

/// How long a body may take to come.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// What comes in time.
pub(super) async fn in_time<T>(read: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(DEADLINE, read).await.unwrap_or(Err(Failure::Late))
}

/// One part of a form that came as `multipart/form-data`.
pub(super) struct Part {
    pub(super) name: String,
    /// Whether it says of itself that it is JSON.
    pub(super) is_json: bool,
    pub(super) value: Bytes,
}

/// The whole body, if it has at most `longest` bytes.
pub(super) async fn whole(request: Request, longest: usize) -> Result<Bytes, Failure> {
    to_bytes(request.into_body(), longest).await.map_err(unread)
}

/// The parts of a form, if all of it has at most `longest` bytes.
pub(super) async fn parts(request: Request, longest: usize) -> Result<Vec<Part>, Failure> {
    let (head, body) = request.into_parts();
    let whole = to_bytes(body, longest).await.map_err(unread)?;
    let request = Request::from_parts(head, Body::from(whole));
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| Failure::Incomplete)?;
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|_| Failure::Incomplete)? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_json = field.content_type().is_some_and(|kind| kind.starts_with("application/json"));
        let value = field.bytes().await.map_err(|_| Failure::Incomplete)?;
        parts.push(Part { name, is_json, value });
    }
    Ok(parts)
}

fn unread(error: axum::Error) -> Failure {
    let inner = error.into_inner();
    if inner.is::<http_body_util::LengthLimitError>() {
        return Failure::TooLarge;
    }
    // The listener waits no longer, either: that is 408, too (RFC 9110 15.5.9).
    let late = |error: &gateway_core::Error| error.reason() == Reason::ClientTimeout;
    let mut causes = successors(Some(&*inner as &(dyn Error + 'static)), |&error| error.source());
    match causes.any(|error| error.downcast_ref().is_some_and(late)) {
        true => Failure::Late,
        false => Failure::Incomplete,
    }
}

/// The kind of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use gateway_core::{Error, Reason};

    use super::{Failure, unread};

    #[test]
    fn a_body_that_the_listener_waits_for_no_longer_is_late() {
        let unread = |reason: Reason| unread(axum::Error::new(axum::Error::new(Error::from(reason))));
        assert!(matches!(unread(Reason::ClientTimeout), Failure::Late));
        assert!(matches!(unread(Reason::ClientClosed), Failure::Incomplete));
    }
}
