//! Reading the lists of entities and single ones. Writing is for [`write`]; without a store it is refused (compat A47).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
    routing::get,
};
use gateway_core::config::Config;
use http::{HeaderValue, Method, Uri, header};
use serde_json::Value;
use uuid::Uuid;

use super::{
    conditional::Composed,
    etag::{self, Whole},
    extract::{Names, Path},
    kind::{KINDS, Kind, Parent, count_down, id_of, shown},
    members,
    page::{Page, Query},
    paths::{Paths, endpoint},
    reply::{self, Failure},
    write,
};
use crate::{Control, control::View};

const LIST: &str = "GET, HEAD, OPTIONS, POST";
const ONE: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, PUT";
/// DELETE is answered there, too, but always refused: `Allow` has what is supported (RFC 9110 10.2.1).
const ABOVE: &str = "GET, HEAD, OPTIONS, PATCH, PUT";

/// Adds the paths of all kinds.
pub(super) fn routes(mut paths: Paths) -> Paths {
    for kind in &KINDS {
        if let Some(path) = kind.path {
            paths = list(paths, format!("/{path}"), List { kind, parent: None });
            paths = one(paths, format!("/{path}/{{first}}"), List { kind, parent: None });
        }
        for parent in kind.parents {
            let Some(above) = Kind::of(parent.collection).and_then(|above| above.path) else { continue };
            let path = format!("/{above}/{{first}}/{}", parent.segment);
            let below = List { kind, parent: Some(parent) };
            paths = list(paths, path.clone(), below);
            paths = one(paths, format!("{path}/{{second}}"), below);
            // `/routes/{route}/service`: up again, where it is not a credential's consumer.
            if let Some(path) = kind.path {
                paths = up(paths, format!("/{path}/{{first}}/{}", parent.field), kind, parent);
            }
        }
    }
    paths
}

/// A list of entities, of all or of those of one parent.
#[derive(Clone, Copy)]
struct List {
    kind: &'static Kind,
    parent: Option<&'static Parent>,
}

fn list(paths: Paths, path: String, list: List) -> Paths {
    let read = move |State(control): State<Arc<Control>>, Path(names): Path<Names>, uri: Uri| async move {
        list.page(&control, &names, &uri)
    };
    let write = move |State(control): State<Arc<Control>>, request: Request| async move {
        match control.store() {
            Some(_) => write::entity(control, request).await,
            None => Err(list.refuse(&Method::POST, None)),
        }
    };
    paths.add(path, endpoint(get(read).post(write), LIST))
}

fn one(paths: Paths, path: String, list: List) -> Paths {
    let read = move |State(control): State<Arc<Control>>, Path(names): Path<Names>| async move {
        list.one(&control, &names)
    };
    let write = move |State(control): State<Arc<Control>>, Path(names): Path<Names>, request: Request| async move {
        match control.store() {
            Some(_) => write::entity(control, request).await,
            None => Err(list.refuse(request.method(), Some(list.key(&names)))),
        }
    };
    paths.add(path, endpoint(get(read).patch(write).put(write).delete(write), ONE))
}

fn up(paths: Paths, path: String, kind: &'static Kind, parent: &'static Parent) -> Paths {
    let above = Kind::of(parent.collection);
    let read = move |State(control): State<Arc<Control>>, Path(names): Path<Names>| async move {
        let view = control.view();
        let child = kind.find(&view, &names.first);
        let id = child.as_ref().and_then(|child| child.get(parent.field)).and_then(id_of);
        let found = above.zip(id).and_then(|(above, id)| Some((above, above.find(&view, id)?)));
        let (above, row) = found.ok_or(Failure::NotFound)?;
        let row = List { kind: above, parent: None }.shown(&control, view.config(), row);
        Ok::<_, Failure>(one_reply(&control, &row, &row))
    };
    let write = move |State(control): State<Arc<Control>>, request: Request| async move {
        match (control.store(), above) {
            (Some(_), _) => write::entity(control, request).await,
            (None, Some(kind)) => Err(List { kind, parent: None }.refuse(request.method(), None)),
            (None, None) => Err(Failure::NotFound),
        }
    };
    paths.add(path, endpoint(get(read).patch(write).put(write).delete(write), ABOVE))
}

/// One entity as `body` shows it; where it can be changed, with the tag that a change may ask for.
fn one_reply(control: &Control, row: &Value, body: &Value) -> Response {
    let mut response = reply::ok(body);
    let tag = control.store().and_then(|_| HeaderValue::try_from(etag::of_entity(row)).ok());
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

impl List {
    fn page(&self, control: &Control, names: &Names, uri: &Uri) -> Result<Response, Failure> {
        let view = control.view();
        let config = view.config();
        let owner = self.owner(&view, names)?;
        let query = Query::of(uri.query());
        let mut page = Page::of(&query)?;
        if self.parent.is_some() {
            page = page.forgetful();
        }
        let from = match &page.offset {
            Some(key) => {
                let id = key.as_str().and_then(|id| Uuid::parse_str(id).ok());
                Some(id.ok_or_else(|| Failure::Offset(key.to_string()))?)
            }
            None => None,
        };
        let rows = match self.parent.zip(owner) {
            Some((parent, owner)) => self.kind.rows_below(&view, parent, owner, from),
            None => (self.kind.rows)(config, from),
        };
        // Kong finds one consumer by the id that it has elsewhere, too.
        let custom = query.get("custom_id").filter(|_| self.kind.collection == "consumers");
        let rows =
            rows.filter(|row| custom.is_none_or(|id| row.get("custom_id").is_some_and(|own| own == id)));
        let rows = rows.map(|row| self.shown(control, config, row));
        let key = |row: &Value| row.get("id").cloned().unwrap_or_default();
        let rows = rows.map(|mut row| {
            count_down(self.kind.collection, &mut row);
            row
        });
        let mut response = reply::ok(&page.cut(uri.path(), rows, key));
        reply::stamp_whole(&mut response, Whole::of(&view));
        Ok(response)
    }

    fn one(&self, control: &Control, names: &Names) -> Result<Response, Failure> {
        let view = control.view();
        let owner = self.owner(&view, names)?;
        let belongs = |row: &Value| self.belongs(row, owner);
        let row = self.kind.find_among(&view, self.key(names), belongs).ok_or(Failure::NotFound)?;
        let row = self.shown(control, view.config(), row);
        match self.kind.collection {
            "consumer_groups" => {
                let mut response = one_reply(control, &row, &members::with_members(&view, row.clone())?);
                response.extensions_mut().insert(Composed);
                Ok(response)
            }
            collection => {
                let mut body = row.clone();
                count_down(collection, &mut body);
                Ok(one_reply(control, &row, &body))
            }
        }
    }

    fn shown(&self, control: &Control, config: &Config, row: Value) -> Value {
        shown(config, self.kind.collection, control.gateway().settings().router_flavor, row)
    }

    /// What the path names the entity by.
    fn key<'n>(&self, names: &'n Names) -> &'n str {
        if self.parent.is_some() { &names.second } else { &names.first }
    }

    /// The id of the parent that the path names; none where it names none.
    fn owner(&self, view: &View, names: &Names) -> Result<Option<Uuid>, Failure> {
        let Some(parent) = self.parent else { return Ok(None) };
        let above = Kind::of(parent.collection).ok_or(Failure::NotFound)?;
        let owner = above.find(view, &names.first);
        let id = owner.as_ref().and_then(id_of).and_then(|id| Uuid::parse_str(id).ok());
        id.map(Some).ok_or(Failure::NotFound)
    }

    fn belongs(&self, row: &Value, owner: Option<Uuid>) -> bool {
        let Some((parent, owner)) = self.parent.zip(owner) else { return true };
        row.get(parent.field).and_then(id_of).and_then(|id| Uuid::parse_str(id).ok()) == Some(owner)
    }

    /// Kong's words for a write without a database (compat A47).
    fn refuse(&self, method: &Method, key: Option<&str>) -> Failure {
        let verb = match *method {
            Method::PATCH => "update",
            Method::PUT => "create or update",
            Method::DELETE => "remove",
            _ => "create",
        };
        let collection = self.kind.collection;
        let by_name = key.is_some_and(|key| Uuid::parse_str(key).is_err());
        let by = match self.kind.key.filter(|_| by_name) {
            Some(key) => format!(" by '{key}'"),
            None => String::new(),
        };
        Failure::Write(format!("cannot {verb} '{collection}' entities{by} when not using a database"))
    }
}
