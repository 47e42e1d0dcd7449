//! `/debug/node/log-level` (compat M1).

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use http::{StatusCode, Uri};
use tokio::time::sleep;
use tracing::Level;

use super::{
    extract::Path,
    page::Query,
    reply::{self, Failure},
};
use crate::{Control, LogLevel};

/// How long another level lasts, unless the request says so: 0 is until the next one. As in Kong.
const DEFAULT: Duration = Duration::from_secs(60);

/// Kong's words, and ours for them.
const WORDS: [(&str, Level); 8] = [
    ("debug", Level::DEBUG),
    ("info", Level::INFO),
    ("notice", Level::INFO),
    ("warn", Level::WARN),
    ("error", Level::ERROR),
    ("crit", Level::ERROR),
    ("alert", Level::ERROR),
    ("emerg", Level::ERROR),
];

pub(super) async fn show(State(control): State<Arc<Control>>) -> Result<Response, Failure> {
    let level = control.log().ok_or(Failure::NotFound)?.level();
    let text = format!("log level: {}", word(level));
    Ok(reply::message(StatusCode::OK, &text))
}

pub(super) async fn set(
    State(control): State<Arc<Control>>,
    Path(wanted): Path<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    let log = Arc::clone(control.log().ok_or(Failure::NotFound)?);
    let Some((_, level)) = WORDS.iter().find(|(word, _)| *word == wanted) else {
        return Ok(reply::message(StatusCode::BAD_REQUEST, &format!("unknown log level: {wanted}")));
    };
    let Some(timeout) = timeout(&uri) else {
        let text = "timeout must be greater than or equal to 0";
        return Ok(reply::message(StatusCode::BAD_REQUEST, text));
    };
    let before = log.level();
    if before == *level {
        return Ok(reply::message(StatusCode::OK, &format!("log level is already {wanted}")));
    }
    log.set_level(*level);
    if !timeout.is_zero() {
        tokio::spawn(back(log, *level, before, timeout));
    }
    Ok(reply::message(StatusCode::OK, "log level changed"))
}

/// Goes back to the level of before, if nobody has set another one since. It ends with the Admin API's runtime.
async fn back(log: Arc<dyn LogLevel>, set: Level, before: Level, after: Duration) {
    sleep(after).await;
    if log.level() == set {
        log.set_level(before);
    }
}

fn timeout(uri: &Uri) -> Option<Duration> {
    let query = Query::of(uri.query());
    match query.get("timeout").and_then(|text| text.parse::<f64>().ok()) {
        None => Some(DEFAULT),
        Some(seconds) => Duration::try_from_secs_f64(seconds.ceil()).ok(),
    }
}

/// Kong's word for a level; `trace` is none of Kong's.
fn word(level: Level) -> &'static str {
    let known = WORDS.iter().find(|(_, known)| *known == level);
    known.map_or("trace", |(word, _)| word)
}
