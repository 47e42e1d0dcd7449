//! A request, shown to whoever sent it.

use std::collections::BTreeMap;

use plugin_sdk::{
    prelude::*,
    serde_json::{self, Value, json},
};

/// What the answer shows of a request, as JSON.
pub(crate) fn of(request: &Request, body: &[u8], message: Option<&str>) -> String {
    let raw = String::from_utf8_lossy(body);
    let authority = request.authority();
    let (host, port) = authority.rsplit_once(':').unwrap_or((&authority, ""));
    let port = port.parse().unwrap_or(if request.scheme() == "https" { 443_u16 } else { 80 });
    let shown = json!({
        "message": message,
        "request": {
            "scheme": &*request.scheme(),
            "host": host,
            "port": port,
            "method": &*request.method(),
            "path": &*request.path(),
            "headers": grouped(request.headers().into_iter().map(|(name, value)| (name, value.into()))),
            "query": grouped(arguments(request.query().as_bytes())),
            "body": parsed(request, body),
            "raw_body": raw,
        },
        "matched_route": entity(request, "route"),
        "matched_service": entity(request, "service"),
    });
    shown.to_string()
}

/// The body, where its type can be read.
fn parsed(request: &Request, body: &[u8]) -> Value {
    let kind = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    if kind.starts_with("application/x-www-form-urlencoded") { grouped(arguments(body)) } else { Value::Null }
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
        all.entry(name).or_default().push(value);
    }
    let one = |mut values: Vec<Value>| if values.len() == 1 { values.remove(0) } else { values.into() };
    all.into_iter().map(|(name, values)| (name, one(values))).collect::<serde_json::Map<_, _>>().into()
}

fn entity(request: &Request, kind: &str) -> Value {
    let text = |field| request.property(&[kind, field]).and_then(|bytes| String::from_utf8(bytes).ok());
    text("id").map_or(Value::Null, |id| json!({ "id": id, "name": text("name") }))
}
