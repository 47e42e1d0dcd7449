//! Tables as JSON Schema, for editors and other tools.

use serde_json::{Map, Value, json};

use super::{Check, EntityKind, Field, Kind, Record};
use crate::config::number;

/// A JSON Schema (draft 2020-12) of declarative files, for editors: completion and docs for every
/// field of every entity, nested or not. Plugins' own `config` is open in it.
#[must_use]
pub fn file_schema() -> Value {
    let lists = EntityKind::ALL.iter().map(|kind| (kind.collection().to_owned(), list_of(*kind)));
    let mut properties: Map<_, _> = lists.collect();
    properties.insert("_format_version".to_owned(), json!({ "enum": ["1.1", "2.1", "3.0"] }));
    for free in ["_transform", "_comment", "_ignore", "_info", "_workspace"] {
        properties.insert(free.to_owned(), json!({}));
    }
    let definitions = EntityKind::ALL.iter().map(|kind| (kind.collection().to_owned(), definition(*kind)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["_format_version"],
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions.collect::<Map<_, _>>(),
    })
}

fn list_of(kind: EntityKind) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/$defs/{}", kind.collection()) } })
}

/// One entity, with the lists that can be nested in it.
fn definition(kind: EntityKind) -> Value {
    let mut schema = kind.record().json_schema();
    for (list, child, _) in kind.nested() {
        schema["properties"][*list] = list_of(*child);
    }
    // An entity around it may give the reference; a shorthand may give what is required.
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
    }
    if kind == EntityKind::Snis {
        return json!({ "anyOf": [{ "type": "string" }, schema] });
    }
    schema
}

impl Record {
    /// The table as a JSON Schema (draft 2020-12): types, ranges, patterns, defaults and docs; null where it stands for absence. The rules
    /// between fields are not in it.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let shorthands = self.shorthands.iter().map(|shorthand| &shorthand.field);
        let properties: Map<_, _> = self
            .fields
            .iter()
            .chain(shorthands)
            .map(|field| (field.name.to_string(), field.property()))
            .collect();
        let required: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| field.must_be_given())
            .map(|field| field.name.as_ref())
            .collect();
        let mut schema = json!({
            "type": "object", "properties": properties, "additionalProperties": self.open,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }
}

impl Field {
    /// Whether a file without it is refused.
    fn must_be_given(&self) -> bool {
        self.required
            && self.default.is_none()
            && self.auto.is_none()
            && !matches!(self.kind, Kind::Record(_))
    }

    /// The schema of the field within a record, where null may stand for absence.
    fn property(&self) -> Value {
        let mut schema = self.json_schema();
        let has_fields = matches!(self.kind, Kind::Record(_)) && self.default.is_none();
        if !self.required || has_fields {
            allow_null(&mut schema);
        }
        schema
    }

    fn json_schema(&self) -> Value {
        let mut schema = self.kind.json_schema();
        let Some(properties) = schema.as_object_mut() else { return schema };
        for check in &self.checks {
            properties.extend(check.keyword());
        }
        // A reference into a vault may stand there, too.
        if let Some(pattern) = self.pattern.filter(|_| !self.referenceable) {
            properties.insert("pattern".to_owned(), pattern.into());
        }
        let length = match self.kind {
            Kind::String => Some(("minLength", "maxLength")),
            Kind::Array(_) | Kind::Set(_) => Some(("minItems", "maxItems")),
            _ => None,
        };
        if let Some((least, most)) = length {
            if self.shortest > 0 {
                properties.insert(least.to_owned(), self.shortest.into());
            }
            if self.longest < usize::MAX {
                properties.insert(most.to_owned(), self.longest.into());
            }
        }
        if let Some(default) = &self.default {
            properties.insert("default".to_owned(), default.clone());
        }
        if self.deprecated.is_some() {
            properties.insert("deprecated".to_owned(), true.into());
        }
        if !self.doc.is_empty() {
            properties.insert("description".to_owned(), self.doc.as_ref().into());
        }
        schema
    }
}

impl Check {
    /// What JSON Schema has for it.
    fn keyword(&self) -> Option<(String, Value)> {
        match self {
            Self::GreaterThan(bound) => Some(("exclusiveMinimum".to_owned(), number(*bound))),
            Self::NotOneOf(texts) => Some(("not".to_owned(), json!({ "enum": texts }))),
            Self::StartsWith(start) => {
                Some(("pattern".to_owned(), format!("^{}", regex::escape(start)).into()))
            }
            Self::With(_) => None,
        }
    }
}

fn allow_null(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind, "null"]);
    } else if let Some(texts) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        texts.push(Value::Null);
    } else if let Some(choices) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.push(json!({ "type": "null" }));
    }
}

impl Kind {
    fn json_schema(&self) -> Value {
        match self {
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Integer(i64::MIN, i64::MAX) => json!({ "type": "integer" }),
            Self::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Number(least, most) if *least == f64::MIN && *most == f64::MAX => {
                json!({ "type": "number" })
            }
            Self::Number(least, most) => {
                json!({ "type": "number", "minimum": number(*least), "maximum": number(*most) })
            }
            Self::String => json!({ "type": "string" }),
            Self::OneOf(texts) => json!({ "enum": texts }),
            Self::Array(element) => json!({ "type": "array", "items": element.json_schema() }),
            Self::Set(element) => {
                json!({ "type": "array", "items": element.json_schema(), "uniqueItems": true })
            }
            Self::Map { keys, values } => {
                json!({
                    "type": "object", "propertyNames": keys.json_schema(),
                    "additionalProperties": values.json_schema(),
                })
            }
            Self::Record(record) => record.json_schema(),
            Self::Foreign(_) => json!({ "anyOf": [
                { "type": "string" },
                { "type": "object", "minProperties": 1, "properties": { "id": { "type": "string" }, "name": { "type": "string" } } },
            ] }),
            Self::Any => json!({}),
        }
    }
}
