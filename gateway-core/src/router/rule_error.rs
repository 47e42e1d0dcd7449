//! What cannot be read of a route, and reading a list until all of it is known.

use std::{error::Error as StdError, fmt};

/// A rule that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The field, `paths[1]`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl StdError for RuleError {}

/// Reads each element of the list `field`; those that cannot be read are pushed to `errors`.
pub(super) fn read<T, E: ToString>(
    field: &str,
    list: Option<&[String]>,
    parse: impl Fn(&str) -> Result<T, E>,
    errors: &mut Vec<RuleError>,
) -> Vec<T> {
    let mut read = Vec::new();
    for (at, text) in list.unwrap_or_default().iter().enumerate() {
        match parse(text) {
            Ok(value) => read.push(value),
            Err(error) => {
                errors.push(RuleError { field: format!("{field}[{at}]"), message: error.to_string() });
            }
        }
    }
    read
}
