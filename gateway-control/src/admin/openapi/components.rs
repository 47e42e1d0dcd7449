//! What the paths refer to: parameters, responses, the tables of fields.

use gateway_core::config::schema::{self, Record};
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
    // As in Kong, anything but `1` is off.
    let switch = |name: &str| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "query", "schema": schema, "description": "On where it is `1`." })
    };
    // A list of tags, or `*` (RFC 9110 13.1.1).
    let list = r#"^([ \t]*\*[ \t]*|[ ,\t]*((W/)?"[!#-~\x80-\xff]*"[ \t]*(,[ ,\t]*|$))*)$"#;
    let schema = json!({ "type": "string", "pattern": list });
    let tags = |name: &str, description: &str| json!({ "name": name, "in": "header", "description": description, "schema": schema });
    json!({
        "key": path("key", "The id, or the name."),
        "owner": path("owner", "The id or the name of the entity whose list it is."),
        "address": path("address", "The address of one of the target's endpoints."),
        "revision": {
            "name": "revision", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 },
        },
        "size": query("size", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 })),
        "offset": query("offset", json!({ "type": "string" })),
        "tags": query("tags", json!({ "type": "string" })),
        "timeout": query("timeout", json!({ "type": "number", "minimum": 0, "default": 60, "description": "Seconds; 0: for good." })),
        "before": query("before", json!({ "type": "integer", "minimum": 0 })),
        "since": query("since", json!({ "type": "integer", "minimum": 0 })),
        "check_hash": switch("check_hash"),
        "flatten_errors": switch("flatten_errors"),
        "balancer_health": switch("balancer_health"),
        "dry_run": query("dry_run", json!({ "type": "string", "enum": ["0", "1", "false", "true"] })),
        "If-Match": tags("If-Match", "The tag of what is there, or a revision, or `*` for whatever is there: else 412."),
        "If-None-Match": tags("If-None-Match", "`*`: only where nothing is there yet. Else what must not be there."),
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
        "Precondition": error("It is not as `If-Match` or `If-None-Match` says."),
        "NotModified": { "description": "It is what `If-None-Match` says, and not sent again." },
        "TooLarge": error("The body is too long."),
        "MediaType": error("A body of a kind that is not read."),
        "Unavailable": error("The store cannot be reached, or others are writing. Try again."),
    })
}

pub(super) fn schemas() -> Value {
    let mut schemas = Map::new();
    for kind in &KINDS {
        let Some(record) = schema::entity(kind.collection) else { continue };
        let mut whole = record.json_schema();
        take_twice(&mut whole);
        if kind.collection == "certificates" {
            whole["properties"]["snis"] = names_of_servers();
        }
        let mut partial = whole.clone();
        if let Some(partial) = partial.as_object_mut() {
            partial.remove("required");
        }
        schemas.insert(kind.collection.to_owned(), whole);
        schemas.insert(patch(kind.collection), partial);
    }
    schemas.insert("group_with_members".to_owned(), group());
    schemas.insert("form".to_owned(), form());
    schemas.insert("tried".to_owned(), tried());
    schemas.insert("error".to_owned(), error());
    schemas.insert("batch".to_owned(), batch());
    let name = json!({ "type": ["string", "object"], "description": "An id or a name." });
    let member = json!({ "type": "object", "properties": { "consumer": name, "group": name } });
    schemas.insert("member".to_owned(), member);
    Value::Object(schemas)
}

/// A value that comes twice in a set is taken once, and not refused.
fn take_twice(schema: &mut Value) {
    match schema {
        Value::Object(words) => {
            words.remove("uniqueItems");
            words.values_mut().for_each(take_twice);
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(take_twice),
        _ => {}
    }
}

/// The names that a certificate is for, which are entities of their own.
fn names_of_servers() -> Value {
    json!({ "type": ["array", "null"], "items": { "type": "string", "minLength": 1 } })
}

/// A group alone, which shows its members and plugins, too.
fn group() -> Value {
    let mut group = schema::entity("consumer_groups").map(Record::json_schema).unwrap_or_default();
    take_twice(&mut group);
    let list = |name: &str| json!({ "type": "array", "items": reference("schemas", name) });
    group["properties"]["consumers"] = list("consumers");
    group["properties"]["plugins"] = list("plugins");
    group["properties"]["consumer_group"] = reference("schemas", "consumer_groups");
    group
}

fn form() -> Value {
    let meaning = "The fields of the JSON form as texts: `config.minute=5` for one within another, `tags[]=a` for one of a list.";
    json!({ "type": "object", "description": meaning })
}

/// What would be done.
fn tried() -> Value {
    json!({
        "type": "object",
        "required": ["dry_run", "revision", "status", "body", "differences", "lint"],
        "properties": {
            "dry_run": { "const": true },
            "revision": { "type": ["integer", "null"], "minimum": 0, "description": "Null without a store." },
            "status": { "type": "integer", "description": "What would be answered." },
            "body": { "type": ["object", "null"] },
            "differences": { "type": "array", "items": { "type": "object" } },
            "lint": { "type": "array", "items": { "type": "object" } },
        },
    })
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
