//! What a node of Kong's has and this one has not: `/cache` and `/clustering` (compat M1).

use axum::response::Response;
use http::StatusCode;

use super::reply::{self, Failure};

/// There is no cache of entities: nothing is in it.
pub(super) async fn cached() -> Failure {
    Failure::NotFound
}

/// And whoever asks for it to be emptied has it so.
pub(super) async fn emptied() -> Response {
    reply::empty(StatusCode::NO_CONTENT)
}

/// There are no data planes apart.
pub(super) async fn cluster() -> Response {
    let text =
        "this endpoint is only available when Kong is configured to run as Control Plane for the cluster";
    reply::message(StatusCode::BAD_REQUEST, text)
}
