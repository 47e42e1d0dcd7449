//! Configurations against the table of a plugin, as the gateway checks them.

use serde_json::{Map, Value};

use crate::table::{Field, Kind, Rule, Table};

/// What is wrong with `value`, each with its path, in the gateway's words; nothing where it is right. Defaults have
/// been filled in.
pub(super) fn violations(table: &Table, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    record(table, value, "config", &mut found);
    found
}

fn record(table: &Table, value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(fields) = value else { return found.push(format!("{path}: expected a record")) };
    let before = found.len();
    let known = |name: &str| table.fields.iter().any(|field| field.name == name);
    found.extend(
        fields.keys().filter(|name| !known(name)).map(|name| format!("{path}.{name}: unknown field")),
    );
    for field in table.fields {
        let path = format!("{path}.{}", field.name);
        match fields.get(field.name).filter(|value| !value.is_null()) {
            None if field.required => found.push(format!("{path}: required field missing")),
            None => {}
            Some(value) => whole(field, value, &path, found),
        }
    }
    // What fields must fulfil together is only asked where each of them is right.
    if found.len() > before {
        return;
    }
    found.extend(table.rules.iter().filter_map(|rule| broken(rule, fields, path)));
}

/// A field's value: what is said of lengths is of this one, what is said of numbers and words of the innermost.
fn whole(field: &Field, value: &Value, path: &str, found: &mut Vec<String>) {
    let shortest = field.shortest.unwrap_or_else(|| usize::from(matches!(field.kind, Kind::Text)));
    match length(value) {
        Some(length) if length < shortest => {
            found.push(format!("{path}: length must be at least {shortest}"));
        }
        Some(length) if field.longest.is_some_and(|longest| length > longest) => {
            let longest = field.longest.unwrap_or_default();
            found.push(format!("{path}: length must be at most {longest}"));
        }
        _ => kind(&field.kind, field, value, path, found),
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(elements) => Some(elements.len()),
        _ => None,
    }
}

fn kind(kind: &Kind, field: &Field, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut wrong = |message: &str| found.push(format!("{path}: {message}"));
    match (kind, value) {
        (Kind::Boolean, Value::Bool(_)) | (Kind::Any, _) => {}
        (Kind::Boolean, _) => wrong("expected a boolean"),
        (Kind::Integer(least, most), Value::Number(number)) => match number.as_i64() {
            Some(number) => within(field, number, field.between.unwrap_or((*least, *most)), &mut wrong),
            None => wrong("expected an integer"),
        },
        (Kind::Integer(..), _) => wrong("expected an integer"),
        (Kind::Number, Value::Number(number)) => {
            fraction(field, number.as_f64().unwrap_or_default(), &mut wrong);
        }
        (Kind::Number, _) => wrong("expected a number"),
        (Kind::Text, Value::String(text)) => word(field.one_of, text, &mut wrong),
        (Kind::OneOf(words), Value::String(text)) => word(words, text, &mut wrong),
        (Kind::Text | Kind::OneOf(_), _) => wrong("expected a string"),
        (Kind::List(element), Value::Array(elements)) => {
            let twice = elements
                .iter()
                .enumerate()
                .any(|(at, one)| elements.iter().take(at).any(|other| one == other));
            if field.set && twice {
                wrong("values must be unique");
            }
            for (at, value) in elements.iter().enumerate() {
                self::kind(element, field, value, &format!("{path}[{at}]"), found);
            }
        }
        (Kind::List(_), _) => wrong(if field.set { "expected a set" } else { "expected an array" }),
        (Kind::Map(values), Value::Object(fields)) => {
            for (name, value) in fields {
                self::kind(values, field, value, &format!("{path}.{name}"), found);
            }
        }
        (Kind::Map(_), _) => wrong("expected a map"),
        (Kind::Record(table), value) => record(table, value, path, found),
    }
}

fn within(field: &Field, number: i64, (least, most): (i64, i64), wrong: &mut impl FnMut(&str)) {
    if let Some(bound) = field.greater_than.filter(|bound| number <= *bound) {
        wrong(&format!("value must be greater than {bound}"));
    } else if !(least..=most).contains(&number) {
        wrong(&format!("value should be between {least} and {most}"));
    }
}

#[expect(clippy::cast_precision_loss, reason = "bounds of a configuration are small")]
fn fraction(field: &Field, number: f64, wrong: &mut impl FnMut(&str)) {
    if let Some(bound) = field.greater_than.filter(|bound| number <= *bound as f64) {
        wrong(&format!("value must be greater than {bound}"));
    } else if let Some((least, most)) = field.between
        && !(least as f64..=most as f64).contains(&number)
    {
        wrong(&format!("value should be between {least} and {most}"));
    }
}

fn word(words: &[&str], text: &str, wrong: &mut impl FnMut(&str)) {
    if !words.is_empty() && !words.contains(&text) {
        wrong(&format!("expected one of: {}", words.join(", ")));
    }
}

/// Rules are about the whole, so their names are paths.
fn broken(rule: &Rule, fields: &Map<String, Value>, path: &str) -> Option<String> {
    let set = |names: &[&str]| names.iter().filter(|name| is_set(fields.get(**name))).count();
    let list =
        |names: &[&str]| names.iter().map(|name| format!("'{path}.{name}'")).collect::<Vec<_>>().join(", ");
    match rule {
        Rule::AtLeastOneOf(names) => (set(names) == 0)
            .then(|| format!("at least one of these fields must be non-empty: {}", list(names))),
        Rule::MutuallyExclusive(names) => {
            let sets =
                || names.iter().map(|name| format!("('{path}.{name}')")).collect::<Vec<_>>().join(", ");
            (set(names) > 1).then(|| format!("these sets are mutually exclusive: {}", sets()))
        }
        Rule::RequiredWhere([when, is, then]) => {
            let applies = at(fields, when).and_then(Value::as_str) == Some(is);
            (applies && at(fields, then).is_none_or(Value::is_null))
                .then(|| format!("{then}: required field missing"))
        }
        Rule::MutuallyRequired(names) => ((1..names.len()).contains(&set(names)))
            .then(|| format!("all or none of these fields must be set: {}", list(names))),
    }
}

/// The value at a dotted name.
fn at<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let mut parts = name.split('.');
    let first = fields.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

fn is_set(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(value) => length(value) != Some(0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::violations;
    use crate::{config, table};
    use table::Record as _;

    /// All there is.
    #[config(at_least_one_of = ["name", "tags"], mutually_exclusive = ["name", "share"], mutually_required = ["share", "limits"])]
    #[expect(dead_code, reason = "only its table is looked at")]
    struct All {
        #[field(longest = 3)]
        name: Option<String>,
        #[field(default = [], set, one_of = ["a", "b"])]
        tags: Vec<String>,
        #[field(default = 5, greater_than = 0)]
        count: u8,
        #[field(between = (0, 1))]
        share: Option<f64>,
        limits: Option<BTreeMap<String, i32>>,
        mode: Option<Mode>,
        nested: Nested,
    }

    #[config]
    #[allow(dead_code, reason = "only its words are looked at")]
    enum Mode {
        OnceMore,
    }

    #[config]
    #[expect(dead_code, reason = "only its table is looked at")]
    struct Nested {
        #[field(default = true)]
        on: bool,
        needed: Option<String>,
    }

    fn found(value: Value) -> Vec<String> {
        violations(&All::TABLE, &table::filled(&All::TABLE, value))
    }

    #[test]
    fn what_is_right_passes_with_its_defaults() {
        assert_eq!(found(json!({ "name": "abc" })), [""; 0]);
        assert_eq!(found(json!({ "tags": ["a"], "share": 0.5, "limits": { "x": 1 } })), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        for (value, expected) in [
            (json!([]), "config: expected a record"),
            (json!({ "name": "a", "nome": "b" }), "config.nome: unknown field"),
            (json!({ "name": "" }), "config.name: length must be at least 1"),
            (json!({ "name": "abcd" }), "config.name: length must be at most 3"),
            (json!({ "name": 1 }), "config.name: expected a string"),
            (json!({ "name": "a", "tags": ["c"] }), "config.tags[0]: expected one of: a, b"),
            (json!({ "name": "a", "tags": ["a", "a"] }), "config.tags: values must be unique"),
            (json!({ "name": "a", "tags": "a" }), "config.tags: expected a set"),
            (json!({ "name": "a", "tags": null }), "config.tags: required field missing"),
            (json!({ "name": "a", "count": 0 }), "config.count: value must be greater than 0"),
            (json!({ "name": "a", "count": 256 }), "config.count: value should be between 0 and 255"),
            (json!({ "name": "a", "count": 0.5 }), "config.count: expected an integer"),
            (json!({ "name": "a", "mode": "never" }), "config.mode: expected one of: once_more"),
            (json!({ "name": "a", "nested": { "on": 1 } }), "config.nested.on: expected a boolean"),
            (json!({}), "at least one of these fields must be non-empty: 'config.name', 'config.tags'"),
            (
                json!({ "name": "a", "share": 0, "limits": { "x": 1 } }),
                "these sets are mutually exclusive: ('config.name'), ('config.share')",
            ),
            (
                json!({ "tags": ["a"], "share": 1 }),
                "all or none of these fields must be set: 'config.share', 'config.limits'",
            ),
            (
                json!({ "tags": ["a"], "share": 2, "limits": { "x": 1 } }),
                "config.share: value should be between 0 and 1",
            ),
        ] {
            assert_eq!(found(value.clone()), [expected], "{value}");
        }
    }
}
