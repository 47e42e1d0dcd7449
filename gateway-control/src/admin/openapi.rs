//! `/openapi.json`: the Admin API as an OpenAPI 3.1 document, made from the tables of fields. Not Kong's.

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

fn whole() -> Value {
    let mut paths = Map::new();
    for kind in &KINDS {
        if let Some(path) = kind.path {
            paths.insert(format!("/{path}"), list(kind, &[]));
            paths.insert(format!("/{path}/{{key}}"), one(kind, &[KEY]));
        }
        for parent in kind.parents {
            let Some(above) = Kind::of(parent.collection).and_then(|above| above.path) else { continue };
            let path = format!("/{above}/{{owner}}/{}", parent.segment);
            paths.insert(path.clone(), list(kind, &[OWNER]));
            paths.insert(format!("{path}/{{key}}"), one(kind, &[OWNER, KEY]));
            if let (Some(path), Some(above)) = (kind.path, Kind::of(parent.collection)) {
                paths.insert(format!("/{path}/{{key}}/{}", parent.field), up(above, parent));
            }
        }
    }
    paths.extend(others());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Kong {KONG_VERSION}'s Admin API, and what goes beyond it."),
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters(),
            "responses": responses(),
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

fn body(name: &str) -> Value {
    let schema = reference("schemas", name);
    let content = |kind: &str| (kind.to_owned(), json!({ "schema": schema }));
    let kinds = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    json!({ "content": kinds.map(content).into_iter().collect::<Map<_, _>>() })
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

fn with(mut responses: Map<String, Value>, status: &str, answer: Value) -> Value {
    responses.insert(status.to_owned(), answer);
    Value::Object(responses)
}

fn with_all<const N: usize>(
    mut responses: Map<String, Value>,
    more: [(&str, Value); N],
) -> Map<String, Value> {
    responses.extend(more.map(|(status, answer)| (status.to_owned(), answer)));
    responses
}

fn named(names: &[&str], also: &[&str]) -> Vec<Value> {
    names.iter().chain(also).map(|name| parameter(name)).collect()
}

/// An id of an operation that no other has.
fn operation(verb: &str, kind: &Kind, names: &[&str]) -> String {
    let nested = if names.contains(&OWNER) { "_below" } else { "" };
    format!("{verb}_{}{nested}", kind.collection)
}

fn list(kind: &Kind, names: &[&str]) -> Value {
    let name = kind.collection;
    json!({
        "get": {
            "tags": [name],
            "parameters": named(names, &["size", "offset", "tags"]),
            "responses": {
                "200": page(name), "400": response("Refused"), "401": response("Unauthorized"),
                "404": response("NotFound"),
            },
        },
        "post": {
            "tags": [name],
            "parameters": named(names, &["dry_run", "If-Match"]),
            "requestBody": body(name),
            "responses": with(
                refusals(&[("404", "NotFound"), ("409", "Conflict")]), "201", entity("Created.", name)
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

fn one(kind: &Kind, names: &[&str]) -> Value {
    let name = kind.collection;
    let writes = ["dry_run", "If-Match", "If-None-Match"];
    let own = [("404", "NotFound"), ("409", "Conflict")];
    json!({
        "get": {
            "tags": [name], "operationId": operation("get", kind, names), "parameters": named(names, &[]),
            "responses": {
                "200": entity("The entity.", name), "401": response("Unauthorized"), "404": response("NotFound"),
            },
        },
        "put": {
            "tags": [name], "operationId": operation("put", kind, names), "parameters": named(names, &writes),
            "requestBody": body(name),
            "responses": with(refusals(&own), "200", entity("Created or replaced.", name)),
        },
        "patch": {
            "tags": [name], "operationId": operation("patch", kind, names), "parameters": named(names, &writes),
            "requestBody": body(&patch(name)),
            "responses": with(refusals(&own), "200", entity("Changed.", name)),
        },
        "delete": {
            "tags": [name], "operationId": operation("delete", kind, names), "parameters": named(names, &writes),
            "responses": with(
                refusals(&[("404", "NotFound")]), "204", json!({ "description": "Not there any more." })
            ),
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
            "tags": [name], "summary": summary, "parameters": named(&[KEY], &["dry_run"]),
            "requestBody": body(schema),
            "responses": with(refusals(&own), "200", entity("Changed.", name)),
        })
    };
    json!({
        "get": {
            "tags": [name], "summary": summary, "parameters": named(&[KEY], &[]),
            "responses": {
                "200": entity("The entity.", name), "401": response("Unauthorized"), "404": response("NotFound"),
            },
        },
        "put": write(name),
        "patch": write(&patch(name)),
    })
}

fn patch(name: &str) -> String {
    format!("{name}_patch")
}

/// What is not of entities.
fn others() -> Map<String, Value> {
    let free = json!({ "description": "Done.", "content": { "application/json": { "schema": { "type": "object" } } } });
    let get = |summary: &str, names: &[&str]| {
        json!({ "get": {
            "summary": summary, "parameters": named(names, &[]),
            "responses": {
                "200": free, "400": response("Refused"), "401": response("Unauthorized"),
                "404": response("NotFound"), "405": response("ReadOnly"), "503": response("Unavailable"),
            },
        } })
    };
    let batch = json!({ "post": {
        "summary": "Many writes, all of them or none, in one revision.",
        "parameters": named(&["dry_run"], &[]),
        "requestBody": body("batch"),
        "responses": with(refusals(&[("404", "NotFound"), ("409", "Conflict")]), "200", free.clone()),
    } });
    let rollback = json!({ "post": {
        "summary": "Makes everything as it was at a revision.",
        "parameters": named(&["revision", "dry_run"], &[]),
        "responses": with(refusals(&[("404", "NotFound")]), "200", free.clone()),
    } });
    let feed = json!({ "get": {
        "summary": "Each change as a server-sent event.",
        "parameters": named(&["since"], &[]),
        "responses": {
            "200": { "description": "Events.", "content": { "text/event-stream": { "schema": { "type": "string" } } } },
            "400": response("Refused"), "401": response("Unauthorized"), "405": response("ReadOnly"),
            "503": response("Unavailable"),
        },
    } });
    let config = json!({
        "get": get("Everything as a declarative file.", &[])["get"],
        "post": {
            "summary": "Puts a declarative file in the place of everything.",
            "parameters": named(&["dry_run", "check_hash", "flatten_errors", "If-Match"], &[]),
            "requestBody": { "content": {
                "text/yaml": { "schema": { "type": "string" } },
                "application/json": { "schema": { "type": "object" } },
            } },
            "responses": with(
                with_all(refusals(&[]), [("200", free.clone()), ("429", response("Unavailable"))]),
                "201", free.clone()
            ),
        },
    });
    let members = |names: &[&str], add: bool| {
        let mut item = get("Who is in which group.", names);
        let gone =
            with(refusals(&[("404", "NotFound")]), "204", json!({ "description": "No member any more." }));
        item["delete"] = json!({ "parameters": named(names, &["dry_run"]), "responses": gone });
        if add {
            let added = with(refusals(&[("404", "NotFound")]), "201", free.clone());
            let parameters = named(names, &["dry_run"]);
            item["post"] =
                json!({ "parameters": parameters, "requestBody": body("member"), "responses": added });
        }
        item
    };
    let paths = [
        ("/config", config),
        ("/consumer_groups/{owner}/consumers", members(&[OWNER], true)),
        ("/consumer_groups/{owner}/consumers/{key}", members(&[OWNER, KEY], false)),
        ("/consumers/{owner}/consumer_groups", members(&[OWNER], true)),
        ("/consumers/{owner}/consumer_groups/{key}", members(&[OWNER, KEY], false)),
        ("/schemas/{key}", get("The table of an entity.", &[KEY])),
        ("/schemas/plugins/{key}", get("The table of a plugin.", &[KEY])),
        ("/upstreams/{key}/health", get("The health of its targets.", &[KEY])),
        ("/", get("The node.", &[])),
        ("/status", get("Connections, and how changes went.", &[])),
        ("/endpoints", get("All paths.", &[])),
        ("/plugins/enabled", get("The plugins there are.", &[])),
        ("/tags", get("All tags.", &["size", "offset"])),
        ("/history", get("Changes, newest first.", &["size", "before"])),
        ("/history/{revision}", get("One change.", &["revision"])),
        ("/batch", batch),
        ("/rollback/{revision}", rollback),
        ("/changes", feed),
    ];
    paths.map(|(path, item)| (path.to_owned(), item)).into_iter().collect()
}

fn parameters() -> Value {
    let path = |name: &str, description: &str| {
        json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": { "type": "string", "minLength": 1 },
        })
    };
    let query = |name: &str, schema: Value| json!({ "name": name, "in": "query", "schema": schema });
    let header = |name: &str, description: &str| json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } });
    json!({
        "key": path("key", "The id, or the name."),
        "owner": path("owner", "The id or the name of the entity whose list it is."),
        "revision": {
            "name": "revision", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 },
        },
        "size": query("size", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 })),
        "offset": query("offset", json!({ "type": "string" })),
        "tags": query("tags", json!({ "type": "string" })),
        "before": query("before", json!({ "type": "integer", "minimum": 0 })),
        "since": query("since", json!({ "type": "integer", "minimum": 0 })),
        "check_hash": query("check_hash", json!({ "type": "integer", "enum": [0, 1] })),
        "flatten_errors": query("flatten_errors", json!({ "type": "integer", "enum": [0, 1] })),
        "dry_run": query("dry_run", json!({ "type": "integer", "enum": [0, 1] })),
        "If-Match": header("If-Match", "The tag of the entity, or a revision: else 412."),
        "If-None-Match": header("If-None-Match", "`*`: only where nothing is there yet."),
    })
}

fn responses() -> Value {
    let error = |description: &str| {
        let schema = reference("schemas", "error");
        json!({ "description": description, "content": { "application/json": { "schema": schema } } })
    };
    json!({
        "Refused": error("Fields that are wrong, references to nothing, a body that cannot be read."),
        "Unauthorized": error("No token that is known."),
        "Forbidden": error("From the page of another site, or by a name that is not ours."),
        "NotFound": error("Nothing is there."),
        "ReadOnly": error("There is no store: the file is the truth."),
        "Conflict": error("Another entity has that value."),
        "Precondition": error("It has changed meanwhile."),
        "TooLarge": error("The body is too long."),
        "MediaType": error("A body of a kind that is not read."),
        "Unavailable": error("The store cannot be reached, or others are writing. Try again."),
    })
}

fn schemas() -> Value {
    let mut schemas = Map::new();
    for kind in &KINDS {
        let Some(record) = schema::entity(kind.collection) else { continue };
        let whole = record.json_schema();
        let mut partial = whole.clone();
        if let Some(partial) = partial.as_object_mut() {
            partial.remove("required");
        }
        schemas.insert(kind.collection.to_owned(), whole);
        schemas.insert(patch(kind.collection), partial);
    }
    schemas.insert("error".to_owned(), error());
    schemas.insert("batch".to_owned(), batch());
    let name = json!({ "type": ["string", "object"], "description": "An id or a name." });
    let member = json!({ "type": "object", "properties": { "consumer": name, "group": name } });
    schemas.insert("member".to_owned(), member);
    Value::Object(schemas)
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": { "type": "string" },
            "name": { "type": "string" },
            "code": { "type": "integer", "minimum": 1, "maximum": 21 },
            "fields": { "type": "object" },
        },
    })
}

fn batch() -> Value {
    json!({
        "type": "object",
        "required": ["operations"],
        "additionalProperties": false,
        "properties": { "operations": { "type": "array", "maxItems": 10_000, "items": {
            "type": "object",
            "required": ["method", "path"],
            "additionalProperties": false,
            "properties": {
                "method": { "enum": ["POST", "PUT", "PATCH", "DELETE"] },
                "path": { "type": "string" },
                "body": { "type": "object" },
                "if_match": { "type": "string" },
            },
        } } },
    })
}
