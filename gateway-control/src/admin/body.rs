//! Bodies of requests, whole and within bounds.

use std::{future::Future, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Multipart, Request},
};
use http::{HeaderMap, header};
use tokio::time::timeout;

use super::reply::Failure;

/// How long a body may take to come.
const DEADLINE: Duration = Duration::from_secs(30);

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
    if inner.is::<http_body_util::LengthLimitError>() { Failure::TooLarge } else { Failure::Incomplete }
}

/// The kind of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
