//! How a predicate compares.

use std::fmt;

/// An operator, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    Matches,
    Prefix,
    Suffix,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
    In,
    NotIn,
    Contains,
}

impl Operator {
    /// Every operator; one that another starts with comes after it.
    pub(super) const ALL: [Self; 12] = [
        Self::Equals,
        Self::NotEquals,
        Self::Matches,
        Self::Prefix,
        Self::Suffix,
        Self::GreaterOrEqual,
        Self::Greater,
        Self::LessOrEqual,
        Self::Less,
        Self::In,
        Self::NotIn,
        Self::Contains,
    ];

    /// The one that `text` starts with, and its length. Any space may stand within `not in`.
    pub(super) fn leading(text: &str) -> Option<(Self, usize)> {
        if let Some(rest) = text.strip_prefix("not") {
            let rest = rest.trim_start_matches([' ', '\t', '\r', '\n']).strip_prefix("in")?;
            return Some((Self::NotIn, text.len() - rest.len()));
        }
        let found = Self::ALL.into_iter().find(|operator| text.starts_with(operator.as_str()))?;
        Some((found, found.as_str().len()))
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "==",
            Self::NotEquals => "!=",
            Self::Matches => "~",
            Self::Prefix => "^=",
            Self::Suffix => "=^",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
            Self::LessOrEqual => "<=",
            Self::Less => "<",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Contains => "contains",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
