//! Secrets that the operator lets a plugin read.

use serde::{Deserialize, Serialize};

use crate::Call;

/// What a reference stands for: `{vault://env/name}`, `{vault://env/name/field}` or `{file:///path}`. Nothing where
/// there is none. What is not granted is a bad argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get<'a> {
    /// The reference.
    pub reference: &'a str,
}

impl Call for Get<'_> {
    const NAME: &'static str = "gateway.secret.get";
    type Answer<'a> = Option<&'a [u8]>;
}
