//! What a configuration may hold, as a constant: `#[config]` makes it of a type, and the manifest carries it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A type that `#[config]` stands on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no configuration",
    label = "put `#[config]` on it",
    note = "a plugin without a configuration takes `()`"
)]
pub trait Record {
    /// Its fields.
    const TABLE: Table;
}

/// A type that a field can have.
///
/// ```compile_fail
/// # use plugin_sdk::prelude::*;
/// /// Sets are lists with `#[field(set)]`.
/// #[config]
/// struct Config {
///     names: std::collections::HashSet<String>,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a field of a configuration cannot be a `{Self}`",
    label = "expected bool, u8 to u64, i32, i64, f64, String, Option, Vec, BTreeMap<String, _>, or a type with `#[config]`"
)]
pub trait Typed: Sized {
    /// What it takes.
    const KIND: Kind;
    /// Whether null and absence are values of it.
    const OPTIONAL: bool = false;
}

/// The fields of a record, and what they must fulfil together.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The fields.
    pub fields: &'static [Field],
    /// The rules.
    pub rules: &'static [Rule],
    /// Names on their way out, and the dotted names of the fields that they stand for.
    pub shorthands: &'static [(&'static str, &'static str)],
}

impl Table {
    /// A table of nothing.
    pub const EMPTY: Self = Self { fields: &[], rules: &[], shorthands: &[] };
}

/// A field. What is none or empty is not said of it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Meaning and unit, from the doc comment.
    pub doc: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether null is refused. Fields that are no `Option` are required; an absent one takes its default.
    pub required: bool,
    /// What stands in for absence, as JSON.
    pub default: Option<&'static str>,
    /// Numbers above this one.
    pub greater_than: Option<i64>,
    /// Numbers from the first to the second, both included.
    pub between: Option<(i64, i64)>,
    /// Texts and lists of at least this length. Texts have at least one character where nothing is said.
    pub shortest: Option<usize>,
    /// Texts and lists of at most this length.
    pub longest: Option<usize>,
    /// Texts, or elements of a list, that are one of these.
    pub one_of: &'static [&'static str],
    /// What texts, or elements, must look like: one of the words of [`config`](crate::config)'s `format`.
    pub format: Option<&'static str>,
    /// A list in which each value counts once.
    pub set: bool,
    /// Whether `{vault://...}` is looked up.
    pub referenceable: bool,
    /// What to use in its place, where it is on its way out.
    pub deprecated: Option<&'static str>,
}

impl Field {
    /// A field of the type `T`.
    #[must_use]
    pub const fn of<T: Typed>(name: &'static str) -> Self {
        Self {
            name,
            doc: "",
            kind: T::KIND,
            required: !T::OPTIONAL,
            default: None,
            greater_than: None,
            between: None,
            shortest: None,
            longest: None,
            one_of: &[],
            format: None,
            set: false,
            referenceable: false,
            deprecated: None,
        }
    }
}

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number between these, both included.
    Integer(i64, i64),
    /// A number.
    Number,
    /// A text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list.
    List(&'static Self),
    /// A map from text.
    Map(&'static Self),
    /// Fields of its own; absent, all their defaults.
    Record(&'static Table),
    /// Anything.
    Any,
}

/// What fields must fulfil together.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Not all of these are empty.
    AtLeastOneOf(&'static [&'static str]),
    /// Not two of these are set.
    MutuallyExclusive(&'static [&'static str]),
    /// All of these are set, or none.
    MutuallyRequired(&'static [&'static str]),
    /// Where the first has this value, the last is set; names are dotted where they lead into records.
    RequiredWhere(&'static [&'static str; 3]),
}

macro_rules! typed {
    ($($type:ty => $kind:expr),* $(,)?) => {
        $(impl Typed for $type {
            const KIND: Kind = $kind;
        })*
    };
}

typed! {
    bool => Kind::Boolean,
    u8 => Kind::Integer(0, u8::MAX as i64),
    u16 => Kind::Integer(0, u16::MAX as i64),
    u32 => Kind::Integer(0, u32::MAX as i64),
    u64 => Kind::Integer(0, i64::MAX),
    i32 => Kind::Integer(i32::MIN as i64, i32::MAX as i64),
    i64 => Kind::Integer(i64::MIN, i64::MAX),
    f64 => Kind::Number,
    String => Kind::Text,
    Value => Kind::Any,
}

impl<T: Typed> Typed for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
}

impl<T: Typed> Typed for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
}

impl<T: Typed> Typed for BTreeMap<String, T> {
    const KIND: Kind = Kind::Map(&T::KIND);
}

/// A plugin without configuration.
impl Record for () {
    const TABLE: Table = Table::EMPTY;
}

/// `value` with the defaults of `table` where it has nothing: for hosts that do not know the table.
pub(crate) fn filled(table: &Table, value: Value) -> Value {
    let Value::Object(mut fields) = value else { return value };
    for (name, to) in table.shorthands {
        if let Some(value) = fields.remove(*name).filter(|value| !value.is_null()) {
            put(&mut fields, to, value);
        }
    }
    for field in table.fields {
        fill(&mut fields, field);
    }
    Value::Object(fields)
}

/// Sets a dotted name.
fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((first, rest)) = name.split_once('.') else {
        return drop(fields.insert(name.to_owned(), value));
    };
    let inner = fields.entry(first).or_insert(Value::Null);
    if inner.is_null() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

fn fill(fields: &mut Map<String, Value>, field: &Field) {
    match (fields.remove(field.name), field.kind, field.default) {
        (Some(given), Kind::Record(table), _) => {
            drop(fields.insert(field.name.to_owned(), filled(table, given)));
        }
        (Some(given), ..) => drop(fields.insert(field.name.to_owned(), given)),
        (None, _, Some(json)) => {
            let default = serde_json::from_str(json).unwrap_or_default();
            fields.insert(field.name.to_owned(), default);
        }
        (None, Kind::Record(table), None) if field.required => {
            fields.insert(field.name.to_owned(), filled(table, Value::Object(Map::new())));
        }
        (None, ..) => {}
    }
}
