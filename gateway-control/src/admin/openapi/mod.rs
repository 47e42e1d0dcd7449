//! `/openapi.json`: the Admin API as an OpenAPI 3.1 document, made from the tables of fields. Not Kong's.

mod components;
mod others;

use std::sync::{Arc, LazyLock};

use axum::{extract::State, response::Response};
use gateway_core::config::schema;
use serde_json::{Map, Value, json};

use super::{
    kind::{KINDS, Kind, Parent},
    reply,
    version::KONG_VERSION,
};
use crate::Control;

/// The same for all nodes.
pub(super) async fn document(State(_): State<Arc<Control>>) -> Response {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(whole);
    reply::ok(&DOCUMENT)
}

pub(super) fn whole() -> Value {
    let mut paths = Map::new();
    for kind in &KINDS {
        if let Some(path) = kind.path {
            paths.insert(format!("/{path}"), list(kind, None));
            paths.insert(format!("/{path}/{{key}}"), one(kind, None));
        }
        for parent in kind.parents {
            let Some(above) = Kind::of(parent.collection).and_then(|above| above.path) else { continue };
            let path = format!("/{above}/{{owner}}/{}", parent.segment);
            paths.insert(path.clone(), list(kind, Some(parent)));
            paths.insert(format!("{path}/{{key}}"), one(kind, Some(parent)));
            if let (Some(path), Some(above)) = (kind.path, Kind::of(parent.collection)) {
                paths.insert(format!("/{path}/{{key}}/{}", parent.field), up(above, parent));
            }
        }
    }
    paths.extend(others::paths());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Kong {KONG_VERSION}'s Admin API, and what goes beyond it."),
        },
        "paths": paths,
        "components": {
            "schemas": components::schemas(),
            "parameters": components::parameters(),
            "responses": components::responses(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{}, { "token": [] }],
    })
}

const KEY: &str = "key";
const OWNER: &str = "owner";

fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}

fn parameter(name: &str) -> Value {
    reference("parameters", name)
}

fn response(name: &str) -> Value {
    reference("responses", name)
}

fn entity(description: &str, name: &str) -> Value {
    let schema = reference("schemas", name);
    json!({
        "description": description,
        "headers": { "ETag": { "schema": { "type": "string" } } },
        "content": { "application/json": { "schema": schema } },
    })
}

/// An entity, or what would become of it.
fn entity_or_tried(description: &str, name: &str) -> Value {
    let mut answer = entity(description, name);
    let schemas = [reference("schemas", name), reference("schemas", "tried")];
    answer["content"]["application/json"]["schema"] = json!({ "anyOf": schemas });
    answer
}

fn tried() -> Value {
    let schema = reference("schemas", "tried");
    json!({ "description": "Only tried.", "content": { "application/json": { "schema": schema } } })
}

/// What a POST answers that has made nothing: a target may only have given a sign of life.
fn again(kind: &Kind) -> Value {
    match kind.collection {
        "targets" => entity_or_tried("It lives still, or it was only tried.", kind.collection),
        _ => tried(),
    }
}

fn body(name: &str) -> Value {
    forms(&reference("schemas", name))
}

/// An entity, of which the path gives some fields: these need not be said again.
fn body_but(kind: &Kind, given: &[&str]) -> Value {
    let required = schema::entity(kind.collection).map(|record| record.json_schema()["required"].take());
    let Some(Value::Array(mut required)) = required else { return body(kind.collection) };
    let before = required.len();
    required.retain(|field| !given.iter().any(|given| field == given));
    if required.len() == before {
        return body(kind.collection);
    }
    let fields = reference("schemas", &patch(kind.collection));
    forms(&match required.is_empty() {
        true => fields,
        false => json!({ "allOf": [fields, { "required": required }] }),
    })
}

/// JSON by its schema, or a form, which has no types and flat names.
fn forms(schema: &Value) -> Value {
    let form = json!({ "schema": reference("schemas", "form") });
    json!({ "content": {
        "application/json": { "schema": schema },
        "application/x-www-form-urlencoded": form,
        "multipart/form-data": form,
    } })
}

fn json_body(name: &str) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": reference("schemas", name) } } })
}

/// What every write may be refused with.
fn refusals(own: &[(&str, &str)]) -> Map<String, Value> {
    let all = [
        ("400", "Refused"),
        ("401", "Unauthorized"),
        ("403", "Forbidden"),
        ("405", "ReadOnly"),
        ("412", "Precondition"),
        ("413", "TooLarge"),
        ("415", "MediaType"),
        ("503", "Unavailable"),
    ];
    all.iter().chain(own).map(|(status, name)| ((*status).to_owned(), response(name))).collect()
}

/// What one who reads may be answered.
fn read(entity: &Value) -> Value {
    json!({
        "200": entity, "304": response("NotModified"), "400": response("Refused"), "401": response("Unauthorized"),
        "404": response("NotFound"),
    })
}

fn with(mut responses: Map<String, Value>, status: &str, answer: Value) -> Value {
    responses.insert(status.to_owned(), answer);
    Value::Object(responses)
}

fn with_all<const N: usize>(mut responses: Map<String, Value>, more: [(&str, Value); N]) -> Value {
    responses.extend(more.map(|(status, answer)| (status.to_owned(), answer)));
    Value::Object(responses)
}

/// What a DELETE answers.
fn gone(description: &str) -> Value {
    let more = [("200", tried()), ("204", json!({ "description": description }))];
    with_all(refusals(&[("404", "NotFound")]), more)
}

fn named(names: &[&str], also: &[&str]) -> Vec<Value> {
    names.iter().chain(also).map(|name| parameter(name)).collect()
}

/// An id of an operation that no other has.
fn operation(verb: &str, kind: &Kind, names: &[&str]) -> String {
    let nested = if names.contains(&OWNER) { "_below" } else { "" };
    format!("{verb}_{}{nested}", kind.collection)
}

fn list(kind: &Kind, parent: Option<&Parent>) -> Value {
    let name = kind.collection;
    let names: &[&str] = if parent.is_some() { &[OWNER] } else { &[] };
    let given: Vec<_> = parent.map(|parent| parent.field).into_iter().collect();
    json!({
        "get": {
            "tags": [name],
            "parameters": named(names, &["size", "offset", "tags", "If-None-Match"]),
            "responses": {
                "200": page(name), "304": response("NotModified"), "400": response("Refused"), "401": response("Unauthorized"),
                "404": response("NotFound"),
            },
        },
        "post": {
            "tags": [name],
            "parameters": named(names, &["dry_run", "If-Match"]),
            "requestBody": body_but(kind, &given),
            "responses": with_all(
                refusals(&[("404", "NotFound"), ("409", "Conflict")]),
                [("200", again(kind)), ("201", entity("Created.", name))]
            ),
        },
    })
}

fn page(name: &str) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": { "type": "array", "items": reference("schemas", name) },
            "next": { "type": ["string", "null"] },
            "offset": { "type": "string" },
        },
    });
    json!({ "description": "One page.", "content": { "application/json": { "schema": schema } } })
}

fn one(kind: &Kind, parent: Option<&Parent>) -> Value {
    let name = kind.collection;
    let names: &[&str] = if parent.is_some() { &[OWNER, KEY] } else { &[KEY] };
    let given: Vec<_> = parent.map(|parent| parent.field).into_iter().chain(kind.key).collect();
    let shown =
        if name == "consumer_groups" && !names.contains(&OWNER) { "group_with_members" } else { name };
    let writes = ["dry_run", "If-Match", "If-None-Match"];
    let own = [("404", "NotFound"), ("409", "Conflict")];
    json!({
        "get": {
            "tags": [name], "operationId": operation("get", kind, names), "parameters": named(names, &["If-None-Match"]),
            "responses": read(&entity("The entity.", shown)),
        },
        "put": {
            "tags": [name], "operationId": operation("put", kind, names), "parameters": named(names, &writes),
            "requestBody": body_but(kind, &given),
            "responses": with(refusals(&own), "200", entity_or_tried("Created or replaced.", name)),
        },
        "patch": {
            "tags": [name], "operationId": operation("patch", kind, names), "parameters": named(names, &writes),
            "requestBody": body(&patch(name)),
            "responses": with(refusals(&own), "200", entity_or_tried("Changed.", name)),
        },
        "delete": {
            "tags": [name], "operationId": operation("delete", kind, names), "parameters": named(names, &writes),
            "responses": gone("Not there any more."),
        },
    })
}

/// The entity that another refers to.
fn up(above: &Kind, parent: &Parent) -> Value {
    let name = above.collection;
    let summary = format!("The entity that `{}` refers to.", parent.field);
    let own = [("404", "NotFound"), ("409", "Conflict")];
    let write = |schema: &str| {
        json!({
            "tags": [name], "summary": summary, "parameters": named(&[KEY], &["dry_run", "If-Match"]),
            "requestBody": body(schema),
            "responses": with(refusals(&own), "200", entity_or_tried("Changed.", name)),
        })
    };
    json!({
        "get": {
            "tags": [name], "summary": summary, "parameters": named(&[KEY], &["If-None-Match"]),
            "responses": read(&entity("The entity.", name)),
        },
        "put": write(name),
        "patch": write(&patch(name)),
    })
}

fn patch(name: &str) -> String {
    format!("{name}_patch")
}
