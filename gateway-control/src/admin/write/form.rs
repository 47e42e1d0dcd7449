//! Forms as entities: `config.minute=5`, `paths[]=/a`, `hosts[1]=a.t` (compat M4).

use std::collections::BTreeMap;

use gateway_core::config::schema::{Field, Kind, Record};
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// How deep names may lead.
const DEEPEST: usize = 32;

/// Texts, as deep as their names lead.
#[derive(Debug, Default)]
enum Tree {
    #[default]
    Empty,
    Value(Value),
    Fields(IndexMap<String, Tree>),
    /// Items by the number they were given, and those without behind them.
    List(BTreeMap<usize, Tree>, Vec<Tree>),
}

/// A step of a name: into a field, or into a list, at a number or at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step<'n> {
    Field(&'n str),
    Item(Option<usize>),
}

/// Puts a form together. All values are texts still, or what was JSON: what they mean is for [`typed`].
pub(super) fn decode(pairs: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
    let mut root = Tree::default();
    for (name, value) in pairs {
        let mut place = &mut root;
        for step in steps(&name) {
            place = place.go(step);
        }
        place.put(value);
    }
    match root.into_value() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn steps(name: &str) -> Vec<Step<'_>> {
    if name.starts_with('.') || name.ends_with('.') {
        return vec![Step::Field(name)];
    }
    let mut steps = Vec::new();
    for mut part in name.split('.').filter(|part| !part.is_empty()) {
        let mut items = Vec::new();
        while let Some((rest, item)) = item(part) {
            items.push(Step::Item(item));
            part = rest;
        }
        steps.push(Step::Field(part));
        steps.extend(items.into_iter().rev());
    }
    steps.truncate(DEEPEST);
    steps
}

/// `a[1]` is `a` and 1, `a[]` is `a` and no number.
fn item(part: &str) -> Option<(&str, Option<usize>)> {
    let (rest, number) = part.strip_suffix(']')?.rsplit_once('[')?;
    let number = if number.is_empty() { None } else { Some(number.parse().ok()?) };
    (!rest.is_empty()).then_some((rest, number))
}

impl Tree {
    /// The place that a step leads to; what stood there instead of fields or a list is forgotten.
    fn go(&mut self, step: Step<'_>) -> &mut Self {
        match (&step, &self) {
            (Step::Field(_), Self::Fields(_)) | (Step::Item(_), Self::List(..)) => {}
            (Step::Field(_), _) => *self = Self::Fields(IndexMap::new()),
            (Step::Item(_), _) => *self = Self::List(BTreeMap::new(), Vec::new()),
        }
        match (step, self) {
            (Step::Field(name), Self::Fields(fields)) => fields.entry(name.to_owned()).or_default(),
            (Step::Item(Some(number)), Self::List(numbered, _)) => numbered.entry(number).or_default(),
            (Step::Item(None), Self::List(_, rest)) => rest.push_mut(Self::Empty),
            // There is no other: it was made so above.
            (_, other) => other,
        }
    }

    /// A name that comes again makes a list.
    fn put(&mut self, value: Value) {
        match self {
            Self::Value(first) => {
                let first = Self::Value(first.take());
                *self = Self::List(BTreeMap::new(), vec![first, Self::Value(value)]);
            }
            Self::List(_, rest) => rest.push(Self::Value(value)),
            _ => *self = Self::Value(value),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Value(value) => value,
            Self::Fields(fields) => {
                Value::Object(fields.into_iter().map(|(name, tree)| (name, tree.into_value())).collect())
            }
            Self::List(numbered, rest) => numbered.into_values().chain(rest).map(Self::into_value).collect(),
        }
    }
}

/// Texts as the values that a table takes; what they cannot be stays a text, for the check to refuse.
pub(super) fn typed(fields: &mut Map<String, Value>, record: &Record) {
    let shorthands = record.shorthands.iter().map(|shorthand| &shorthand.field);
    for field in record.fields.iter().chain(shorthands) {
        if let Some(value) = fields.get_mut(field.name.as_ref()) {
            mean(value, field);
        }
    }
}

fn mean(value: &mut Value, field: &Field) {
    if value == "" {
        *value = Value::Null;
        return;
    }
    let text = value.as_str();
    match &field.kind {
        Kind::Boolean => match text {
            Some("true") => *value = true.into(),
            Some("false") => *value = false.into(),
            _ => {}
        },
        Kind::Integer(..) | Kind::Number(..) => {
            if let Some(number) = text.and_then(number) {
                *value = number;
            }
        }
        Kind::Array(element) | Kind::Set(element) => {
            if text.is_some() {
                *value = Value::Array(vec![value.take()]);
            }
            value.as_array_mut().into_iter().flatten().for_each(|item| mean(item, element));
        }
        Kind::Map { values, .. } => {
            let values_of = value.as_object_mut().into_iter().flatten();
            values_of.for_each(|(_, item)| mean(item, values));
        }
        Kind::Record(record) => {
            if let Some(fields) = value.as_object_mut() {
                typed(fields, record);
            }
        }
        _ => {}
    }
}

fn number(text: &str) -> Option<Value> {
    let whole = text.parse::<i64>().ok().map(Value::from);
    whole.or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from))
}

#[cfg(test)]
mod tests {
    use gateway_core::config::schema;
    use serde_json::{Value, json};

    use super::{decode, typed};

    fn form(pairs: &[(&str, &str)]) -> serde_json::Map<String, Value> {
        decode(pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))))
    }

    #[test]
    fn names_lead_into_fields_and_lists() {
        let fields = form(&[
            ("name", "a"),
            ("config.minute", "5"),
            ("paths[]", "/a"),
            ("paths[]", "/b"),
            ("hosts[2]", "b.t"),
            ("hosts[1]", "a.t"),
            ("tags", "x"),
            ("tags", "y"),
            ("sources[1].ip", "10.0.0.1"),
            ("sources[1].port", "80"),
            (".odd", "1"),
        ]);
        let expected = json!({
            "name": "a", "config": { "minute": "5" }, "paths": ["/a", "/b"], "hosts": ["a.t", "b.t"],
            "tags": ["x", "y"], "sources": [{ "ip": "10.0.0.1", "port": "80" }], ".odd": "1",
        });
        assert_eq!(Value::Object(fields), expected);
    }

    #[test]
    fn texts_become_what_the_table_takes() {
        let mut service =
            form(&[("port", "81"), ("enabled", "false"), ("path", ""), ("tags", "x"), ("retries", "many")]);
        typed(&mut service, schema::entity("services").unwrap());
        let expected =
            json!({ "port": 81, "enabled": false, "path": null, "tags": ["x"], "retries": "many" });
        assert_eq!(Value::Object(service), expected);

        let mut upstream =
            form(&[("healthchecks.active.healthy.interval", "1.5"), ("healthchecks.passive.type", "tcp")]);
        typed(&mut upstream, schema::entity("upstreams").unwrap());
        assert_eq!(upstream["healthchecks"]["active"]["healthy"]["interval"], 1.5);
        let mut route = form(&[("headers.x-a[]", "1"), ("headers.x-a[]", "2"), ("headers.x-b", "3")]);
        typed(&mut route, schema::entity("routes").unwrap());
        assert_eq!(route["headers"], json!({ "x-a": ["1", "2"], "x-b": ["3"] }));
    }

    #[test]
    fn a_name_may_be_as_deep_and_as_odd_as_it_likes() {
        let deep = "a.".repeat(10_000) + "b";
        for name in ["", ".", "[]", "a[", "a]", "a[-1]", "a[99999999999999999999]", "a[][]", &deep] {
            form(&[(name, "x"), (name, "y")]);
        }
        assert_eq!(form(&[("a", "1"), ("a.b", "2"), ("a[]", "3")])["a"], json!(["3"]));
    }
}
