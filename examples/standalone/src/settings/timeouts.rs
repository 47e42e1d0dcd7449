//! How long everything may take.

use serde::Deserialize;

use super::range::{count, time};
use crate::units::Time;

/// Bounds of waiting.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) accept: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) proxy_head: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) handshake: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) head: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) keep_alive: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) body: Option<Time>,
    #[serde(deserialize_with = "count::<_, _, 0, 1_000_000>")]
    pub(crate) body_rate: Option<u32>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) write: Option<Time>,
    #[serde(deserialize_with = "time::<_, 0, 86_400_000>")]
    pub(crate) ready: Option<Time>,
    #[serde(deserialize_with = "time::<_, 0, 86_400_000>")]
    pub(crate) drain: Option<Time>,
}
