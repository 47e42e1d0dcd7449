//! Why one rule stands below another, in words.

use std::{borrow::Cow, fmt};

use serde::Serialize;

/// The first comparison in which one route lost to another, [`Display`](fmt::Display)ed as a sentence:
/// `shorter prefix: 1 against 6`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// What was compared: a word for tools.
    pub by: &'static str,
    /// How it came out.
    pub says: Cow<'static, str>,
}

impl Comparison {
    /// The word of a comparison that only the ids decide.
    pub(super) const ID: &str = "id";

    /// What puts a rank with `own` below one with `other`.
    pub(super) fn between(by: &'static str, own: &str, other: &str) -> Self {
        Self { by, says: sentence(by, own, other).into() }
    }

    #[cfg(test)]
    pub(in crate::router) fn is_tie(&self) -> bool {
        self.by == Self::ID
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// What puts a rank with `own` below one with `other`.
fn sentence(by: &str, own: &str, other: &str) -> String {
    let what = match by {
        "four fields or more" => return "four fields or more come first".to_owned(),
        "plain hosts only" => {
            return "hosts without a wildcard come before all other hosts and none".to_owned();
        }
        "wildcard host with a port" => return "a wildcard host with a port comes first".to_owned(),
        "regex" => return "a regular expression comes before a prefix and no path".to_owned(),
        "expression" => return "a route with an expression comes first".to_owned(),
        "method" => return "a route with methods comes before one without".to_owned(),
        "fields" => "fewer fields set",
        "headers" => "fewer headers",
        "queries" => "fewer parameters of the query",
        "regex_priority" => "lower regex_priority",
        "length" => "shorter prefix",
        "priority" => "lower priority",
        "created_at" => "the older wins",
        "name" => "the first name in the alphabet wins",
        other => other,
    };
    format!("{what}: {own} against {other}")
}
