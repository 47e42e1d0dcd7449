//! Numbers that are counted up and down.

use serde::{Deserialize, Serialize};

use crate::{Call, ratelimit::Store};

/// Adds to a counter and tells what it is then; none where its store cannot be asked. A counter begins at 0. To add 0
/// reads it, and begins none.
///
/// A counter in this process is gone after its time, or where too many others are used, see
/// `docs/limits.md`.
///
/// ```
/// use plugin_contract::{counter::Add, encode, ratelimit::Store};
///
/// let add = Add { namespace: "n", key: "k", delta: -5, ttl: 60, store: Store::Local };
/// assert_eq!(encode(&add, Vec::new()).unwrap(), [1, b'n', 1, b'k', 9, 60, 0]);
/// assert_eq!(encode(&Some(-5_i64), Vec::new()).unwrap(), [1, 9]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add<'a> {
    /// Counters of one kind. A plugin has namespaces of its own.
    pub namespace: &'a str,
    /// Which of them.
    pub key: &'a str,
    /// How much; a counter stops at the ends of its range.
    pub delta: i64,
    /// Seconds from its beginning until it is gone, at least 1.
    pub ttl: u32,
    /// Where it is counted. A server's answer comes later.
    #[serde(borrow)]
    pub store: Store<'a>,
}

impl Call for Add<'_> {
    const NAME: &'static str = "gateway.counter.add";
    type Answer<'a> = Option<i64>;
}
