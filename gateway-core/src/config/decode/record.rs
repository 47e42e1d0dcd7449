//! A map through a table of fields: what is given, what is unknown, what is missing, defaults.

use serde_json::{Map, Value};

use super::secret::Secrets;
use crate::config::{
    document::{Data, Node},
    problem::{MOST_PROBLEMS, Path, Problem, Step},
    schema::{Auto, EntityKind, Field, Kind, Record},
};

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
    pub(super) secrets: Secrets<'a>,
}

/// What besides its own table goes for a record.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'s> {
    /// Fields that are read elsewhere: entities nested in this one.
    pub(super) besides: &'s [(&'static str, EntityKind, &'static str)],
    /// A reference that the entity around it gives.
    pub(super) given: Option<&'static str>,
    /// What stands before the names of fields in messages about several of them.
    pub(super) prefix: &'s str,
}

/// A record in the making.
#[derive(Default)]
pub(super) struct Draft<'r> {
    pub(super) fields: Map<String, Value>,
    /// The fields that something is wrong with.
    pub(super) failed: Vec<&'r str>,
    /// The fields that mistyped ones were probably meant to be.
    pub(super) meant: Vec<String>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(problems: Vec<Problem>, secrets: Secrets<'a>) -> Self {
        Self { problems, path: Path::default(), nulls: Nulls::Default, secrets }
    }

    /// Notes a problem, unless there are more than enough.
    pub(super) fn report(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// `walk` one step further in.
    pub(super) fn step<T>(&mut self, step: Step, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = walk(self);
        self.path.pop();
        result
    }

    pub(super) fn problem(&self, node: &Node, message: impl Into<String>) -> Problem {
        Problem::new(self.path.clone(), node.span, message)
    }

    /// The fields of a map, defaults filled in. Where a field is wrong it stands there as given.
    pub(super) fn record(&mut self, record: &Record, node: &Node, around: Around<'_>) -> Map<String, Value> {
        let expanded = self.expand(record, node, around);
        let node = expanded.as_ref().unwrap_or(node);
        let mut draft = Draft { meant: self.unknown(record, node, around), ..Draft::default() };
        let absent = self.given(record, node, &mut draft);
        if record.open {
            keep_others(record, node, &mut draft.fields);
        }
        let dependent = record.dependent_defaults.map(|defaults| defaults(&draft.fields)).unwrap_or_default();
        for field in absent {
            let dependent = dependent.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value);
            let value = dependent.cloned().or_else(|| self.absent(field));
            if value.is_none() && field.required && around.given != Some(field.name.as_ref()) {
                self.missing(field, node, &mut draft);
            }
            if let (Some(place), Some(value)) = (draft.fields.get_mut(field.name.as_ref()), value) {
                *place = value;
            }
        }
        self.rules(record, node, &draft, around);
        draft.fields
    }

    /// Reads the fields that are given; answers with the others, which are null so far.
    fn given<'r>(&mut self, record: &'r Record, node: &Node, draft: &mut Draft<'r>) -> Vec<&'r Field> {
        draft.fields = Map::with_capacity(record.fields.len());
        let mut absent = Vec::new();
        for field in &record.fields {
            let before = self.problems.len();
            let value = match node.get(&field.name) {
                Some(value) if !self.counts_as_absent(field, value) => self.field(field, value),
                _ if field.sparse => continue,
                _ => {
                    absent.push(field);
                    Value::Null
                }
            };
            if self.problems.len() > before {
                draft.failed.push(field.name.as_ref());
            }
            draft.fields.insert(field.name.to_string(), value);
        }
        absent
    }

    fn counts_as_absent(&self, field: &Field, value: &Node) -> bool {
        let defaults = field.default.is_some() || field.auto.is_some();
        value.is_null() && (!defaults || (self.nulls == Nulls::Default && !field.required))
    }

    /// Refuses fields that are not in the table; gives those that they were probably meant to be.
    fn unknown(&mut self, record: &Record, node: &Node, around: Around<'_>) -> Vec<String> {
        let mut meant = Vec::new();
        if record.open {
            return meant;
        }
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
            meant.extend(problem.nearest.clone());
            self.report(problem.allowing(allowed));
        }
        meant
    }

    fn field(&mut self, field: &Field, node: &Node) -> Value {
        self.step(Step::Field(field.name.clone()), |walk| {
            if node.is_null() {
                if field.required {
                    let problem = walk.problem(node, "required field missing").finding("null");
                    walk.report(problem.allowing(field.allowed()));
                }
                return Value::Null;
            }
            walk.value(field, node)
        })
    }

    fn absent(&mut self, field: &Field) -> Option<Value> {
        match field.auto {
            Some(Auto::Secret) => return Some(random_secret().into()),
            // Who keeps it knows the time.
            Some(Auto::Time) => return Some(0.into()),
            // It may hang on other fields.
            Some(Auto::Id) | None => {}
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

    fn missing<'r>(&mut self, field: &'r Field, node: &Node, draft: &mut Draft<'r>) {
        let path = self.path.to(&field.name);
        let mut problem = Problem::new(path, node.span, "required field missing").allowing(field.allowed());
        problem.implied = draft.meant.iter().any(|name| *name == field.name);
        self.report(problem);
        draft.failed.push(field.name.as_ref());
    }
}

/// The fields that an open table does not know, as they are.
fn keep_others(record: &Record, node: &Node, fields: &mut Map<String, Value>) {
    let others = node.entries().iter().filter(|entry| record.field(&entry.key).is_none());
    fields.extend(others.map(|entry| (entry.key.clone(), entry.value.to_value())));
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
