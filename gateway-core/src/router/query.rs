//! What a rule asks of a query.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::{
    path_regex::PATTERN_LIMIT,
    rule_error::{RuleError, read},
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
    Pattern(Regex),
}

impl Parameter {
    pub(super) fn new(name: &str, values: &[String], errors: &mut Vec<RuleError>) -> Self {
        let values = read(&format!("queries.{name}"), Some(values), Value::parse, errors);
        Self { name: name.to_owned(), values }
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
    fn parse(text: &str) -> Result<Self, regex::Error> {
        let Some(pattern) = text.strip_prefix('~') else { return Ok(Self::Text(text.to_owned())) };
        let mut pattern = RegexBuilder::new(pattern);
        pattern.size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT).build().map(Self::Pattern)
    }

    fn takes(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => text == value,
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}
