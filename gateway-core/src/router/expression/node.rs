//! The tree of an expression.

use std::fmt;

use super::predicate::Predicate;

/// A part of an expression. It is at most a few times as deep as parentheses may be, so walking it may recurse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Predicate(Predicate),
    Not(Box<Self>),
    /// At least two, none of them an `All`.
    All(Vec<Self>),
    /// At least two, none of them an `Any`.
    Any(Vec<Self>),
}

impl Node {
    /// That all of these hold.
    pub(super) fn all(nodes: Vec<Self>) -> Self {
        let parts = |node| if let Self::All(parts) = node { parts } else { vec![node] };
        Self::joined(nodes.into_iter().flat_map(parts).collect(), Self::All)
    }

    /// That any of these holds.
    pub(super) fn any(nodes: Vec<Self>) -> Self {
        let parts = |node| if let Self::Any(parts) = node { parts } else { vec![node] };
        Self::joined(nodes.into_iter().flat_map(parts).collect(), Self::Any)
    }

    fn joined(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                join(parts)
            }
        }
    }

    /// All predicates, from left to right.
    pub(super) fn predicates(&self) -> Vec<&Predicate> {
        match self {
            Self::Predicate(predicate) => vec![predicate],
            Self::Not(node) => node.predicates(),
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().flat_map(Self::predicates).collect(),
        }
    }
}

/// With as few parentheses as are needed, and those that a reader who thinks that `&&` binds tighter is glad of.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, operator) = match self {
            Self::Predicate(predicate) => return predicate.fmt(f),
            Self::Not(node) => return write!(f, "!({node})"),
            Self::All(nodes) => (nodes, " && "),
            Self::Any(nodes) => (nodes, " || "),
        };
        for (at, node) in nodes.iter().enumerate() {
            if at > 0 {
                f.write_str(operator)?;
            }
            match node {
                Self::All(_) | Self::Any(_) => write!(f, "({node})"),
                Self::Predicate(_) | Self::Not(_) => node.fmt(f),
            }?;
        }
        Ok(())
    }
}
