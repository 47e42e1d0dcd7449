//! What the paths refer to: parameters, responses, the tables of fields.

use gateway_core::config::schema;
use serde_json::{Map, Value, json};

use super::{patch, reference};
use crate::admin::kind::KINDS;

pub(super) fn parameters() -> Value {
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

pub(super) fn responses() -> Value {
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

pub(super) fn schemas() -> Value {
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
