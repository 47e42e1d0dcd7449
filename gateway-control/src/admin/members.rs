//! Who is in which group: `/consumer_groups/{group}/consumers`, `/consumers/{consumer}/consumer_groups`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    routing::get,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    extract::{Names, Path},
    kind::{Kind, id_of},
    paths::{Paths, endpoint},
    reply::{self, Failure},
    write::{self, Side},
};
use crate::{Control, control::View};

const MEMBERS: &str = "DELETE, GET, HEAD, OPTIONS, POST";
const MEMBER: &str = "DELETE, GET, HEAD, OPTIONS";

/// Adds the paths of both sides.
pub(super) fn routes(paths: Paths) -> Paths {
    let sides = [
        ("/consumer_groups/{first}/consumers", Side::Group),
        ("/consumers/{first}/consumer_groups", Side::Consumer),
    ];
    sides.into_iter().fold(paths, |paths, (path, from)| {
        let paths = group(paths, path.to_owned(), from, MEMBERS);
        group(paths, format!("{path}/{{second}}"), from, MEMBER)
    })
}

/// Who is in which group, seen from one side.
fn group(paths: Paths, path: String, from: Side, allow: &'static str) -> Paths {
    let read = move |State(control): State<Arc<Control>>, Path(names): Path<Names>| async move {
        let one = Some(names.second.as_str()).filter(|name| !name.is_empty());
        let rows = list(&control.view(), from, &names.first, one)?;
        match one.and(rows.first()) {
            Some(row) => Ok(reply::ok(row)),
            None => Ok::<_, Failure>(reply::ok(&json!({ "data": rows, "next": null }))),
        }
    };
    let write = move |State(control): State<Arc<Control>>, request: Request| async move {
        match control.store() {
            Some(_) => write::entity(control, request).await,
            None => Err(Failure::NoStore),
        }
    };
    let methods = if allow == MEMBER { get(read).delete(write) } else { get(read).post(write).delete(write) };
    paths.add(path, endpoint(methods, allow))
}

/// The members of a group, or the groups of a consumer; only `one` of them, where it is given.
fn list(view: &View, from: Side, of: &str, one: Option<&str>) -> Result<Vec<Value>, Failure> {
    let (above, below) = match from {
        Side::Group => ("consumer_groups", "consumers"),
        Side::Consumer => ("consumers", "consumer_groups"),
    };
    let (above, below) = Kind::of(above).zip(Kind::of(below)).ok_or(Failure::NotFound)?;
    let owner = above.find(view, of).ok_or(Failure::NotFound)?;
    let config = view.config();
    let owner = id_of(&owner).and_then(|id| Uuid::parse_str(id).ok()).ok_or(Failure::NotFound)?;
    let ids: Vec<Uuid> = match from {
        Side::Group => {
            let group = config.consumer_groups.get(&owner);
            group.into_iter().flat_map(|group| &group.consumers).map(|member| member.id).collect()
        }
        Side::Consumer => {
            let groups = config.consumer_groups.iter();
            groups
                .filter(|(_, group)| group.consumers.iter().any(|member| member.id == owner))
                .map(|(id, _)| *id)
                .collect()
        }
    };
    let mut rows: Vec<_> = ids.into_iter().filter_map(|id| below.by_id(config, id)).collect();
    if let Some(one) = one {
        let wanted = below.find(view, one).ok_or(Failure::NotFound)?;
        rows.retain(|row| id_of(row) == id_of(&wanted));
        if rows.is_empty() {
            return Err(Failure::NotFound);
        }
    }
    Ok(rows)
}

/// A group as the clients of Kong's Enterprise edition read it: with its members and plugins beside it.
pub(super) fn with_members(view: &View, mut group: Value) -> Result<Value, Failure> {
    let id = id_of(&group).unwrap_or_default().to_owned();
    let members = list(view, Side::Group, &id, None)?;
    let of_group = |row: &Value| row.get("consumer_group").and_then(id_of) == Some(id.as_str());
    let plugins =
        Kind::of("plugins").map(|kind| (kind.rows)(view.config(), None).filter(of_group).collect::<Vec<_>>());
    let alone = group.clone();
    if let Some(fields) = group.as_object_mut() {
        fields.insert("consumers".to_owned(), members.into());
        fields.insert("consumer_group".to_owned(), alone);
        fields.insert("plugins".to_owned(), plugins.unwrap_or_default().into());
    }
    Ok(group)
}
