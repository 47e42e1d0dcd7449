//! How close to Kong the node is.

use serde::Deserialize;

/// How close to Kong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Compat {
    #[serde(rename = "kong-3.9")]
    Kong39,
    #[serde(rename = "kong-3.9-strict")]
    Kong39Strict,
}

/// Whose name stands in headers and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Branding {
    Kong,
    Neutral,
}
