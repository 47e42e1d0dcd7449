//! What a field takes.

use std::borrow::Cow;

use super::{Field, Record};

/// What a field takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number in a range, ends included.
    Integer(i64, i64),
    /// A number in a range, ends included.
    Number(f64, f64),
    /// A text.
    String,
    /// One of these texts.
    OneOf(Vec<Cow<'static, str>>),
    /// A list.
    Array(Box<Field>),
    /// A list in which each value counts once.
    Set(Box<Field>),
    /// A map from text.
    Map {
        /// What its keys must be.
        keys: Box<Field>,
        /// What its values must be.
        values: Box<Field>,
    },
    /// Fields of its own.
    Record(Record),
    /// A reference to an entity of this collection: `services`.
    Foreign(&'static str),
    /// Anything.
    Any,
}

impl Kind {
    /// Whether it is a reference, or a list of them.
    pub(in crate::config) fn refers(&self) -> bool {
        match self {
            Self::Foreign(_) => true,
            Self::Array(element) | Self::Set(element) => element.kind.refers(),
            _ => false,
        }
    }

    /// What Kong says where something else stands there.
    pub(in crate::config) const fn expected(&self) -> &'static str {
        match self {
            Self::Boolean => "expected a boolean",
            Self::Integer(..) => "expected an integer",
            Self::Number(..) => "expected a number",
            Self::String | Self::OneOf(_) => "expected a string",
            Self::Array(_) => "expected an array",
            Self::Set(_) => "expected a set",
            Self::Map { .. } => "expected a map",
            Self::Record(_) | Self::Foreign(_) | Self::Any => "expected a record",
        }
    }

    /// What may stand there, for people.
    pub(in crate::config) fn allowed(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer(i64::MIN, i64::MAX) => "a whole number".to_owned(),
            Self::Integer(least, i64::MAX) => format!("a whole number from {least}"),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number(least, most) if *least == f64::MIN && *most == f64::MAX => "a number".to_owned(),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::String => "a text".to_owned(),
            Self::OneOf(texts) => texts.join(", "),
            Self::Array(element) | Self::Set(element) => {
                format!("a list, each element {}", element.allowed())
            }
            Self::Map { values, .. } => format!("a map, each value {}", values.allowed()),
            Self::Record(record) => format!("a map of {}", record.names().collect::<Vec<_>>().join(", ")),
            Self::Foreign(collection) => format!("the name or the id of an entity in {collection}"),
            Self::Any => "anything".to_owned(),
        }
    }
}
