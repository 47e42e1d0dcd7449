//! A request, shown to whoever sent it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use plugin_sdk::prelude::*;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

/// What the answer shows of a request, as JSON.
pub(crate) fn of(request: &Request, body: &[u8], message: Option<&str>) -> String {
    let authority = request.authority();
    let (host, port) = authority.rsplit_once(':').unwrap_or((&authority, ""));
    let port = port.parse().unwrap_or(if request.scheme() == "https" { 443 } else { 80 });
    let shown = Shown {
        scheme: &request.scheme(),
        host,
        port,
        method: &request.method(),
        path: &request.path(),
        headers: grouped(request.headers().into_iter().map(|(name, value)| (name, value.into()))),
        query: grouped(arguments(request.query().as_bytes())),
        body: parsed(request, body),
        raw_body: String::from_utf8_lossy(body),
    };
    let [matched_route, matched_service] = ["route", "service"].map(|kind| entity(request, kind));
    let echo = Echo { message, request: shown, matched_route, matched_service };
    // Texts, numbers and JSON that has been read: all of it can be written.
    serde_json::to_string(&echo).unwrap_or_default()
}

#[derive(Serialize)]
struct Echo<'r> {
    message: Option<&'r str>,
    request: Shown<'r>,
    matched_route: Value,
    matched_service: Value,
}

#[derive(Serialize)]
struct Shown<'r> {
    scheme: &'r str,
    host: &'r str,
    port: u16,
    method: &'r str,
    path: &'r str,
    headers: Value,
    query: Value,
    body: Body<'r>,
    raw_body: Cow<'r, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'r> {
    /// As it stands: as a tree it could be a hundred times as large.
    Json(&'r RawValue),
    Form(Value),
}

/// The body, where its type can be read.
fn parsed<'r>(request: &Request, body: &'r [u8]) -> Body<'r> {
    let kind = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/json") {
        return Body::Json(serde_json::from_slice(body).unwrap_or(RawValue::NULL));
    }
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    Body::Form(if is_form { grouped(arguments(body)) } else { Value::Null })
}

/// An argument without a value is `true`, as in Kong.
fn arguments(text: &[u8]) -> impl Iterator<Item = (String, Value)> {
    let arguments: Vec<_> = Query::parse(text).iter().collect();
    arguments.into_iter().map(|(name, value)| (name, value.map_or(Value::Bool(true), Value::String)))
}

/// Several values of a name are a list.
fn grouped(pairs: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in pairs {
        match all.entry(name) {
            Entry::Occupied(mut values) => values.get_mut().push(value),
            // A list of its own takes room for four.
            Entry::Vacant(none) => drop(none.insert(vec![value])),
        }
    }
    let one = |mut values: Vec<Value>| if values.len() == 1 { values.remove(0) } else { values.into() };
    all.into_iter().map(|(name, values)| (name, one(values))).collect::<serde_json::Map<_, _>>().into()
}

fn entity(request: &Request, kind: &str) -> Value {
    let text = |field| request.property(&[kind, field]).and_then(|bytes| String::from_utf8(bytes).ok());
    text("id").map_or(Value::Null, |id| json!({ "id": id, "name": text("name") }))
}
