//! Tables from JSON Schema: those that plugins bring with them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Check, Expand, Field, Kind, Record, Rule, Shorthand, check};
use crate::config::number::normal;

/// Records within records.
const DEEPEST: usize = 16;

impl Record {
    /// The table that a JSON Schema (draft 2020-12) of an object describes, as far as a table can say it: `type`, `enum`,
    /// `properties`, `items`, `additionalProperties`, `uniqueItems`, lengths and bounds, `default`, `description`, and
    /// `format` with words of our own: `header-name`, `host`, `server-name`, `ip-or-cidr`, `method`, `path`, `url`, `regex`,
    /// `header`, `name:value`, `name:template`, `header:header`, `header:value`.
    ///
    /// Four words are our own: `required` lists fields that must not be null, where an absent one takes its default;
    /// `referenceable` marks fields that vault references are looked up in; `shorthands` maps names to the dotted names
    /// of the fields they stand for; `rules` is a list of `{"at_least_one_of": [...]}`, `{"mutually_exclusive": [...]}`,
    /// `{"mutually_required": [...]}` and `{"required_where": [field, value, field that then is required]}`.
    ///
    /// ```
    /// use gateway_core::config::schema::Record;
    ///
    /// let table = Record::from_json_schema(&serde_json::json!({
    ///     "type": "object",
    ///     "properties": { "limit": { "type": "integer", "minimum": 1, "default": 100 } },
    /// })).unwrap();
    /// assert_eq!(table.field("limit").unwrap().default, Some(100.into()));
    /// ```
    ///
    /// # Errors
    /// What is not understood, with the path to it.
    pub fn from_json_schema(schema: &Value) -> Result<Self, String> {
        record(schema, "config", DEEPEST)
    }
}

fn record(schema: &Value, path: &str, deeper: usize) -> Result<Record, String> {
    let object = schema.as_object().ok_or_else(|| format!("{path}: expected a schema"))?;
    let deeper = deeper.checked_sub(1).ok_or_else(|| format!("{path}: too deep"))?;
    let required = texts(object.get("required"));
    let properties = object.get("properties").and_then(Value::as_object);
    let mut fields = Vec::new();
    for (name, property) in properties.into_iter().flatten() {
        let mut field = field(name, property, &format!("{path}.{name}"), deeper)?;
        field.required = required.contains(name);
        fields.push(field);
    }
    let mut record = Record::new(fields);
    record.open = object.get("additionalProperties").is_some_and(|open| *open == true);
    for (name, to) in object.get("shorthands").and_then(Value::as_object).into_iter().flatten() {
        let shorthand = to.as_str().and_then(|to| shorthand(&record, name, to));
        let shorthand = shorthand.ok_or_else(|| format!("{path}.shorthands: {name} stands for nothing"))?;
        record.shorthands.push(shorthand);
    }
    for rule in object.get("rules").and_then(Value::as_array).into_iter().flatten() {
        record.rules.push(self::rule(rule).ok_or_else(|| format!("{path}.rules: {rule} is no rule"))?);
    }
    Ok(record)
}

/// A name that stands for the field at `to`, and takes what that takes.
fn shorthand(record: &Record, name: &str, to: &str) -> Option<Shorthand> {
    let mut field = record.field_at(to)?.clone();
    (field.name, field.required, field.default) = (Cow::Owned(name.to_owned()), false, None);
    field.deprecated = Some(Cow::Owned(format!("use {to}")));
    Some(Shorthand { field, expand: Expand::To(Cow::Owned(to.to_owned())) })
}

fn rule(rule: &Value) -> Option<Rule> {
    let (word, names) = rule.as_object()?.iter().next()?;
    let names = texts(Some(names));
    match word.as_str() {
        "at_least_one_of" => Some(Rule::at_least_one_of(names)),
        "mutually_exclusive" => Some(Rule::mutually_exclusive(names)),
        "mutually_required" => Some(Rule::mutually_required(names)),
        "required_where" => {
            let [when, is, then] = names.try_into().ok()?;
            Some(Rule::required_where(when, is, then))
        }
        _ => None,
    }
}

fn field(name: &str, schema: &Value, path: &str, deeper: usize) -> Result<Field, String> {
    let object = schema.as_object().ok_or_else(|| format!("{path}: expected a schema"))?;
    let mut field = Field::any("");
    field.name = Cow::Owned(name.to_owned());
    field.kind = kind(object, path, deeper)?;
    field.shortest = usize::from(matches!(field.kind, Kind::String));
    for word in ["minLength", "minItems"] {
        field.shortest = number(object, word).unwrap_or(field.shortest);
    }
    for word in ["maxLength", "maxItems"] {
        field.longest = number(object, word).unwrap_or(field.longest);
    }
    if let Some(bound) = object.get("exclusiveMinimum").and_then(Value::as_f64) {
        field.checks.push(Check::GreaterThan(bound));
    }
    let format = object.get("format").and_then(Value::as_str).and_then(check::format);
    field.checks.extend(format.map(Check::With));
    field.default = object.get("default").cloned().map(normal);
    field.referenceable = object.get("referenceable").is_some_and(|word| *word == true);
    field.deprecated =
        object.get("deprecated").and_then(Value::as_str).map(|text| Cow::Owned(text.to_owned()));
    let doc = object.get("description").and_then(Value::as_str).unwrap_or_default();
    field.doc = Cow::Owned(doc.to_owned());
    Ok(field)
}

fn kind(schema: &Map<String, Value>, path: &str, deeper: usize) -> Result<Kind, String> {
    if let Some(Value::Array(_)) = schema.get("enum") {
        return Ok(Kind::OneOf(texts(schema.get("enum")).into_iter().map(Cow::Owned).collect()));
    }
    let element = |word: &str| {
        let none = Value::Object(Map::new());
        let deeper = deeper.checked_sub(1).ok_or_else(|| format!("{path}: too deep"))?;
        field("", schema.get(word).unwrap_or(&none), &format!("{path}.{word}"), deeper).map(Box::new)
    };
    let word = match schema.get("type") {
        // Null is absence, which `required` speaks of.
        Some(Value::Array(words)) => match words.as_slice() {
            [word, null] if null == "null" => Some(word),
            _ => None,
        },
        word => word,
    };
    match word {
        None => Ok(Kind::Any),
        Some(Value::String(word)) => match word.as_str() {
            "boolean" => Ok(Kind::Boolean),
            "string" => Ok(Kind::String),
            "integer" => {
                let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
                Ok(Kind::Integer(bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX)))
            }
            "number" => {
                let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
                Ok(Kind::Number(bound("minimum").unwrap_or(f64::MIN), bound("maximum").unwrap_or(f64::MAX)))
            }
            "array" if schema.get("uniqueItems").is_some_and(|word| *word == true) => {
                Ok(Kind::Set(element("items")?))
            }
            "array" => Ok(Kind::Array(element("items")?)),
            "object" if schema.get("additionalProperties").is_some_and(Value::is_object) => {
                let keys = Box::new(Field::string(""));
                Ok(Kind::Map { keys, values: element("additionalProperties")? })
            }
            "object" => Ok(Kind::Record(record(&Value::Object(schema.clone()), path, deeper)?)),
            other => Err(format!("{path}: {other} is no type")),
        },
        Some(other) => Err(format!("{path}: {other} is no type")),
    }
}

fn number(schema: &Map<String, Value>, word: &str) -> Option<usize> {
    schema.get(word).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Field, Record};

    #[test]
    fn a_table_comes_back_from_its_own_schema() {
        let nested = Record::new(vec![Field::integer("port").between(0, 65_535).default(6379)]);
        let words = Field::one_of("", &["a", "b"]);
        let table = Record::new(vec![
            Field::string("host").doc("Where it is."),
            Field::boolean("on").default(true),
            Field::number("ratio").between(0, 1),
            Field::strings("names").shortest(1),
            Field::set("words", words),
            Field::map("labels", Field::string(""), Field::integer("")),
            Field::record("redis", nested),
        ]);
        let schema = table.json_schema();
        assert_eq!(Record::from_json_schema(&schema).unwrap().json_schema(), schema);
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_path() {
        let refused = |schema| Record::from_json_schema(&schema).unwrap_err();
        assert_eq!(
            refused(
                json!({ "properties": { "a": { "properties": { "b": { "type": "date" } }, "type": "object" } } })
            ),
            "config.a.b: date is no type"
        );
        let rules = json!({ "rules": [{ "one_of": [] }] });
        assert_eq!(refused(rules), r#"config.rules: {"one_of":[]} is no rule"#);
        let mut deep = json!({ "type": "string" });
        for _ in 0..100 {
            deep = json!({ "type": "object", "properties": { "x": deep } });
        }
        assert!(refused(deep).ends_with("too deep"));
    }

    #[test]
    fn the_words_of_our_own_count() {
        let table = Record::from_json_schema(&json!({
            "properties": { "a": { "type": "string", "referenceable": true }, "b": { "exclusiveMinimum": 0 } },
            "required": ["a"],
            "rules": [{ "at_least_one_of": ["a", "b"] }, { "required_where": ["a", "x", "b"] }],
            "shorthands": { "old_a": "a" },
        }))
        .unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["a", "b", "old_a"]);
        let a = table.field("a").unwrap();
        assert!(a.required && a.referenceable && !table.field("b").unwrap().required);
        assert_eq!((table.rules.len(), table.field("b").unwrap().checks.len()), (2, 1));
    }
}
