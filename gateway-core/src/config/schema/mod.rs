//! Tables of fields: what an entity or a plugin's `config` takes.
//!
//! One table drives decoding, defaults, Kong's messages, `/schemas`, JSON Schema and the docs.
//!
//! ```
//! use gateway_core::config::schema::{Field, Record, Rule};
//!
//! let table = Record::new(vec![
//!     Field::integer("minute").greater_than(0).doc("Requests a minute."),
//!     Field::integer("hour").greater_than(0).doc("Requests an hour."),
//!     Field::one_of("policy", &["local", "redis"]).default("local").doc("Where to count."),
//! ])
//! .rule(Rule::at_least_one_of(["minute", "hour"]));
//! assert_eq!(table.field("policy").and_then(|field| field.default.clone()), Some("local".into()));
//! ```

mod check;
mod field;
mod from_json;
mod json_schema;
mod kind;
mod kong_schema;
mod rule;
mod tables;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use field::{Auto, Check, Field};
pub use json_schema::file_schema;
pub use kind::Kind;
pub use rule::{Must, Names, Rule, Violation};
pub use tables::entity;

pub(super) use check::{digest_of, is_reference};
pub(super) use tables::EntityKind;

/// From the fields given, defaults for others.
pub type DependentDefaults = fn(&Map<String, Value>) -> Vec<(&'static str, Value)>;

/// What a shorthand stands for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Expand {
    /// From its value, dotted names of fields and their values.
    With(fn(&Value) -> Vec<(&'static str, Value)>),
    /// This field, dotted.
    To(Cow<'static, str>),
}

impl Expand {
    /// Dotted names of fields, and their values.
    pub(in crate::config) fn of(&self, value: Value) -> Vec<(Cow<'_, str>, Value)> {
        match self {
            Self::With(expand) => {
                expand(&value).into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect()
            }
            Self::To(name) => vec![(Cow::Borrowed(name), value)],
        }
    }
}

/// The fields of one entity, or of one plugin's `config`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Record {
    /// The fields, in the order of the documentation.
    pub fields: Vec<Field>,
    /// What the fields must fulfil together.
    pub rules: Vec<Rule>,
    /// Fields that stand for others and do not come back: a service's `url`.
    pub shorthands: Vec<Shorthand>,
    /// Defaults that hang on the fields given. They go before the fields' own.
    pub dependent_defaults: Option<DependentDefaults>,
    /// For the `config` of a plugin: where such a plugin may be put.
    pub placement: Placement,
    /// Whether fields that are not in the table are kept as they are, where others refuse them.
    pub open: bool,
}

/// A field that stands for others.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shorthand {
    /// The field.
    pub field: Field,
    /// What its value stands for.
    pub expand: Expand,
}

/// Where a plugin may be put.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Placement {
    /// References that must be null: of `consumer`, `consumer_group`, `route`, `service`.
    pub refused: Vec<Cow<'static, str>>,
    /// The protocols that it may name, which are its default, too.
    pub protocols: Vec<Cow<'static, str>>,
}

impl Default for Placement {
    fn default() -> Self {
        let protocols = ["grpc", "grpcs", "http", "https"].map(Cow::Borrowed).to_vec();
        Self { refused: Vec::new(), protocols }
    }
}

/// Where the tables of plugins come from.
pub trait PluginSchemas {
    /// The table of the `config` of the plugin `name`, if there is such a plugin.
    fn schema(&self, name: &str) -> Option<&Record>;

    /// The plugins there are, for suggestions where a name was mistyped.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Record {
    /// A table of these fields.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, ..Self::default() }
    }

    /// The same with something that the fields must fulfil together.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The same with a field that stands for others. `expand` gives dotted names of fields and
    /// their values.
    #[must_use]
    pub fn shorthand(mut self, field: Field, expand: fn(&Value) -> Vec<(&'static str, Value)>) -> Self {
        self.shorthands.push(Shorthand { field, expand: Expand::With(expand) });
        self
    }

    /// The same with defaults that hang on the fields given.
    #[must_use]
    pub fn dependent_defaults(mut self, defaults: DependentDefaults) -> Self {
        self.dependent_defaults = Some(defaults);
        self
    }

    /// The same, which keeps fields that are not in the table as they are: for a plugin that alone knows what
    /// its configuration may hold.
    #[must_use]
    pub const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// The same for a plugin that cannot be put on a consumer: it runs before one is known.
    #[must_use]
    pub fn no_consumer(self) -> Self {
        self.refuse("consumer").refuse("consumer_group")
    }

    /// The same for a plugin that cannot be put on a route.
    #[must_use]
    pub fn no_route(self) -> Self {
        self.refuse("route")
    }

    /// The same for a plugin that cannot be put on a service.
    #[must_use]
    pub fn no_service(self) -> Self {
        self.refuse("service")
    }

    fn refuse(mut self, reference: &'static str) -> Self {
        self.placement.refused.push(Cow::Borrowed(reference));
        self
    }

    /// The same for a plugin that serves these protocols.
    #[must_use]
    pub fn protocols(mut self, protocols: &[&'static str]) -> Self {
        self.placement.protocols = protocols.iter().map(|name| Cow::Borrowed(*name)).collect();
        self
    }

    /// The field at a dotted name: `redis.host`.
    #[must_use]
    pub fn field_at(&self, name: &str) -> Option<&Field> {
        let Some((first, rest)) = name.split_once('.') else { return self.field(name) };
        match &self.field(first)?.kind {
            Kind::Record(record) => record.field_at(rest),
            _ => None,
        }
    }

    /// The field named `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// All names that the table takes, shorthands included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let shorthands = self.shorthands.iter().map(|shorthand| &shorthand.field);
        self.fields.iter().chain(shorthands).map(|field| field.name.as_ref())
    }
}
