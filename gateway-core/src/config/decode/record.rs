//! One tree through one table: kinds, ranges, defaults, rules.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::secret::Secrets;
use crate::config::{
    document::{Data, Entry, Node, Span},
    problem::{Matter, Path, Problem, Step},
    schema::{Auto, Field, Kind, Record, Rule, Violation, is_reference},
};

/// The key under which the name of a referenced entity waits for its id.
pub(super) const NAMED: &str = "$name";

/// What an explicit null means for a field with a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// The same as absence.
    Default,
    /// Nothing, and it stays so.
    Keep,
}

/// Walks trees with tables and collects problems.
pub(super) struct Decoder<'a> {
    pub(super) problems: Vec<Problem>,
    pub(super) path: Path,
    pub(super) nulls: Nulls,
    secrets: Secrets<'a>,
}

/// What besides its own table goes for a record.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'s> {
    /// Fields that are read elsewhere: entities nested in this one.
    pub(super) besides: &'s [(&'static str, crate::config::schema::EntityKind, &'static str)],
    /// A reference that the entity around it gives.
    pub(super) given: Option<&'static str>,
    /// What stands before the names of fields in messages about several of them.
    pub(super) prefix: &'s str,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(problems: Vec<Problem>, secrets: Secrets<'a>) -> Self {
        Self { problems, path: Path::default(), nulls: Nulls::Default, secrets }
    }

    /// A problem where the walk stands.
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// `walk` one step further in.
    pub(super) fn step<T>(&mut self, step: Step, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = walk(self);
        self.path.pop();
        result
    }

    fn problem(&self, node: &Node, message: impl Into<String>) -> Problem {
        Problem::new(self.path.clone(), node.span, message)
    }

    /// The fields of a map, defaults filled in. Where a field is wrong it stands there as given.
    pub(super) fn record(&mut self, record: &Record, node: &Node, around: Around<'_>) -> Map<String, Value> {
        let given = |name: &str| node.get(name).is_some();
        let short = record.shorthands.iter().any(|shorthand| given(&shorthand.field.name));
        let expanded = short.then(|| self.expand(record, node, around));
        let node = expanded.as_ref().unwrap_or(node);
        self.unknown(record, node, around);
        let mut fields = Map::with_capacity(record.fields.len());
        let mut failed = Vec::new();
        let mut absent = Vec::new();
        for field in &record.fields {
            let before = self.problems.len();
            let value = match node.get(&field.name) {
                Some(value) if !self.counts_as_absent(field, value) => self.field(field, value),
                _ => {
                    absent.push(field);
                    Value::Null
                }
            };
            if self.problems.len() > before {
                failed.push(field.name.as_ref());
            }
            fields.insert(field.name.to_string(), value);
        }
        let dependent = record.dependent_defaults.map(|defaults| defaults(&fields)).unwrap_or_default();
        for field in absent {
            let dependent = dependent.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value);
            let value = dependent.cloned().or_else(|| self.absent(field));
            if value.is_none() && field.required && around.given != Some(field.name.as_ref()) {
                self.missing(field, node);
                failed.push(field.name.as_ref());
            }
            fields.insert(field.name.to_string(), value.unwrap_or_default());
        }
        self.rules(record, node, &fields, &failed, around);
        fields
    }

    fn counts_as_absent(&self, field: &Field, value: &Node) -> bool {
        let defaults = field.default.is_some() || field.auto.is_some();
        value.is_null() && (!defaults || (self.nulls == Nulls::Default && !field.required))
    }

    /// Puts what shorthands stand for in their place; leaves out what is read elsewhere.
    fn expand(&mut self, record: &Record, node: &Node, around: Around<'_>) -> Node {
        let besides = |entry: &&Entry| !around.besides.iter().any(|(name, ..)| *name == entry.key);
        let mut entries: Vec<_> = node.entries().iter().filter(besides).cloned().collect();
        for shorthand in &record.shorthands {
            let Some(at) = entries.iter().position(|entry| entry.key == shorthand.field.name) else {
                continue;
            };
            let entry = entries.remove(at);
            if entry.value.is_null() {
                continue;
            }
            let before = self.problems.len();
            let value = self.step(Step::Field(shorthand.field.name.clone()), |walk| {
                walk.value(&shorthand.field, &entry.value)
            });
            if self.problems.len() > before {
                continue;
            }
            for (name, value) in (shorthand.expand)(&value) {
                put(&mut entries, name, &value, &entry);
            }
        }
        Node { span: node.span, data: Data::Map(entries) }
    }

    fn unknown(&mut self, record: &Record, node: &Node, around: Around<'_>) {
        for entry in node.entries() {
            let key = entry.key.as_str();
            let nested = around.besides.iter().any(|(name, ..)| *name == key);
            if nested || matches!(key, "_comment" | "_ignore") || record.field(key).is_some() {
                continue;
            }
            let names: Vec<_> = record.names().chain(around.besides.iter().map(|(name, ..)| *name)).collect();
            let mut path = self.path.clone();
            path.push(Step::field(key.to_owned()));
            let allowed = names.join(", ");
            let problem = Problem::new(path, entry.key_span, "unknown field").near(key, names);
            self.report(problem.allowing(allowed));
        }
    }

    fn field(&mut self, field: &Field, node: &Node) -> Value {
        self.step(Step::Field(field.name.clone()), |walk| {
            if node.is_null() {
                if field.required {
                    let problem = walk.problem(node, "required field missing").finding("null");
                    walk.report(problem.allowing(field.kind.allowed()));
                }
                return Value::Null;
            }
            walk.value(field, node)
        })
    }

    fn absent(&mut self, field: &Field) -> Option<Value> {
        if let Some(Auto::Secret) = field.auto {
            return Some(random_secret().into());
        }
        match (&field.default, &field.kind) {
            (Some(default), _) => Some(default.clone()),
            (None, Kind::Record(record)) if field.required => {
                let empty = Node { span: None, data: Data::Map(Vec::new()) };
                let fields = self.step(Step::Field(field.name.clone()), |walk| {
                    walk.record(record, &empty, Around::default())
                });
                Some(Value::Object(fields))
            }
            _ => None,
        }
    }

    fn missing(&mut self, field: &Field, node: &Node) {
        let path = self.path.to(&field.name);
        let problem = Problem::new(path, node.span, "required field missing").allowing(field.kind.allowed());
        self.report(problem);
    }

    /// One value, of its kind and within its checks.
    fn value(&mut self, field: &Field, node: &Node) -> Value {
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
                self.report(problem.allowing(field.kind.allowed()));
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

    fn rules(
        &mut self,
        record: &Record,
        node: &Node,
        fields: &Map<String, Value>,
        failed: &[&str],
        around: Around<'_>,
    ) {
        let spoiled = |rule: &Rule| {
            let inputs = rule.inputs();
            let wrong = |name: &&str| failed.contains(&name.split('.').next().unwrap_or_default());
            if inputs.is_empty() { !failed.is_empty() } else { inputs.iter().any(wrong) }
        };
        for rule in record.rules.iter().filter(|rule| !spoiled(rule)) {
            for violation in rule.violations(fields, around.prefix) {
                let known = violation.field.is_some_and(|field| failed.contains(&field));
                if !known {
                    let problem = self.violation(violation, node, around);
                    self.report(problem);
                }
            }
        }
    }

    fn violation(&self, violation: Violation, node: &Node, around: Around<'_>) -> Problem {
        let name = match violation.field {
            Some("") => return Problem::new(self.path.clone(), node.span, violation.message),
            Some(name) => name,
            None => {
                let mut path = self.path.clone();
                if !around.prefix.is_empty() {
                    path.pop();
                }
                let matter = if violation.implied { Matter::Implied } else { Matter::Entity };
                return Problem::new(path, node.span, violation.message).about(matter);
            }
        };
        let at = name.split('.').try_fold(node, |node, part| node.get(part));
        let span = at.map_or(node.span, |value| value.span);
        let problem = Problem::new(self.path.to(name), span, violation.message);
        match at.filter(|value| !value.is_null()) {
            Some(value) => problem.finding(value.describe()),
            None => problem,
        }
    }
}

impl Node {
    /// A whole number, also where it is written with a fraction of zero.
    fn integer(&self) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.data {
            Data::Integer(integer) => Some(integer),
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            Data::Float(float) if float.fract() == 0.0 && float.abs() <= EXACT => Some(float as i64),
            _ => None,
        }
    }
}

/// Sets a dotted name in a map, at the place of the shorthand that brings it.
fn put(entries: &mut Vec<Entry>, name: &str, value: &Value, from: &Entry) {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let span: Option<Span> = from.value.span;
    let at = entries.iter().position(|entry| entry.key == first).unwrap_or_else(|| {
        let value = Node { span, data: Data::Null };
        entries.push(Entry { key: first.to_owned(), key_span: from.key_span, value });
        entries.len() - 1
    });
    let Some(entry) = entries.get_mut(at) else { return };
    match (rest, &mut entry.value.data) {
        (None, _) => entry.value = Node::of(value, span),
        (Some(rest), Data::Map(inner)) => put(inner, rest, value, from),
        (Some(rest), data) => {
            let mut inner = Vec::new();
            put(&mut inner, rest, value, from);
            *data = Data::Map(inner);
        }
    }
}

/// The values, each once, in their order.
fn distinct(mut values: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(value.to_string()));
    values
}

/// 32 letters and digits, from the operating system's generator.
fn random_secret() -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut secret = String::with_capacity(32);
    while secret.len() < 32 {
        // The bytes that would favour the first letters are left out.
        let bytes = uuid::Uuid::new_v4().into_bytes();
        let fair = bytes.into_iter().enumerate().filter(|(at, byte)| !matches!(at, 6 | 8) && *byte < 248);
        secret.extend(
            fair.filter_map(|(_, byte)| LETTERS.get(usize::from(byte) % 62)).map(|byte| char::from(*byte)),
        );
    }
    secret.truncate(32);
    secret
}
