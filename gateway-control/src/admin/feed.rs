//! `/changes`: each change as an event, from a revision on, as they come. Not Kong's.
//!
//! No change is left out without a word: where some are missing between what a client has heard of and what the history
//! has, `reset` tells it to read everything anew.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::{self, Stream};
use http::HeaderMap;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use super::{history, page::Query, reply::Failure};
use crate::{
    Control,
    store::{Entry, Revision},
};

/// How many listen at once. Each may make the store read for it.
const LISTENERS: usize = 32;

/// How many changes are read at a time.
const PAGE: usize = 100;

/// How long it waits at most where the store knows of changes that this node does not serve yet.
const SOON: Duration = Duration::from_secs(1);

/// The room for listeners.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }
}

/// One who listens.
struct Listener {
    control: Arc<Control>,
    newest: watch::Receiver<Revision>,
    /// What it has heard of.
    at: Revision,
    waiting: VecDeque<Entry>,
    _room: OwnedSemaphorePermit,
}

/// What a listener hears.
enum Told {
    Change(Box<Entry>),
    /// Changes are missing, or never were: who reads everything now is at this revision or beyond.
    Reset(Revision),
}

/// Server-sent events: `id` is the revision, so that a client that comes again goes on where it was.
pub(super) async fn changes(
    State(control): State<Arc<Control>>,
    request: Request,
    Room(room): Room,
) -> Result<Response, Failure> {
    let store = control.store().ok_or(Failure::NoHistory)?;
    let newest = store.newest();
    let heard = from(&request)?;
    let at = heard.or(control.revision()).unwrap_or_default();
    let room = room.try_acquire_owned().map_err(|_| Failure::Listeners(LISTENERS))?;
    let listener = Listener { newest, at, waiting: VecDeque::new(), _room: room, control };
    Ok(Sse::new(events(listener)).keep_alive(KeepAlive::default()).into_response())
}

/// The revision that a client has heard of: `Last-Event-ID`, or `?since=`.
fn from(request: &Request) -> Result<Option<Revision>, Failure> {
    let last = last_event(request.headers());
    let query = Query::of(request.uri().query());
    let text = last.or_else(|| query.get("since").map(str::to_owned));
    text.map(|text| text.parse().map_err(|_| Failure::Since(text))).transpose()
}

fn last_event(headers: &HeaderMap) -> Option<String> {
    headers.get("last-event-id")?.to_str().ok().map(str::to_owned)
}

fn events(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listener, |mut listener| async move {
        let told = listener.next().await?;
        let (name, revision, data) = match &told {
            Told::Change(entry) => ("change", entry.revision, history::with_differences(entry)),
            Told::Reset(revision) => ("reset", *revision, json!({ "revision": revision })),
        };
        listener.at = revision;
        let event = Event::default().id(revision.to_string()).event(name).data(data.to_string());
        Some((Ok(event), listener))
    })
}

impl Listener {
    /// What comes next; nothing where the store is gone or cannot be read: the client comes again.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Some(Told::Change(Box::new(entry)));
            }
            let newest = *self.newest.borrow_and_update();
            let (at, before) = (self.at, Revision::new(self.at.get().saturating_sub(1)));
            // With the last one that was heard of: it says whether it is of this history at all.
            let read = history::read(&self.control, move |store| store.since(before, PAGE + 1));
            let mut entries = VecDeque::from(read.await.ok()?);
            let follows = follows(at, newest, entries.front());
            entries.retain(|entry| entry.revision > at);
            match (follows, entries.is_empty()) {
                (true, false) => self.waiting = entries,
                (true, true) => self.newest.changed().await.ok()?,
                (false, _) => match self.control.revision().filter(|revision| *revision != at) {
                    Some(revision) => return Some(Told::Reset(revision)),
                    // It has been told: this node only has to catch up.
                    None => timeout(SOON, self.newest.changed()).await.unwrap_or(Ok(())).ok()?,
                },
            }
        }
    }
}

/// Whether nothing is missing between the revision `at` and a history that has `first` of those from `at` on.
fn follows(at: Revision, newest: Revision, first: Option<&Entry>) -> bool {
    match first.map(|entry| entry.revision) {
        Some(first) => first == at || first == at.next(),
        // A history that has begun anew has nothing, and nothing is missing, where it began.
        None => at == newest,
    }
}
