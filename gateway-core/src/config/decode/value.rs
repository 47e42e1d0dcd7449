//! One value: its kind, its range, its checks.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::record::{Around, Decoder};
use crate::config::{
    document::{Data, Entry, Node},
    index::NAMED,
    number,
    problem::Step,
    schema::{Field, Kind, is_reference},
};

impl Decoder<'_> {
    /// One value, of its kind and within its checks.
    pub(super) fn value(&mut self, field: &Field, node: &Node) -> Value {
        let before = self.problems.len();
        let value = match (&field.kind, &node.data) {
            (Kind::String | Kind::OneOf(_), Data::String(text)) => return self.text(field, node, text),
            (Kind::Boolean, Data::Boolean(boolean)) => Value::Bool(*boolean),
            (Kind::Integer(least, most), _) if node.integer().is_some() => self.integer(node, *least, *most),
            (Kind::Number(least, most), Data::Integer(_) | Data::Float(_)) => {
                self.number(node, *least, *most)
            }
            (Kind::Array(element), Data::List(items)) => Value::Array(self.items(element, items)),
            (Kind::Set(element), Data::List(items)) => Value::Array(distinct(self.items(element, items))),
            (Kind::Map { keys, values }, Data::Map(entries)) => self.map(keys, values, entries),
            (Kind::Record(record), Data::Map(_)) => {
                Value::Object(self.record(record, node, Around::default()))
            }
            (Kind::Foreign(_), Data::String(_) | Data::Map(_)) => self.foreign(node),
            (Kind::Any, _) => node.to_value(),
            _ => {
                let problem = self.problem(node, field.kind.expected()).finding(node.describe());
                self.report(problem.allowing(written(field, node)));
                node.to_value()
            }
        };
        if self.problems.len() == before {
            self.checks(field, node, &value);
        }
        value
    }

    fn text(&mut self, field: &Field, node: &Node, text: &str) -> Value {
        let mut value = Value::String(text.to_owned());
        if field.referenceable && is_reference(text) {
            match self.secrets.resolve(text) {
                Ok(Some(secret)) => value = Value::String(secret),
                Ok(None) => return value,
                Err(message) => {
                    let problem = self.problem(node, message);
                    self.report(problem);
                    return value;
                }
            }
        }
        if let Kind::OneOf(texts) = &field.kind
            && !texts.iter().any(|allowed| value == allowed.as_ref())
        {
            let problem = self.problem(node, format!("expected one of: {}", texts.join(", ")));
            let near = problem.near(text, texts.iter().map(AsRef::as_ref)).finding(node.describe());
            self.report(near);
            return value;
        }
        self.checks(field, node, &value);
        value
    }

    fn integer(&mut self, node: &Node, least: i64, most: i64) -> Value {
        let integer = node.integer().unwrap_or_default();
        if !(least..=most).contains(&integer) {
            let problem = self.problem(node, format!("value should be between {least} and {most}"));
            self.report(problem.finding(node.describe()));
        }
        integer.into()
    }

    fn number(&mut self, node: &Node, least: f64, most: f64) -> Value {
        let value = node.to_value();
        match value.as_f64() {
            Some(number) if (least..=most).contains(&number) => {}
            Some(_) => {
                let problem = self.problem(node, format!("value should be between {least} and {most}"));
                self.report(problem.finding(node.describe()));
            }
            None => {
                let problem = self.problem(node, "expected a number").finding(node.describe());
                self.report(problem);
            }
        }
        value
    }

    fn items(&mut self, element: &Field, items: &[Node]) -> Vec<Value> {
        let items = items.iter().enumerate();
        items.map(|(at, item)| self.step(Step::Index(at), |walk| walk.value(element, item))).collect()
    }

    fn map(&mut self, keys: &Field, values: &Field, entries: &[Entry]) -> Value {
        let mut map = Map::with_capacity(entries.len());
        for entry in entries {
            let key = Node { span: entry.key_span, data: Data::String(entry.key.clone()) };
            let value = self.step(Step::field(entry.key.clone()), |walk| {
                walk.value(keys, &key);
                walk.value(values, &entry.value)
            });
            map.insert(entry.key.clone(), value);
        }
        Value::Object(map)
    }

    /// A reference: an id, or a name that waits for one.
    fn foreign(&mut self, node: &Node) -> Value {
        let named = |text: &str| Value::Object([(NAMED.to_owned(), text.into())].into_iter().collect());
        if let Data::String(text) = &node.data {
            return named(text);
        }
        let key = ["id", "name", "username", "prefix"].into_iter().find_map(|key| node.get(key)?.as_str());
        key.map_or_else(
            || {
                let problem = self.problem(node, "expected a valid UUID").finding(node.describe());
                self.report(problem.allowing("a name, or a map with `id` or `name`"));
                Value::Null
            },
            named,
        )
    }

    fn checks(&mut self, field: &Field, node: &Node, value: &Value) {
        let length = match value {
            Value::String(text) => text.chars().count(),
            Value::Array(items) => items.len(),
            _ => field.shortest,
        };
        let refusal = if length < field.shortest {
            Some(format!("length must be at least {}", field.shortest))
        } else if length > field.longest {
            Some(format!("length must be at most {}", field.longest))
        } else {
            field.checks.iter().find_map(|check| check.refusal(value))
        };
        if let Some(message) = refusal {
            let found = if field.referenceable { "a secret".into() } else { node.describe() };
            let problem = self.problem(node, message).finding(found);
            self.report(problem);
        }
    }
}

impl Node {
    /// A whole number, also where it is written with a fraction of zero.
    fn integer(&self) -> Option<i64> {
        match self.data {
            Data::Integer(integer) => Some(integer),
            Data::Float(float) => number::whole(float),
            _ => None,
        }
    }
}

/// How to write what a field takes, where what was written is nearly that.
fn written(field: &Field, node: &Node) -> String {
    let allowed = field.allowed();
    let advice = match (&field.kind, &node.data) {
        // In quotes: a bare `*` is an alias in YAML, and `80` a number.
        (Kind::Array(_) | Kind::Set(_), Data::String(text)) => {
            format!("Write [{}].", Value::from(text.as_str()))
        }
        (Kind::String, Data::Boolean(_) | Data::Integer(_) | Data::Float(_)) => {
            "Put it in quotes where it is meant as one.".to_owned()
        }
        // As `_format_version: 3.0` and `policy: off`.
        (Kind::OneOf(_), Data::Boolean(_) | Data::Float(_)) => "Put it in quotes.".to_owned(),
        _ => return allowed,
    };
    format!("{}. {advice}", allowed.trim_end_matches('.'))
}

/// The values, each once, in their order.
fn distinct(mut values: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(value.to_string()));
    values
}
