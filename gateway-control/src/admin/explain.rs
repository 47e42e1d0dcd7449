//! `/explain`: why a request goes where it goes. Not Kong's.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, response::Response};
use gateway_core::explain::{Question, Report};
use http::StatusCode;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::reply::{self, Failure};
use crate::Control;

/// Answers the [`Question`] that the body holds from the running configuration. It changes nothing.
pub(super) async fn explain(State(control): State<Arc<Control>>, body: Bytes) -> Result<Response, Failure> {
    let body: Value = serde_json::from_slice(&body).map_err(|_| Failure::Json)?;
    let question: Question = match serde_json::from_value(body) {
        Ok(question) => question,
        Err(error) => return Ok(reply::message(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    // It looks at every route: other requests are answered meanwhile.
    let explained = spawn_blocking(move || control.gateway().explain(&question)).await;
    Ok(match explained {
        Ok(Ok(report)) => reply::ok(&shown(&report)),
        Ok(Err(error)) => reply::message(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
    })
}

fn shown(report: &Report) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}
