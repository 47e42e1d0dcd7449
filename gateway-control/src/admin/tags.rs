//! `/tags`: all entities by tag (compat A16).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use gateway_core::config::Config;
use http::Uri;
use serde_json::{Value, json};

use super::{
    extract::Path,
    kind::KINDS,
    page::{Page, Query},
    reply::{self, Failure},
};
use crate::Control;

pub(super) async fn all(State(control): State<Arc<Control>>, uri: Uri) -> Result<Response, Failure> {
    show(&control.config(), &uri, None)
}

pub(super) async fn one(
    State(control): State<Arc<Control>>,
    Path(tag): Path<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    show(&control.config(), &uri, Some(&tag))
}

fn show(config: &Config, uri: &Uri, tag: Option<&str>) -> Result<Response, Failure> {
    let mut page = Page::of(&Query::of(uri.query()))?;
    if tag.is_some() {
        page = page.forgetful();
    }
    let from = match &page.offset {
        Some(key) => key.as_u64().ok_or_else(|| Failure::Offset(key.to_string()))?,
        None => 0,
    };
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let mut rows = entries(config).filter(|entry| tag.is_none_or(|tag| entry["tag"] == tag)).skip(from);
    let data: Vec<_> = rows.by_ref().take(page.size).collect();
    let next = rows.next().map(|_| json!(from.saturating_add(page.size)));
    Ok(reply::ok(&page.render(uri.path(), &data, next.as_ref())))
}

/// Every tag of every entity, by kind and id.
fn entries(config: &Config) -> impl Iterator<Item = Value> {
    KINDS.iter().flat_map(|kind| {
        (kind.rows)(config, None).flat_map(move |row| {
            let tags = row.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
            let id = row.get("id").cloned().unwrap_or_default();
            let entry = move |tag| json!({ "tag": tag, "entity_name": kind.collection, "entity_id": id });
            tags.into_iter().map(entry)
        })
    })
}
