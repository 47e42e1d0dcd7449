//! Tables of fields: what an entity or a plugin's `config` takes.
//!
//! One table drives decoding, defaults, Kong's messages, `/schemas`, JSON Schema and the docs.

use std::borrow::Cow;

use serde_json::Value;

/// The fields of one entity, or of one plugin's `config`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Record {
    /// The fields, in the order of the documentation.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Field {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What it takes.
    pub kind: Kind,
    /// Whether null and absence are refused.
    pub required: bool,
    /// What stands in for absence.
    pub default: Option<Value>,
    /// Meaning and unit.
    pub doc: Cow<'static, str>,
}

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
    Array(Box<Kind>),
    /// A map from text.
    Map(Box<Kind>),
    /// Fields of its own.
    Record(Record),
    /// Anything.
    Any,
}

/// Where the tables of plugins come from.
pub trait PluginSchemas {
    /// The table of the `config` of the plugin `name`, if there is such a plugin.
    fn schema(&self, name: &str) -> Option<&Record>;
}

impl Record {
    /// A table of these fields.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }
}

impl Field {
    fn new(name: &'static str, kind: Kind) -> Self {
        Self { name: Cow::Borrowed(name), kind, required: false, default: None, doc: Cow::Borrowed("") }
    }

    /// A text.
    #[must_use]
    pub fn string(name: &'static str) -> Self {
        Self::new(name, Kind::String)
    }

    /// One of these texts.
    #[must_use]
    pub fn one_of(name: &'static str, allowed: &[&'static str]) -> Self {
        Self::new(name, Kind::OneOf(allowed.iter().map(|text| Cow::Borrowed(*text)).collect()))
    }

    /// A list of texts.
    #[must_use]
    pub fn strings(name: &'static str) -> Self {
        Self::new(name, Kind::Array(Box::new(Kind::String)))
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(name: &'static str) -> Self {
        Self::new(name, Kind::Boolean)
    }

    /// A whole number.
    #[must_use]
    pub fn integer(name: &'static str) -> Self {
        Self::new(name, Kind::Integer(i64::MIN, i64::MAX))
    }

    /// A number.
    #[must_use]
    pub fn number(name: &'static str) -> Self {
        Self::new(name, Kind::Number(f64::MIN, f64::MAX))
    }

    /// The same, refused where absent.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, with what stands in for absence.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// The same, with its meaning.
    #[must_use]
    pub fn doc(mut self, text: &'static str) -> Self {
        self.doc = Cow::Borrowed(text);
        self
    }
}
