//! How much of everything there may be.

use serde::Deserialize;

use super::range::{count, size};
use crate::units::Size;

/// Bounds of messages and connections.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    #[serde(deserialize_with = "size::<_, 8_192, 1_048_576>")]
    pub(crate) head: Option<Size>,
    #[serde(deserialize_with = "count::<_, _, 8, 4_096>")]
    pub(crate) fields: Option<u16>,
    #[serde(deserialize_with = "size::<_, 1_024, 65_536>")]
    pub(crate) target: Option<Size>,
    #[serde(deserialize_with = "count::<_, _, 1, 10_000_000>")]
    pub(crate) connections: Option<u32>,
    #[serde(deserialize_with = "count::<_, _, 1, 10_000>")]
    pub(crate) streams: Option<u32>,
    #[serde(deserialize_with = "count::<_, _, 1, 1_000_000>")]
    pub(crate) pool: Option<u32>,
}
