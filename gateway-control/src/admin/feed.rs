//! `/changes`: each change as an event, from a revision on, as they come. Not Kong's.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::{
    extract::{Request, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::{self, Stream};
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{history, page::Query, reply::Failure};
use crate::{
    Control,
    store::{Entry, Revision},
};

/// How many listen at once. Each may make the store read for it.
const LISTENERS: usize = 32;

/// How many changes are read at a time.
const PAGE: usize = 100;

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

/// Server-sent events: `id` is the revision, so that a client that comes again goes on where it was.
pub(super) async fn changes(
    State(control): State<Arc<Control>>,
    request: Request,
    Room(room): Room,
) -> Result<Response, Failure> {
    let store = control.store().ok_or(Failure::NoStore)?;
    let newest = store.newest();
    let heard = from(&request)?;
    let at = heard.or(control.revision()).unwrap_or_default();
    let room = room.try_acquire_owned().map_err(|_| Failure::Busy)?;
    let listener = Listener { newest, at, waiting: VecDeque::new(), _room: room, control };
    Ok(Sse::new(events(listener)).keep_alive(KeepAlive::default()).into_response())
}

/// The revision that a client has heard of: `Last-Event-ID`, or `?since=`.
fn from(request: &Request) -> Result<Option<Revision>, Failure> {
    let last = last_event(request.headers());
    let query = Query::of(request.uri().query());
    let text = last.or_else(|| query.get("since").map(str::to_owned));
    text.map(|text| text.parse().map_err(|_| Failure::Offset(text))).transpose()
}

fn last_event(headers: &HeaderMap) -> Option<String> {
    headers.get("last-event-id")?.to_str().ok().map(str::to_owned)
}

fn events(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listener, |mut listener| async move {
        let entry = listener.next().await?;
        listener.at = entry.revision;
        let data = history::with_differences(&entry);
        let event = Event::default().id(entry.revision.to_string()).event("change").data(data.to_string());
        Some((Ok(event), listener))
    })
}

impl Listener {
    /// The next change; nothing where the store is gone or cannot be read: the client comes again.
    async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Some(entry);
            }
            self.newest.borrow_and_update();
            let at = self.at;
            self.waiting =
                history::read(&self.control, move |store| store.since(at, PAGE)).await.ok()?.into();
            if self.waiting.is_empty() {
                self.newest.changed().await.ok()?;
            }
        }
    }
}
