//! One comparison of a field with a constant.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::{
    super::budget::Compiled,
    field::{AddressField, Field, NumberField, TextField},
    literal::{Literal, quote},
    operator::Operator,
    search::Search,
};

/// One comparison of a field of a request with a constant: `http.path ^= "/users"`. Shown as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Whether text is compared in lower case.
    pub(super) lower: bool,
    /// Whether one value is enough, where a field has several.
    pub(super) any: bool,
    pub(super) comparison: Comparison,
}

/// A comparison whose sides and operator fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `==`, `!=`, `^=`, `=^`, `contains`.
    Text(TextField, Operator, String),
    /// `~`.
    Search(TextField, Search),
    /// `==`, `!=`, `>`, `>=`, `<`, `<=`.
    Number(NumberField, Operator, i64),
    /// `==`, `!=`.
    Address(AddressField, Operator, IpAddr),
    /// `in`, `not in`.
    Network(AddressField, Operator, IpNet),
}

/// The left side of a predicate.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) field: Field,
    pub(super) lower: bool,
    pub(super) any: bool,
}

/// Why the parts do not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Which part is wrong.
    pub(super) part: Part,
    /// Kong's words.
    pub(super) words: Option<&'static str>,
    /// What is wrong, and what would be right.
    pub(super) note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Field,
    Operator,
    Literal,
}

const MISMATCH: &str = "Type mismatch between the LHS and RHS values of predicate";
const LOWER: &str = "lower-case transformation function only supported with String type fields";
const MATCHES: &str = "Regex operators only supports string operands";
const PREFIX: &str = "Regex/Prefix/Postfix operators only supports string operands";
const GREATER: &str = "Greater/GreaterOrEqual/Lesser/LesserOrEqual operators only supports integer operands";
const IN: &str = "In/NotIn operators only supports IP in CIDR";
const CONTAINS: &str = "Contains operator only supports string operands";

impl Predicate {
    /// The predicate of these parts, if they fit. What is checked first is what Kong checks first.
    pub(super) fn new(left: Left, operator: Operator, literal: Literal) -> Result<Self, Misfit> {
        use Operator::{Contains, Equals, In, Matches, NotEquals, NotIn, Prefix, Suffix};
        let Left { field, lower, any } = left;
        let misfit = |part, words| Misfit { part, words: Some(words), note: takes(&field) };
        let is_text = matches!(field, Field::Text(_));
        if !matches!(operator, Matches | In | NotIn) && !same_kind(&field, &literal) {
            return Err(misfit(Part::Literal, MISMATCH));
        }
        if lower && !is_text {
            return Err(misfit(Part::Field, LOWER));
        }
        let comparison = match (field.clone(), operator, literal) {
            (Field::Text(field), Matches, Literal::Text(text)) => search(field, text)?,
            (_, Matches, Literal::Text(_)) => return Err(misfit(Part::Operator, MATCHES)),
            (_, Matches, _) => {
                let note = "regex operator can only be used with String operands".to_owned();
                return Err(Misfit { part: Part::Literal, words: None, note });
            }
            (Field::Address(field), In | NotIn, Literal::Network(network)) => {
                Comparison::Network(field, operator, network)
            }
            (_, In | NotIn, _) => return Err(misfit(Part::Operator, IN)),
            (Field::Text(field), Equals | NotEquals | Prefix | Suffix | Contains, Literal::Text(text)) => {
                Comparison::Text(field, operator, text)
            }
            (_, Prefix | Suffix, _) => return Err(misfit(Part::Operator, PREFIX)),
            (_, Contains, _) => return Err(misfit(Part::Operator, CONTAINS)),
            (Field::Number(field), _, Literal::Number(number)) => Comparison::Number(field, operator, number),
            (Field::Address(field), Equals | NotEquals, Literal::Address(address)) => {
                Comparison::Address(field, operator, address)
            }
            _ => return Err(misfit(Part::Operator, GREATER)),
        };
        Ok(Self { lower, any, comparison })
    }
}

impl Compiled for Predicate {
    fn memory(&self) -> usize {
        if let Comparison::Search(_, search) = &self.comparison { search.regex.memory() } else { 0 }
    }
}

fn search(field: TextField, text: String) -> Result<Comparison, Misfit> {
    let search = if field == TextField::Path { Search::path(text) } else { Search::bytes(text) };
    let misfit = |note| Misfit { part: Part::Literal, words: None, note };
    search.map(|search| Comparison::Search(field, search)).map_err(misfit)
}

fn same_kind(field: &Field, literal: &Literal) -> bool {
    matches!(
        (field, literal),
        (Field::Text(_), Literal::Text(_))
            | (Field::Number(_), Literal::Number(_))
            | (Field::Address(_), Literal::Address(_))
    )
}

/// What may be asked of a field.
fn takes(field: &Field) -> String {
    match field {
        Field::Text(_) => {
            format!("`{field}` is a String: it takes ==, !=, ~, ^=, =^ and contains with a \"text\"")
        }
        Field::Number(_) => format!("`{field}` is an Int: it takes ==, !=, >, >=, < and <= with a number"),
        Field::Address(_) => {
            format!("`{field}` is an IpAddr: it takes == and != with an address, in and not in with a range")
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field: &dyn fmt::Display = match &self.comparison {
            Comparison::Text(field, ..) | Comparison::Search(field, _) => field,
            Comparison::Number(field, ..) => &Field::Number(*field),
            Comparison::Address(field, ..) | Comparison::Network(field, ..) => &Field::Address(*field),
        };
        match (self.any, self.lower) {
            (false, false) => write!(f, "{field} "),
            (false, true) => write!(f, "lower({field}) "),
            (true, false) => write!(f, "any({field}) "),
            (true, true) => write!(f, "any(lower({field})) "),
        }?;
        match &self.comparison {
            Comparison::Text(_, operator, text) => {
                write!(f, "{operator} ")?;
                quote(text, f)
            }
            Comparison::Search(_, search) => {
                f.write_str("~ ")?;
                quote_pattern(&search.text, f)
            }
            Comparison::Number(_, operator, number) => write!(f, "{operator} {number}"),
            Comparison::Address(_, operator, address) => write!(f, "{operator} {address}"),
            Comparison::Network(_, operator, network) => write!(f, "{operator} {network}"),
        }
    }
}

/// A pattern reads better without escapes.
fn quote_pattern(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if text.contains("\"#") || !text.contains(['\\', '"']) {
        return quote(text, f);
    }
    write!(f, "r#\"{text}\"#")
}
