//! One field of a table.

use std::borrow::Cow;

use serde_json::Value;

use super::{Kind, Record};
use crate::config::number;

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
    /// What is made up for absence.
    pub auto: Option<Auto>,
    /// Least length of a text or list. Default 1 for texts, 0 for lists.
    pub shortest: usize,
    /// Greatest length of a text or list.
    pub longest: usize,
    /// What the value must fulfil besides.
    pub checks: Vec<Check>,
    /// A regular expression (ECMA 262) that all texts match which pass the checks: for JSON Schema, it refuses nothing.
    pub pattern: Option<&'static str>,
    /// Whether no two entities may have the same value.
    pub unique: bool,
    /// Whether `{vault://...}` is looked up.
    pub referenceable: bool,
    /// Whether it is left out where it is not given, rather than null.
    pub sparse: bool,
    /// What to use in its place, where it is on its way out.
    pub deprecated: Option<Cow<'static, str>>,
    /// Meaning and unit.
    pub doc: Cow<'static, str>,
}

/// What is made up for a field that is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auto {
    /// 32 random letters and digits.
    Secret,
    /// An id.
    Id,
    /// The time, in Unix seconds. In a file 0 stands for it: not known.
    Time,
}

/// What a value must fulfil besides its kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Check {
    /// A number above this one.
    GreaterThan(f64),
    /// None of these texts.
    NotOneOf(&'static [&'static str]),
    /// A text that begins so.
    StartsWith(&'static str),
    /// Whatever the function says.
    With(fn(&Value) -> Result<(), String>),
}

impl Check {
    /// Kong's words for what is wrong with `value`, if anything is.
    pub(in crate::config) fn refusal(&self, value: &Value) -> Option<String> {
        match self {
            Self::GreaterThan(bound) => {
                let low = value.as_f64().is_some_and(|number| number <= *bound);
                low.then(|| format!("value must be greater than {bound}"))
            }
            Self::NotOneOf(texts) => {
                let refused = value.as_str().is_some_and(|text| texts.contains(&text));
                refused.then(|| format!("must not be one of: {}", texts.join(", ")))
            }
            Self::StartsWith(start) => {
                let other = value.as_str().is_some_and(|text| !text.starts_with(start));
                other.then(|| format!("should start with: {start}"))
            }
            Self::With(check) => check(value).err(),
        }
    }
}

/// What a field takes.
impl Field {
    fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name: Cow::Borrowed(name),
            shortest: usize::from(matches!(kind, Kind::String)),
            kind,
            required: false,
            default: None,
            auto: None,
            longest: usize::MAX,
            checks: Vec::new(),
            pattern: None,
            unique: false,
            referenceable: false,
            sparse: false,
            deprecated: None,
            doc: Cow::Borrowed(""),
        }
    }

    /// A text, at least one character long.
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
        Self::array(name, Self::string(""))
    }

    /// A list. The name of `element` does not matter.
    #[must_use]
    pub fn array(name: &'static str, element: Self) -> Self {
        Self::new(name, Kind::Array(Box::new(element)))
    }

    /// A list in which each value counts once. The name of `element` does not matter.
    #[must_use]
    pub fn set(name: &'static str, element: Self) -> Self {
        Self::new(name, Kind::Set(Box::new(element)))
    }

    /// A map from text. The names of `keys` and `values` do not matter.
    #[must_use]
    pub fn map(name: &'static str, keys: Self, values: Self) -> Self {
        Self::new(name, Kind::Map { keys: Box::new(keys), values: Box::new(values) })
    }

    /// Fields of its own. Where it is [`required`](Self::required), absence means all their
    /// defaults.
    #[must_use]
    pub fn record(name: &'static str, record: Record) -> Self {
        Self::new(name, Kind::Record(record))
    }

    /// A reference to an entity of `collection`, by name or id.
    #[must_use]
    pub fn foreign(name: &'static str, collection: &'static str) -> Self {
        Self::new(name, Kind::Foreign(collection))
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

    /// Anything.
    #[must_use]
    pub fn any(name: &'static str) -> Self {
        Self::new(name, Kind::Any)
    }
}

/// What else it says.
impl Field {
    /// What may stand there, and what it means.
    pub(in crate::config) fn allowed(&self) -> String {
        let kind = self.kind.allowed();
        if self.doc.is_empty() { kind } else { format!("{kind}: {}", self.doc) }
    }

    /// The same, left out where it is not given: it is null nowhere, and has no default.
    #[must_use]
    pub fn sparse(mut self) -> Self {
        self.sparse = true;
        self
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
        self.default = Some(number::normal(value.into()));
        self
    }

    /// The same, made up where absent.
    #[must_use]
    pub fn auto(mut self, auto: Auto) -> Self {
        self.auto = Some(auto);
        self
    }

    /// The same for numbers from `least` to `most`, both included.
    #[must_use]
    pub fn between(mut self, least: i64, most: i64) -> Self {
        // Tables are written by hand with small numbers: nothing is lost.
        #[expect(clippy::cast_precision_loss)]
        match &mut self.kind {
            Kind::Number(from, to) => (*from, *to) = (least as f64, most as f64),
            kind => *kind = Kind::Integer(least, most),
        }
        self
    }

    /// The same for numbers above `bound`.
    #[must_use]
    pub fn greater_than(mut self, bound: i32) -> Self {
        self.checks.push(Check::GreaterThan(bound.into()));
        self
    }

    /// The same for texts or lists of at least this length.
    #[must_use]
    pub const fn shortest(mut self, length: usize) -> Self {
        self.shortest = length;
        self
    }

    /// The same for texts or lists of at most this length.
    #[must_use]
    pub const fn longest(mut self, length: usize) -> Self {
        self.longest = length;
        self
    }

    /// The same without these texts.
    #[must_use]
    pub fn not_one_of(mut self, texts: &'static [&'static str]) -> Self {
        self.checks.push(Check::NotOneOf(texts));
        self
    }

    /// The same for texts that begin so.
    #[must_use]
    pub fn starts_with(mut self, start: &'static str) -> Self {
        self.checks.push(Check::StartsWith(start));
        self
    }

    /// The same with a check of its own: `Err` says what is wrong.
    #[must_use]
    pub fn check(mut self, check: fn(&Value) -> Result<(), String>) -> Self {
        self.checks.push(Check::With(check));
        self
    }

    /// The same, with a regular expression (ECMA 262) that all texts match which pass its checks. Only JSON Schema
    /// shows it; it refuses nothing.
    #[must_use]
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// The same, with no two entities of the same value.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same, with `{vault://...}` looked up.
    #[must_use]
    pub const fn referenceable(mut self) -> Self {
        self.referenceable = true;
        self
    }

    /// The same, on its way out: `instead` says what to use.
    #[must_use]
    pub fn deprecated(mut self, instead: &'static str) -> Self {
        self.deprecated = Some(Cow::Borrowed(instead));
        self
    }

    /// The same, with its meaning.
    #[must_use]
    pub fn doc(mut self, text: &'static str) -> Self {
        self.doc = Cow::Borrowed(text);
        self
    }
}
