//! What the fields of a table must fulfil together.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What the fields of a table must fulfil together. Names are dotted where they lead into records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// Not all of these are empty.
    AtLeastOneOf(Names),
    /// Not two of these are set.
    MutuallyExclusive(Names),
    /// All of these are set, or none.
    MutuallyRequired(Names),
    /// No two of these are equal.
    Distinct(&'static [&'static str]),
    /// Where a field has one of these values, another one is bound.
    Conditional {
        /// The field that is looked at.
        when: &'static str,
        /// The values that count.
        is: &'static [&'static str],
        /// The field that is bound.
        then: &'static str,
        /// To what.
        must: Must,
    },
    /// Where a field has this value, another one is set: what a table that is not written here can say of it.
    RequiredWhere {
        /// The field that is looked at.
        when: Cow<'static, str>,
        /// The value that counts.
        is: Cow<'static, str>,
        /// The field that then is set.
        then: Cow<'static, str>,
    },
    /// Whatever the function says.
    With {
        /// The fields that must be right for it to be asked; none: all of them. Other fields
        /// may hold what is wrong with them.
        of: &'static [&'static str],
        /// What is wrong.
        check: fn(&Map<String, Value>) -> Vec<Violation>,
    },
}

/// Names of fields.
pub type Names = Box<[Cow<'static, str>]>;

/// What a conditional rule asks of a field.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Must {
    /// It is set.
    BeSet,
    /// It is not set.
    BeNull,
    /// It is one of these texts.
    BeOneOf(&'static [&'static str]),
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field that is wrong, dotted; empty for the record itself; none where it is its fields
    /// together.
    pub field: Option<Cow<'static, str>>,
    /// What is wrong.
    pub message: String,
    /// Whether this only follows from another violation.
    pub implied: bool,
}

impl Violation {
    /// Something wrong with one field.
    #[must_use]
    pub fn field(name: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(Cow::Borrowed(name)), message: message.into(), implied: false }
    }

    /// Something wrong with the fields together.
    #[must_use]
    pub fn entity(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), implied: false }
    }
}

impl Rule {
    /// Not all of these are empty.
    pub fn at_least_one_of<N: Into<Cow<'static, str>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::AtLeastOneOf(names.into_iter().map(Into::into).collect())
    }

    /// Not two of these are set.
    pub fn mutually_exclusive<N: Into<Cow<'static, str>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::MutuallyExclusive(names.into_iter().map(Into::into).collect())
    }

    /// All of these are set, or none.
    pub fn mutually_required<N: Into<Cow<'static, str>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::MutuallyRequired(names.into_iter().map(Into::into).collect())
    }

    /// Where the field `when` has this value, the field `then` is set.
    pub fn required_where<N: Into<Cow<'static, str>>>(when: N, is: N, then: N) -> Self {
        Self::RequiredWhere { when: when.into(), is: is.into(), then: then.into() }
    }

    /// What is wrong with `fields`. `prefix` stands before the names of fields in messages.
    pub(in crate::config) fn violations(&self, fields: &Map<String, Value>, prefix: &str) -> Vec<Violation> {
        match self {
            Self::AtLeastOneOf(names) => {
                let empty = names.iter().all(|name| !is_set(fields, name));
                let message =
                    || format!("at least one of these fields must be non-empty: {}", quoted(names, prefix));
                empty.then(|| Violation::entity(message())).into_iter().collect()
            }
            Self::MutuallyExclusive(names) => {
                let set = names.iter().filter(|name| is_set(fields, name)).count();
                let sets = names.iter().map(|name| format!("('{prefix}{name}')")).collect::<Vec<_>>();
                let message = || format!("these sets are mutually exclusive: {}", sets.join(", "));
                (set > 1).then(|| Violation::entity(message())).into_iter().collect()
            }
            Self::MutuallyRequired(names) => {
                let set = names.iter().filter(|name| is_set(fields, name)).count();
                let message =
                    || format!("all or none of these fields must be set: {}", quoted(names, prefix));
                (set > 0 && set < names.len()).then(|| Violation::entity(message())).into_iter().collect()
            }
            Self::Distinct(names) => {
                let values: Vec<_> =
                    names.iter().filter_map(|name| at(fields, name)).filter(|v| !v.is_null()).collect();
                let equal =
                    values.iter().enumerate().any(|(i, value)| values.iter().skip(i + 1).any(|v| v == value));
                let message =
                    || format!("values of these fields must be distinct: {}", quoted(names, prefix));
                equal.then(|| Violation::entity(message())).into_iter().collect()
            }
            Self::Conditional { when, is, then, must } => {
                let value = at(fields, when).and_then(Value::as_str);
                match value.filter(|value| is.contains(value)).and_then(|_| must.refusal(at(fields, then))) {
                    Some(message) => conditional(when, Cow::Borrowed(then), message, prefix),
                    None => Vec::new(),
                }
            }
            Self::RequiredWhere { when, is, then } => {
                let applies = at(fields, when).and_then(Value::as_str) == Some(is.as_ref());
                match applies.then(|| Must::BeSet.refusal(at(fields, then))).flatten() {
                    Some(message) => conditional(when, then.clone(), message, prefix),
                    None => Vec::new(),
                }
            }
            Self::With { check, .. } => check(fields),
        }
    }

    /// The fields that it looks at; none: all of them.
    pub(in crate::config) fn inputs(&self) -> Vec<&str> {
        match self {
            Self::AtLeastOneOf(names) | Self::MutuallyExclusive(names) | Self::MutuallyRequired(names) => {
                names.iter().map(AsRef::as_ref).collect()
            }
            Self::Distinct(names) => names.to_vec(),
            Self::Conditional { when, then, .. } => vec![when, then],
            Self::RequiredWhere { when, then, .. } => vec![when.as_ref(), then.as_ref()],
            Self::With { of, .. } => of.to_vec(),
        }
    }
}

impl Must {
    fn refusal(self, value: Option<&Value>) -> Option<String> {
        let value = value.filter(|value| !value.is_null());
        match self {
            Self::BeSet => value.is_none().then(|| "required field missing".to_owned()),
            Self::BeNull => value.map(|_| "value must be null".to_owned()),
            Self::BeOneOf(texts) => {
                let fits = value.and_then(Value::as_str).is_none_or(|text| texts.contains(&text));
                (!fits).then(|| format!("expected one of: {}", texts.join(", ")))
            }
        }
    }
}

/// Kong names the field, and says at the entity that the condition failed (compat A34).
fn conditional(when: &str, then: Cow<'static, str>, message: String, prefix: &str) -> Vec<Violation> {
    let whole = format!("failed conditional validation given value of field '{prefix}{when}'");
    let field = Violation { field: Some(then), message, implied: false };
    vec![field, Violation { implied: true, ..Violation::entity(whole) }]
}

fn quoted(names: &[impl AsRef<str>], prefix: &str) -> String {
    names.iter().map(|name| format!("'{prefix}{}'", name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The value at a dotted name.
fn at<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let mut parts = name.split('.');
    let first = fields.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    match at(fields, name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(_) => true,
    }
}
