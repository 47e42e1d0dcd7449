//! `/history` and `/rollback`: what was changed, by whom, and the way back. Not Kong's.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{
    extract::Path,
    page::{Page, Query},
    reply::{self, Failure},
    write::{Answer, Asked, problems},
};
use crate::{
    Control, Differences, Refusal,
    control::{Draft, entities},
    store::{Entry, Revision, Store, StoreError},
};

/// Changes, newest first, as many as `size` says, those before the revision `before`.
pub(super) async fn list(State(control): State<Arc<Control>>, uri: Uri) -> Result<Response, Failure> {
    let query = Query::of(uri.query());
    let size = Page::of(&query)?.size;
    let before = query.get("before").map(|text| text.parse().map_err(|_| Failure::Offset(text.to_owned())));
    let before: Option<Revision> = before.transpose()?;
    // One more tells whether there is a next page.
    let mut entries = read(&control, move |store| page(store, before, size + 1)).await?;
    let rest = entries.len().saturating_sub(size);
    entries.drain(..rest);
    let first = entries.first().filter(|_| rest > 0).map(|entry| entry.revision);
    let next = first.map(|first| format!("/history?before={first}&size={size}"));
    let data: Vec<_> = entries.iter().rev().map(line).collect();
    Ok(reply::ok(&json!({ "data": data, "next": next })))
}

/// The last `size` changes, or those before a revision, oldest first. Revisions have no gaps.
fn page(store: &dyn Store, before: Option<Revision>, size: usize) -> Result<Vec<Entry>, StoreError> {
    let newest = store.newest().borrow().get();
    let last = before.map_or(newest, |before| before.get().saturating_sub(1).min(newest));
    let start = last.saturating_sub(u64::try_from(size).unwrap_or(u64::MAX));
    let mut entries = store.since(Revision::new(start), size)?;
    // Where the log does not reach back so far, later ones come.
    entries.retain(|entry| entry.revision.get() <= last);
    Ok(entries)
}

/// One change, and what it did.
pub(super) async fn one(
    State(control): State<Arc<Control>>,
    Path(revision): Path<Revision>,
) -> Result<Response, Failure> {
    let before = Revision::new(revision.get().saturating_sub(1));
    let entries = read(&control, move |store| store.since(before, 1)).await?;
    let entry = entries.first().filter(|entry| entry.revision == revision);
    let entry = entry.ok_or(Failure::NoRevision(revision))?;
    Ok(reply::ok(&with_differences(entry)))
}

/// Makes everything as it was at a revision, in a revision of its own.
pub(super) async fn rollback(
    State(control): State<Arc<Control>>,
    Path(revision): Path<Revision>,
    request: Request,
) -> Result<Response, Failure> {
    let asked = Asked::of(&request)?;
    let then = read(&control, move |store| store.at(revision)).await?;
    let then = then.ok_or_else(|| match control.revision() {
        Some(newest) if revision > newest => Failure::NoRevision(revision),
        _ => Failure::Forgotten(revision),
    })?;
    let back = move |draft: &mut Draft<'_>| {
        let change = draft.config().diff(&then);
        draft.apply(&change).map_err(|found| problems(&found))?;
        Ok(Answer::differences(StatusCode::OK))
    };
    asked.run_whole(control, back).await
}

/// Asks the store on a thread that may wait.
pub(super) async fn read<T: Send + 'static>(
    control: &Control,
    read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    let store = Arc::clone(control.store().ok_or(Failure::NoHistory)?);
    let read = spawn_blocking(move || read(store.as_ref())).await.map_err(|_| Failure::Unexpected)?;
    read.map_err(|error| Failure::from(Refusal::Store(error)))
}

/// Who changed how much, when and how.
fn line(entry: &Entry) -> Value {
    json!({
        "revision": entry.revision,
        "at": entry.at,
        "who": entry.note.who,
        "what": entry.note.what,
        "entities": entities(&entry.change),
    })
}

/// The same with what was changed; no secret is in it.
pub(super) fn with_differences(entry: &Entry) -> Value {
    let mut line = line(entry);
    line["differences"] = json!(Differences::of(&entry.change, &entry.before));
    line
}
