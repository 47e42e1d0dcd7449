//! `/debug/node/log-level` (compat M1).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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

/// What becomes of the level when a setting has had its time.
#[derive(Clone, Default)]
pub(super) struct Room(Arc<Mutex<Passing>>);

/// Settings that pass.
#[derive(Default)]
struct Passing {
    /// The level that stood before the first of those that are under way.
    before: Option<Level>,
    /// How many settings there were: what an earlier one has begun is no longer its business.
    settings: u64,
}

impl Passing {
    /// Notes a setting over `now`, and gives its number. One that is to stay is what others lead back to.
    fn begin(&mut self, now: Level, passes: bool) -> u64 {
        self.before = passes.then(|| self.before.unwrap_or(now));
        self.settings += 1;
        self.settings
    }

    /// The level to go back to when the setting with this number has had its time: none where another one has come since.
    fn end(&mut self, number: u64) -> Option<Level> {
        self.before.take_if(|_| self.settings == number)
    }
}

pub(super) async fn set(
    State(control): State<Arc<Control>>,
    Path(wanted): Path<String>,
    uri: Uri,
    room: Room,
) -> Result<Response, Failure> {
    let log = Arc::clone(control.log().ok_or(Failure::NotFound)?);
    let Some((_, level)) = WORDS.iter().find(|(word, _)| *word == wanted) else {
        return Ok(reply::message(StatusCode::BAD_REQUEST, &format!("unknown log level: {wanted}")));
    };
    let Some(timeout) = timeout(&uri) else {
        let text = "timeout must be greater than or equal to 0";
        return Ok(reply::message(StatusCode::BAD_REQUEST, text));
    };
    let now = log.level();
    change(log, room, *level, timeout);
    Ok(match now == *level {
        true => reply::message(StatusCode::OK, &format!("log level is already {wanted}")),
        false => reply::message(StatusCode::OK, "log level changed"),
    })
}

fn change(log: Arc<dyn LogLevel>, room: Room, level: Level, after: Duration) {
    let mut passing = room.0.lock().unwrap_or_else(PoisonError::into_inner);
    let number = passing.begin(log.level(), !after.is_zero());
    log.set_level(level);
    drop(passing);
    if !after.is_zero() {
        tokio::spawn(back(log, room, number, level, after));
    }
}

/// Goes back to the level of before, if nobody has set another one since. It ends with the Admin API's runtime.
async fn back(log: Arc<dyn LogLevel>, room: Room, number: u64, set: Level, after: Duration) {
    sleep(after).await;
    let mut passing = room.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(before) = passing.end(number)
        && log.level() == set
    {
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::Passing;

    #[test]
    fn what_passes_leads_back_to_what_stood_before_the_first() {
        let mut passing = Passing::default();
        let first = passing.begin(Level::INFO, true);
        let second = passing.begin(Level::WARN, true);
        assert_eq!(passing.end(first), None, "the second one stands");
        assert_eq!(passing.end(second), Some(Level::INFO));
        let third = passing.begin(Level::INFO, true);
        passing.begin(Level::WARN, false);
        assert_eq!(passing.end(third), None, "the last one stays");
        let fourth = passing.begin(Level::ERROR, true);
        assert_eq!(passing.end(fourth), Some(Level::ERROR));
    }
}
