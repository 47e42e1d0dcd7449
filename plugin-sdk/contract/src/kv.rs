//! Values kept under keys, for all requests of this process.
//!
//! ```
//! use plugin_contract::{encode, kv::{Delete, Entry, Get, Only, Outcome, Set}};
//!
//! let (namespace, key) = ("n", "k");
//! let set = Set { namespace, key, value: b"v", ttl: Some(60), only: Only::Absent };
//! assert_eq!(encode(&set, Vec::new()).unwrap(), [1, b'n', 1, b'k', 1, b'v', 1, 60, 1]);
//! assert_eq!(encode(&Outcome::Done(1), Vec::new()).unwrap(), [0, 1]);
//! assert_eq!(encode(&Outcome::Refused(Some(1)), Vec::new()).unwrap(), [1, 1, 1]);
//! assert_eq!(encode(&Get { namespace, key }, Vec::new()).unwrap(), [1, b'n', 1, b'k']);
//! assert_eq!(encode(&Some(Entry { value: b"v", version: 1 }), Vec::new()).unwrap(), [1, 1, b'v', 1]);
//! assert_eq!(encode(&Delete { namespace, key, only: Only::Always }, Vec::new()).unwrap(), [1, b'n', 1, b'k', 0]);
//! ```

use serde::{Deserialize, Serialize};

use crate::Call;

/// The value of a key, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get<'a> {
    /// Keys of one kind. A plugin has namespaces of its own.
    pub namespace: &'a str,
    /// Which of them.
    pub key: &'a str,
}

impl Call for Get<'_> {
    const NAME: &'static str = "gateway.kv.get";
    type Answer<'a> = Option<Entry<'a>>;
}

/// A value as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// The value.
    pub value: &'a [u8],
    /// Which one it is: each value that is set gets a new version, from 1.
    pub version: u64,
}

/// Sets the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set<'a> {
    /// Keys of one kind.
    pub namespace: &'a str,
    /// Which of them.
    pub key: &'a str,
    /// The value.
    pub value: &'a [u8],
    /// Seconds until it is gone, at least 1; none keeps it.
    pub ttl: Option<u32>,
    /// Under which condition.
    pub only: Only,
}

impl Call for Set<'_> {
    const NAME: &'static str = "gateway.kv.set";
    type Answer<'a> = Outcome;
}

/// Removes the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete<'a> {
    /// Keys of one kind.
    pub namespace: &'a str,
    /// Which of them.
    pub key: &'a str,
    /// Under which condition.
    pub only: Only,
}

impl Call for Delete<'_> {
    const NAME: &'static str = "gateway.kv.delete";
    /// Whether a value has been removed.
    type Answer<'a> = bool;
}

/// What must hold for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only {
    /// Nothing.
    Always,
    /// The key has no value.
    Absent,
    /// The key's value is of this version.
    Version(u64),
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done: the value has this version.
    Done(u64),
    /// Its condition does not hold: the value has this version, or there is none.
    Refused(Option<u64>),
    /// There is no room for it.
    Full,
}
