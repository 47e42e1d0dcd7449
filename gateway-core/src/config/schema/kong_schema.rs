//! Tables as Kong's `/schemas` shows them: decK takes the defaults of plugins from there.

use serde_json::{Map, Value, json};

use super::{Auto, Check, Field, Kind, Record};
use crate::config::number;

impl Record {
    /// The table as `GET /schemas/{entity}` answers it: `{"fields": [{"host": {"type": "string",
    /// "required": true}}, ..]}`.
    ///
    /// ```
    /// use gateway_core::config::schema;
    ///
    /// let services = schema::entity("services").expect("there").kong_schema();
    /// assert_eq!(services["fields"][0]["id"]["type"], "string");
    /// ```
    #[must_use]
    pub fn kong_schema(&self) -> Value {
        let mut schema = json!({ "fields": fields(&self.fields) });
        if !self.shorthands.is_empty() {
            let shorthands = self.shorthands.iter().map(|shorthand| named(&shorthand.field));
            schema["shorthand_fields"] = shorthands.collect();
        }
        schema
    }

    /// The table as `GET /schemas/plugins/{name}` answers it, where this is the table of the
    /// plugin's `config`.
    #[must_use]
    pub fn kong_plugin_schema(&self) -> Value {
        let mut all: Vec<_> = ["consumer", "route", "service"].map(|name| self.scope(name)).into();
        let one_of = &self.placement.protocols;
        all.push(json!({ "protocols": {
            "type": "set", "required": true, "default": one_of,
            "elements": { "type": "string", "one_of": one_of },
        } }));
        let mut config = self.kong_schema();
        config["type"] = "record".into();
        config["required"] = true.into();
        all.push(json!({ "config": config }));
        json!({ "fields": all })
    }

    /// A reference of a plugin; `eq: null` where it is refused.
    fn scope(&self, name: &str) -> Value {
        let mut field = json!({ "type": "foreign", "reference": format!("{name}s") });
        if self.placement.refused.iter().any(|refused| refused == name) {
            field["eq"] = Value::Null;
        }
        json!({ name: field })
    }
}

fn fields(fields: &[Field]) -> Value {
    fields.iter().map(named).collect()
}

fn named(field: &Field) -> Value {
    json!({ field.name.as_ref(): field.kong_schema() })
}

impl Field {
    fn kong_schema(&self) -> Value {
        let mut schema = self.kind.kong_schema();
        let mut put =
            |name: &str, value: Option<Value>| value.map(|value| schema.insert(name.to_owned(), value));
        let flag = |set: bool| set.then_some(Value::Bool(true));
        put("required", flag(self.required));
        put("default", self.default.clone());
        put("auto", flag(self.auto.is_some()));
        put("uuid", flag(self.auto == Some(Auto::Id)));
        put("timestamp", flag(self.auto == Some(Auto::Time)));
        put("unique", flag(self.unique));
        put("referenceable", flag(self.referenceable));
        let text = matches!(self.kind, Kind::String);
        put("len_min", (self.shortest != usize::from(text)).then(|| self.shortest.into()));
        put("len_max", (self.longest < usize::MAX).then(|| self.longest.into()));
        for check in &self.checks {
            match check {
                Check::GreaterThan(bound) => put("gt", Some(number(*bound))),
                Check::NotOneOf(texts) => put("not_one_of", Some(json!(texts))),
                Check::StartsWith(start) => put("starts_with", Some((*start).into())),
                Check::With(_) => None,
            };
        }
        let instead = self.deprecated.as_ref();
        put("deprecation", instead.map(|instead| json!({ "message": instead })));
        put("description", (!self.doc.is_empty()).then(|| self.doc.as_ref().into()));
        Value::Object(schema)
    }
}

impl Kind {
    fn kong_schema(&self) -> Map<String, Value> {
        let schema = match self {
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Integer(i64::MIN, i64::MAX) => json!({ "type": "integer" }),
            Self::Integer(least, most) => json!({ "type": "integer", "between": [least, most] }),
            Self::Number(least, most) if *least == f64::MIN && *most == f64::MAX => {
                json!({ "type": "number" })
            }
            Self::Number(least, most) => {
                json!({ "type": "number", "between": [number(*least), number(*most)] })
            }
            Self::String => json!({ "type": "string" }),
            Self::OneOf(texts) => json!({ "type": "string", "one_of": texts }),
            Self::Array(element) => json!({ "type": "array", "elements": element.kong_schema() }),
            Self::Set(element) => json!({ "type": "set", "elements": element.kong_schema() }),
            Self::Map { keys, values } => {
                json!({ "type": "map", "keys": keys.kong_schema(), "values": values.kong_schema() })
            }
            Self::Record(record) => json!({ "type": "record", "fields": fields(&record.fields) }),
            Self::Foreign(collection) => json!({ "type": "foreign", "reference": collection }),
            Self::Any => json!({ "type": "any" }),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }
}
