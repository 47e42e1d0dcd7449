//! What plugins of one request tell each other.

use serde::{Deserialize, Serialize};

use crate::Call;

/// The value that a plugin of this request has set under `name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get<'a> {
    /// The name.
    pub name: &'a str,
}

impl Call for Get<'_> {
    const NAME: &'static str = "gateway.var.get";
    type Answer<'a> = Option<&'a [u8]>;
}

/// Sets a value for this request: 64 of them at most, 16 KiB each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set<'a> {
    /// The name.
    pub name: &'a str,
    /// The value.
    pub value: &'a [u8],
}

impl Call for Set<'_> {
    const NAME: &'static str = "gateway.var.set";
    /// Whether there was room for it.
    type Answer<'a> = bool;
}
