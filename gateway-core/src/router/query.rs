//! What a rule asks of a query.

use std::{borrow::Cow, sync::Arc};

use super::{
    budget::{Budget, Compiled},
    rule_error::RuleError,
    search_regex::SearchRegex,
};

/// One parameter of the query with the values that match.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) values: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Compared as it stands.
    Text(String),
    /// `~...`, found anywhere in the value.
    Pattern(Arc<SearchRegex>),
}

impl Parameter {
    pub(super) fn new(
        name: &str,
        values: &[String],
        budget: &mut Budget,
        errors: &mut Vec<RuleError>,
    ) -> Self {
        let values = budget.read(&format!("queries.{name}"), Some(values), Value::parse, errors);
        Self { name: name.to_owned(), values }
    }

    /// Its regular expressions.
    pub(super) fn searches(&self) -> impl Iterator<Item = &SearchRegex> {
        self.values.iter().filter_map(Value::pattern)
    }

    /// Whether the parameter has one of the values. Of a parameter that comes more than once the first counts, as
    /// the Gateway API recommends. `%XX` and `+` are decoded.
    pub(super) fn admit(&self, query: Option<&str>) -> bool {
        self.find(query).is_some_and(|value| self.values.iter().any(|own| own.takes(&value)))
    }

    /// What the query has for it.
    pub(super) fn first(&self, query: Option<&str>) -> Option<String> {
        self.find(query).map(Cow::into_owned)
    }

    fn find<'q>(&self, query: Option<&'q str>) -> Option<Cow<'q, str>> {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        pairs.find(|(name, _)| *name == self.name).map(|(_, value)| value)
    }
}

impl Value {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(pattern) = text.strip_prefix('~') else { return Ok(Self::Text(text.to_owned())) };
        SearchRegex::over_text(pattern).map(Self::Pattern)
    }

    fn pattern(&self) -> Option<&SearchRegex> {
        if let Self::Pattern(pattern) = self { Some(pattern) } else { None }
    }

    fn takes(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => text == value,
            Self::Pattern(pattern) => pattern.is_match(value.as_bytes()),
        }
    }
}

impl Compiled for Value {
    fn memory(&self) -> usize {
        self.pattern().map_or(0, SearchRegex::memory)
    }
}
