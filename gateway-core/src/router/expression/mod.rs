//! The flavour `expressions`: a route says what it takes in Kong's language of predicates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `expression` | an expression, parsed and compiled |
//! | `parser` | from text to a tree; `error` shows where the text is wrong |
//! | `node` | the tree, and how it is written |
//! | `field`, `operator`, `literal` | the parts of a predicate |
//! | `predicate` | the three together, typed: one that makes no sense cannot be made |
//! | `search` | a regular expression, found anywhere |
//! | `program` | the tree as a flat list of jumps |
//! | `probe`, `text`, `values` | what one predicate asks of a request |
//! | `keys` | under which hosts and prefixes an expression must stand |
//! | `compile` | from a route to a ranked rule |

mod compile;
mod error;
#[expect(clippy::module_inception, reason = "the folder is named after its main noun")]
mod expression;
mod field;
mod keys;
mod literal;
mod node;
mod operator;
mod parser;
mod predicate;
mod probe;
mod program;
mod search;
#[cfg(test)]
mod tests;
mod text;
mod values;

pub use error::ExpressionError;
pub use expression::{Expression, Refused};
pub use predicate::Predicate;

pub(super) use compile::compile;
pub(super) use program::Program;

/// An expression may be this long, in bytes.
const LONGEST: usize = 64 << 10;

/// Parentheses may stand this deep in each other.
const DEEPEST: usize = 64;

/// An expression may have this many predicates.
const MOST_PREDICATES: usize = 512;
