//! `/schemas`: the tables of fields as Kong writes its own, and checks of single entities (compat A40).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use gateway_core::{
    config::{
        Config, Matter, Problems, number,
        schema::{self, Auto, Check, Field, Kind, PluginSchemas, Record},
    },
    router::{Flavor, Router},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    body,
    extract::Path,
    reply::{self, Failure},
    write::Fields,
};
use crate::Control;

/// The table of an entity.
pub(super) async fn entity(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let record = schema::entity(&name).ok_or(Failure::NotFound)?;
    let mut fields = fields(record);
    if name == "routes" && flavor(&control) == Flavor::Expressions {
        for priority in fields.iter_mut().filter_map(|field| field.get_mut("priority")?.as_object_mut()) {
            priority.extend([("required".into(), true.into()), ("default".into(), 0.into())]);
        }
    }
    Ok(reply::ok(&json!({ "fields": fields, "entity_checks": [] })))
}

fn flavor(control: &Control) -> Flavor {
    control.gateway().settings().router_flavor
}

/// The table of a plugin.
pub(super) async fn plugin(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let plugins = control.gateway().plugins();
    let Some(plugin) = plugins.get(&name) else { return Ok(no_plugin(&name)) };
    let placement = &plugin.schema().placement;
    let protocols = json!({
        "type": "set", "required": true, "default": placement.protocols,
        "elements": { "type": "string", "one_of": placement.protocols },
    });
    let mut all = vec![json!({ "protocols": protocols })];
    for refused in &placement.refused {
        let collection = format!("{refused}s");
        let null = json!({ "type": "foreign", "reference": collection, "eq": null });
        all.push(Value::Object(Map::from_iter([(refused.to_string(), null)])));
    }
    let config = fields(plugin.schema());
    all.push(json!({ "config": { "type": "record", "required": true, "fields": config } }));
    Ok(reply::ok(&json!({ "fields": all, "entity_checks": [] })))
}

/// The table of a plugin's `config` alone: Kong's older path, which its clients still ask (compat M1).
pub(super) async fn plugin_config(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let plugins = control.gateway().plugins();
    let Some(plugin) = plugins.get(&name) else { return Ok(no_plugin(&name)) };
    Ok(reply::ok(&json!({ "fields": fields(plugin.schema()) })))
}

fn no_plugin(name: &str) -> Response {
    reply::message(StatusCode::NOT_FOUND, &format!("No plugin named '{name}'"))
}

/// Whether an entity, by itself, could stand in a configuration.
pub(super) async fn validate(
    State(control): State<Arc<Control>>,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    check(&control, &collection, &body::in_time(Fields::asked(request)).await?)
}

/// The same for a plugin.
pub(super) async fn validate_plugin(
    State(control): State<Arc<Control>>,
    request: Request,
) -> Result<Response, Failure> {
    check(&control, "plugins", &body::in_time(Fields::asked(request)).await?)
}

fn check(control: &Control, collection: &str, fields: &Fields) -> Result<Response, Failure> {
    let record = schema::entity(collection).ok_or(Failure::NotFound)?;
    let plugins = control.gateway().plugins();
    let plugin = fields.text("name").filter(|_| collection == "plugins");
    let config = plugin.and_then(|name| PluginSchemas::schema(&*plugins, name));
    let entity = fields.typed(record, config);
    let document = json!({ "_format_version": "3.0", collection: [entity] });
    match Config::parse(&document.to_string(), &control.gateway().plugins()) {
        Err(problems) if problems.iter().any(|problem| problem.matter != Matter::Reference) => {
            Ok(violations(collection, &problems))
        }
        _ => Ok(match expression(control, collection, document) {
            Some(message) => {
                let fields = json!({ "@entity": [message] });
                violation(&format!("schema violation ({message})"), &fields)
            }
            None => reply::message(StatusCode::OK, "schema validation successful"),
        }),
    }
}

/// What is wrong with the expression of a route that is well-formed otherwise (compat A39).
fn expression(control: &Control, collection: &str, mut document: Value) -> Option<String> {
    if collection != "routes" || flavor(control) != Flavor::Expressions {
        return None;
    }
    // What it leads to does not matter here, and need not be there.
    document.pointer_mut("/routes/0")?.as_object_mut()?.remove("service");
    let config = Config::parse(&document.to_string(), &control.gateway().plugins()).ok()?;
    let routes = config.routes.values().map(|route| (Arc::clone(route), ()));
    let refused = Router::with_flavor(Flavor::Expressions, routes).err()?;
    refused.into_iter().next().map(|(_, error)| error.message)
}

/// Kong's 400, code 2 (compat A18, A19).
fn violations(collection: &str, problems: &Problems) -> Response {
    let mut tree = problems.fields();
    let fields = tree.pointer_mut(&format!("/{collection}/0")).map(Value::take).unwrap_or(tree);
    let mut list = Vec::new();
    flatten("", &fields, &mut list);
    list.sort();
    let what = match list.len() {
        1 => "schema violation".to_owned(),
        count => format!("{count} schema violations"),
    };
    violation(&format!("{what} ({})", list.join("; ")), &fields)
}

fn violation(message: &str, fields: &Value) -> Response {
    let body = json!({ "code": 2, "name": "schema violation", "message": message, "fields": fields });
    reply::json(StatusCode::BAD_REQUEST, &body).into_response()
}

fn flatten(path: &str, tree: &Value, list: &mut Vec<String>) {
    let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match tree {
        Value::String(message) => list.push(format!("{path}: {message}")),
        Value::Object(fields) => {
            for (name, tree) in fields {
                flatten(&under(name), tree, list);
            }
        }
        Value::Array(items) if path.ends_with("@entity") => {
            items.iter().for_each(|item| flatten(path, item, list));
        }
        Value::Array(items) => {
            for (index, tree) in items.iter().enumerate() {
                flatten(&under(&(index + 1).to_string()), tree, list);
            }
        }
        _ => {}
    }
}

fn fields(record: &Record) -> Vec<Value> {
    let one = |field: &Field| Value::Object(Map::from_iter([(field.name.to_string(), attributes(field))]));
    record.fields.iter().map(one).collect()
}

/// One field as Kong describes it.
fn attributes(field: &Field) -> Value {
    let mut all = kind(&field.kind);
    let Some(map) = all.as_object_mut() else { return all };
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    put("required", field.required.then_some(true.into()));
    put("default", field.default.clone());
    put("unique", field.unique.then_some(true.into()));
    put("auto", field.auto.map(|_| true.into()));
    put("uuid", (field.auto == Some(Auto::Id)).then_some(true.into()));
    put("timestamp", (field.auto == Some(Auto::Time)).then_some(true.into()));
    put("referenceable", field.referenceable.then_some(true.into()));
    // What is made up for an id or a time is another thing in a file.
    let is_told = !field.doc.is_empty() && !matches!(field.auto, Some(Auto::Id | Auto::Time));
    put("description", is_told.then(|| field.doc.as_ref().into()));
    for check in &field.checks {
        match check {
            Check::GreaterThan(bound) => put("gt", Some(number(*bound))),
            Check::NotOneOf(texts) => put("not_one_of", Some(json!(texts))),
            Check::StartsWith(text) => put("starts_with", Some((*text).into())),
            _ => {}
        }
    }
    all
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer(i64::MIN, _) | Kind::Integer(_, i64::MAX) => json!({ "type": "integer" }),
        Kind::Integer(least, most) => json!({ "type": "integer", "between": [least, most] }),
        Kind::Number(least, most) if *least > f64::MIN && *most < f64::MAX => {
            json!({ "type": "number", "between": [number(*least), number(*most)] })
        }
        Kind::Number(..) => json!({ "type": "number" }),
        Kind::String => json!({ "type": "string" }),
        Kind::OneOf(texts) => json!({ "type": "string", "one_of": texts }),
        Kind::Array(element) => json!({ "type": "array", "elements": attributes(element) }),
        Kind::Set(element) => json!({ "type": "set", "elements": attributes(element) }),
        Kind::Map { keys, values } => {
            json!({ "type": "map", "keys": attributes(keys), "values": attributes(values) })
        }
        Kind::Record(record) => json!({ "type": "record", "fields": fields(record) }),
        Kind::Foreign(collection) => json!({ "type": "foreign", "reference": collection }),
        _ => json!({ "type": "any" }),
    }
}
