//! What a rule asks of a request beside host and path.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{
    Head,
    budget::{Budget, Compiled},
    host::Name,
    query::Parameter,
    rule_error::{RuleError, read},
    search_regex::SearchRegex,
};
use crate::config::Route;

/// All that neither host nor path decides; an empty list asks for nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Predicates {
    pub(super) methods: Vec<Method>,
    pub(super) headers: Vec<Header>,
    pub(super) snis: Vec<Name>,
    pub(super) queries: Vec<Parameter>,
}

/// How the values of header fields are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderValues {
    /// `~*` begins an expression wherever it stands; case does not count (compat R8, P41).
    Each,
    /// `~*` begins an expression where it stands alone; case does not count (compat R8).
    Single,
    /// `~*` begins an expression wherever it stands; case counts, in expressions too.
    Exact,
}

/// One header name with the values that match.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) values: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Compared without regard to ASCII case.
    Text(String),
    /// Compared as it stands.
    Exact(String),
    /// `~*...`, found anywhere in the value.
    Pattern(Arc<SearchRegex>),
}

impl Predicates {
    /// Those of `route`. What cannot be read is pushed to `errors`.
    pub(super) fn new(
        route: &Route,
        reading: HeaderValues,
        budget: &mut Budget,
        errors: &mut Vec<RuleError>,
    ) -> Self {
        let method = |text: &str| Method::from_bytes(text.as_bytes());
        let headers = route.headers.iter().flatten();
        let queries = route.queries.iter().flatten();
        Self {
            methods: read("methods", route.methods.as_deref(), method, errors),
            headers: headers
                .filter_map(|(name, values)| Header::new(name, values, reading, budget, errors))
                .collect(),
            snis: read("snis", route.snis.as_deref(), Name::parse, errors),
            queries: queries.map(|(name, values)| Parameter::new(name, values, budget, errors)).collect(),
        }
    }

    /// Their regular expressions.
    pub(super) fn searches(&self) -> impl Iterator<Item = &SearchRegex> {
        let headers = self.headers.iter().flat_map(|header| &header.values).filter_map(Value::pattern);
        headers.chain(self.queries.iter().flat_map(Parameter::searches))
    }

    /// Whether they ask for nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.headers.is_empty() && self.snis.is_empty() && self.queries.is_empty()
    }

    /// The methods of which a request must have one; none: any.
    pub(super) fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// The header fields of which all values that match are known, with these.
    pub(super) fn exact_headers(&self) -> impl Iterator<Item = (&HeaderName, Vec<&str>)> {
        self.headers.iter().filter_map(|header| {
            let values = header.values.iter().map(Value::text).collect::<Option<_>>()?;
            Some((&header.name, values))
        })
    }

    /// Whether the request has what is asked.
    pub(super) fn admit(&self, head: &Head<'_>) -> bool {
        (self.methods.is_empty() || self.methods.contains(head.method))
            && self.admit_sni(head)
            && self.headers.iter().all(|header| header.admit(head.headers))
            && self.queries.iter().all(|parameter| parameter.admit(head.query))
    }

    /// Server names count on TLS only (compat R10).
    pub(super) fn admit_sni(&self, head: &Head<'_>) -> bool {
        self.snis.is_empty() || !head.scheme.is_tls() || head.sni.is_some_and(|sni| self.names(sni))
    }

    fn names(&self, sni: &str) -> bool {
        let sni = sni.strip_suffix('.').unwrap_or(sni);
        self.snis.iter().any(|name| name.matches(sni))
    }
}

impl Header {
    fn new(
        name: &str,
        values: &[String],
        reading: HeaderValues,
        budget: &mut Budget,
        errors: &mut Vec<RuleError>,
    ) -> Option<Self> {
        let field = format!("headers.{name}");
        let is_plain = reading == HeaderValues::Single && values.len() > 1;
        let value = |text: &str| {
            if is_plain { Ok(Value::Text(text.to_owned())) } else { Value::parse(text, reading) }
        };
        let values = budget.read(&field, Some(values), value, errors);
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Some(Self { name, values }),
            Err(error) => {
                errors.push(RuleError { field, message: error.to_string() });
                None
            }
        }
    }

    /// Any field of the name with any of the values (compat P41). A list with commas is one value: the cache that
    /// makes Kong take it for two now and then is not copied (compat P45).
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.name).iter().any(|field| self.values.iter().any(|value| value.takes(field)))
    }
}

impl Value {
    fn parse(text: &str, reading: HeaderValues) -> Result<Self, String> {
        let exact = reading == HeaderValues::Exact;
        let Some(pattern) = text.strip_prefix("~*") else {
            return Ok(if exact { Self::Exact(text.to_owned()) } else { Self::Text(text.to_owned()) });
        };
        // As a flag in front, so that what is equal as a text is equal.
        let pattern = if exact { pattern.to_owned() } else { format!("(?i){pattern}") };
        SearchRegex::over_bytes(&pattern).map(Self::Pattern)
    }

    /// The only value that it takes, but for case.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Exact(text) => Some(text),
            Self::Pattern(_) => None,
        }
    }

    fn pattern(&self) -> Option<&SearchRegex> {
        if let Self::Pattern(pattern) = self { Some(pattern) } else { None }
    }

    fn takes(&self, field: &HeaderValue) -> bool {
        match self {
            Self::Text(text) => field.as_bytes().eq_ignore_ascii_case(text.as_bytes()),
            Self::Exact(text) => field.as_bytes() == text.as_bytes(),
            Self::Pattern(pattern) => pattern.is_match(field.as_bytes()),
        }
    }
}

impl Compiled for Value {
    fn memory(&self) -> usize {
        self.pattern().map_or(0, SearchRegex::memory)
    }
}
