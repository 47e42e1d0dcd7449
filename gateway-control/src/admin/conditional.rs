//! `If-Match` and `If-None-Match` of what is only read: 304 to those who have it already (RFC 9110 13.1, 13.2).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header};

use super::{
    etag::{Tags, Whole},
    reply::Failure,
};
use crate::Control;

/// Put on an answer that has more in it than its tag is of: nobody can know that they have it already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Composed;

/// Looks at what is asked of the tag of an answer, once the answer is there: conditions of what fails mean nothing.
pub(super) async fn conditional(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let wanted = Tags::in_head(request.headers(), header::IF_MATCH);
    let known = Tags::in_head(request.headers(), header::IF_NONE_MATCH);
    let response = next.run(request).await;
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(tag) = tag.filter(|_| response.status() == StatusCode::OK) else { return response };
    let is_composed = response.extensions().get::<Composed>().is_some();
    match (wanted, known) {
        (Err(field), _) | (_, Err(field)) => Failure::from(field).into_response(),
        (Ok(Some(tags)), _) if !tags.have(tag) => {
            Failure::Precondition("it has changed meanwhile", Whole::of(&control.view())).into_response()
        }
        (_, Ok(Some(tags))) if tags.have_about(tag) && !is_composed => not_modified(response),
        _ => response,
    }
}

fn not_modified(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    // Of what is not there (RFC 9110 15.4.5).
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::empty();
    response
}
