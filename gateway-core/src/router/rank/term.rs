//! What ranks are compared by.

/// One thing that ranks are compared by: its name, and what this rank has.
pub(in crate::router) type Term = (&'static str, String);
