//! What one predicate asks of a request.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{
    super::{
        captures::PathPattern,
        request::{Request, Taken},
        search_regex::SearchRegex,
    },
    field::{AddressField, NumberField, TextField},
    operator::Operator,
    predicate::{Comparison, Predicate},
    text::{TextTest, lowered, original_length},
    values,
};

/// A compiled predicate.
#[derive(Clone, Debug)]
pub(super) enum Probe {
    /// One that may take a part of the path.
    Path {
        lower: bool,
        takes: bool,
        test: PathTest,
    },
    Text {
        field: TextField,
        any: bool,
        test: TextTest,
    },
    Number {
        field: NumberField,
        least: i64,
        most: i64,
        inside: bool,
    },
    Address {
        field: AddressField,
        address: IpAddr,
        equal: bool,
    },
    Network {
        field: AddressField,
        network: IpNet,
        inside: bool,
    },
}

/// The comparisons whose part of the path is stripped (compat P46).
#[derive(Clone, Debug)]
pub(super) enum PathTest {
    Equals(Box<str>),
    Prefix(Box<str>),
    Search(Arc<SearchRegex>),
}

impl Probe {
    /// Compiles `predicate`. One that does not take only says whether it holds.
    pub(super) fn new(predicate: &Predicate, takes: bool) -> Self {
        let Predicate { lower, any, comparison } = predicate;
        let path = |test| Self::Path { lower: *lower, takes, test };
        match comparison {
            Comparison::Text(TextField::Path, Operator::Equals, text) => {
                path(PathTest::Equals(text.as_str().into()))
            }
            Comparison::Text(TextField::Path, Operator::Prefix, text) => {
                path(PathTest::Prefix(text.as_str().into()))
            }
            Comparison::Text(field, operator, text) => {
                let test = TextTest::new(*operator, &canonical(field, *operator, text), *lower);
                Self::Text { field: field.clone(), any: *any, test }
            }
            Comparison::Search(TextField::Path, search) => path(PathTest::Search(Arc::clone(&search.regex))),
            Comparison::Search(field, search) => {
                let test = TextTest::search(Arc::clone(&search.regex), *lower);
                Self::Text { field: field.clone(), any: *any, test }
            }
            Comparison::Number(field, operator, number) => Self::number(*field, *operator, *number),
            Comparison::Address(field, operator, address) => {
                Self::Address { field: *field, address: *address, equal: *operator == Operator::Equals }
            }
            Comparison::Network(field, operator, network) => {
                Self::Network { field: *field, network: *network, inside: *operator == Operator::In }
            }
        }
    }

    /// Its regular expression, if it has one.
    pub(super) fn search(&self) -> Option<&SearchRegex> {
        match self {
            Self::Path { test: PathTest::Search(regex), .. } => Some(regex),
            Self::Text { test, .. } => test.regex(),
            _ => None,
        }
    }

    fn number(field: NumberField, operator: Operator, number: i64) -> Self {
        let (least, most, inside) = match operator {
            Operator::NotEquals => (number, number, false),
            Operator::Greater => (i64::MIN, number, false),
            Operator::GreaterOrEqual => (number, i64::MAX, true),
            Operator::Less => (number, i64::MAX, false),
            Operator::LessOrEqual => (i64::MIN, number, true),
            _ => (number, number, true),
        };
        Self::Number { field, least, most, inside }
    }

    /// Whether it holds. If it takes a part of the path, that goes to `taken`.
    pub(super) fn holds<'p>(&'p self, request: &Request<'_>, taken: &mut Taken<'p>) -> bool {
        match self {
            Self::Path { lower, takes, test } => {
                let part = test.part(*lower, request);
                if let Some(part) = part
                    && *takes
                {
                    taken.matched = part.matched;
                    taken.pattern = part.pattern.or(taken.pattern);
                }
                part.is_some()
            }
            Self::Text { field, any, test } => values::pass(field, *any, test, request),
            Self::Number { field, least, most, inside } => {
                let number = values::number(*field, request);
                number.is_some_and(|number| (*least..=*most).contains(&number) == *inside)
            }
            // An IPv4 client of a listener for both families has an address of either form.
            Self::Address { field, address, equal } => {
                let own = values::address(*field, request);
                own.is_some_and(|own| (own == *address || own.to_canonical() == *address) == *equal)
            }
            Self::Network { field, network, inside } => {
                let holds = |own: IpAddr| network.contains(&own) || network.contains(&own.to_canonical());
                values::address(*field, request).is_some_and(|own| holds(own) == *inside)
            }
        }
    }
}

/// A constant in the form that its field has: hosts and server names are in lower case without a final dot (compat D1).
pub(super) fn canonical(field: &TextField, operator: Operator, text: &str) -> String {
    if !matches!(field, TextField::Host | TextField::Sni) {
        return text.to_owned();
    }
    let mut name = text.to_ascii_lowercase();
    let is_end = matches!(operator, Operator::Equals | Operator::NotEquals | Operator::Suffix);
    if is_end && name.len() > 1 && name.ends_with('.') {
        name.pop();
    }
    name
}

impl PathTest {
    /// What it takes, if it holds. Captures are those of the path as it is, so there are none in lower case.
    fn part(&self, lower: bool, request: &Request<'_>) -> Option<Taken<'_>> {
        let path = request.path();
        if lower {
            let value = |value: &[u8]| self.end(std::str::from_utf8(value).unwrap_or_default());
            let end = original_length(path, lowered(path.as_bytes(), value)?);
            return Some(Taken { matched: request.wire_length(end), pattern: None });
        }
        let pattern = if let Self::Search(regex) = self { Some(PathPattern::Search(regex)) } else { None };
        Some(Taken { matched: request.wire_length(self.end(path)?), pattern })
    }

    /// Where it ends in `path`. What it finds further in cannot be stripped, so it ends at once.
    fn end(&self, path: &str) -> Option<usize> {
        match self {
            Self::Equals(text) => (path == &**text).then_some(path.len()),
            Self::Prefix(text) => path.starts_with(&**text).then_some(text.len()),
            Self::Search(regex) => {
                regex.find(path).map(|found| if found.start() == 0 { found.end() } else { 0 })
            }
        }
    }
}
