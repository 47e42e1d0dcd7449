//! A declarative file as a tree in which every value knows where it stands.

mod json;
mod loader;
mod position;
mod scalar;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use position::Span;

use super::{number, problem::is_secret};

pub(super) use loader::load;
pub(super) use scalar::{Scalar, resolve};

/// Longest key, bytes: paths and problems repeat it.
const LONGEST_KEY: usize = 1 << 10;

/// One value and its place. A tree made of values, not of text, has no places.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Option<Span>,
    pub(super) data: Data,
}

/// What stands there.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Option<Span>,
    pub(super) value: Node,
}

impl Node {
    /// The value under `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a map, or none.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list, or none.
    pub(super) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// Where the secrets below stand: whole values under names that say so.
    pub(super) fn secrets(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        self.collect_secrets(&mut spans);
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        spans.dedup();
        spans
    }

    fn collect_secrets(&self, spans: &mut Vec<Span>) {
        self.items().iter().for_each(|item| item.collect_secrets(spans));
        for entry in self.entries() {
            match entry.value.span {
                Some(span) if is_secret(&entry.key) => spans.push(span),
                _ => entry.value.collect_secrets(spans),
            }
        }
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// A tree of a JSON value, all of it at `span`.
    pub(super) fn of(value: &Value, span: Option<Span>) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(boolean) => Data::Boolean(*boolean),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Data::Integer(integer),
                None => Data::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Data::String(text.clone()),
            Value::Array(items) => Data::List(items.iter().map(|item| Self::of(item, span)).collect()),
            Value::Object(fields) => Data::Map(
                fields
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        key_span: span,
                        value: Self::of(value, span),
                    })
                    .collect(),
            ),
        };
        Self { span, data }
    }

    /// The same as a JSON value.
    pub(super) fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Boolean(boolean) => Value::Bool(*boolean),
            Data::Integer(integer) => Value::from(*integer),
            Data::Float(float) => number(*float),
            Data::String(text) => Value::String(text.clone()),
            Data::List(items) => items.iter().map(Self::to_value).collect(),
            Data::Map(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// What a reader of the file would call it: `the number 7`, `a list of 3`.
    pub(super) fn describe(&self) -> Cow<'static, str> {
        match &self.data {
            Data::Null => "nothing".into(),
            Data::Boolean(boolean) => format!("the boolean {boolean}").into(),
            Data::Integer(integer) => format!("the number {integer}").into(),
            Data::Float(float) => format!("the number {float}").into(),
            Data::String(text) => format!("the text {}", quoted(text)).into(),
            Data::List(items) => format!("a list of {}", items.len()).into(),
            Data::Map(entries) => format!("a map of {}", entries.len()).into(),
        }
    }
}

/// The text in quotes, cut where it is long.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head:?} ...")
}
