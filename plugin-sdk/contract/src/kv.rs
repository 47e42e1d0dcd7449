//! Values kept under keys, for all requests of this process; or on a server, for those of all nodes.
//!
//! ```
//! use plugin_contract::{encode, kv::{Delete, Entry, Fetch, Get, Only, Outcome, Set}};
//!
//! let (namespace, key) = ("n", "k");
//! let set = Set { namespace, key, value: b"v", ttl: Some(60), only: Only::Absent };
//! assert_eq!(encode(&set, Vec::new()).unwrap(), [1, b'n', 1, b'k', 1, b'v', 1, 60, 1]);
//! assert_eq!(encode(&Outcome::Done(1), Vec::new()).unwrap(), [0, 1]);
//! assert_eq!(encode(&Outcome::Refused(Some(1)), Vec::new()).unwrap(), [1, 1, 1]);
//! assert_eq!(encode(&Get { namespace, key }, Vec::new()).unwrap(), [1, b'n', 1, b'k']);
//! assert_eq!(encode(&Some(Entry { value: b"v", version: 1 }), Vec::new()).unwrap(), [1, 1, b'v', 1]);
//! assert_eq!(encode(&Delete { namespace, key, only: Only::Always }, Vec::new()).unwrap(), [1, b'n', 1, b'k', 0]);
//! assert_eq!(encode(&Fetch { store: 2, get: Get { namespace, key } }, Vec::new()).unwrap(), [2, 1, b'n', 1, b'k']);
//! ```

use serde::{Deserialize, Serialize};

use crate::{Call, ratelimit::Redis};

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

/// Makes a store on a Redis server, to be kept and used for every request: its number is the answer. What it holds is
/// there for all nodes that name the same server, database and prefix. The same store made twice under one
/// configuration is one; it lasts as long as the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open<'a> {
    /// The server. Its `sync` has no meaning here.
    #[serde(borrow)]
    pub redis: Redis<'a>,
    /// What all keys begin with; empty: nothing more than the plugin's name.
    pub prefix: &'a str,
}

impl Call for Open<'_> {
    const NAME: &'static str = "gateway.kv.open";
    type Answer<'a> = u32;
}

/// [`Get`] from a store on a server. The answer comes later; none where the server cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch<'a> {
    /// The number of the store.
    pub store: u32,
    /// What is asked for.
    #[serde(borrow)]
    pub get: Get<'a>,
}

impl Call for Fetch<'_> {
    const NAME: &'static str = "gateway.kv.fetch";
    type Answer<'a> = Option<Option<Entry<'a>>>;
}

/// [`Set`] in a store on a server. The answer comes later; none where the server cannot be asked. Then the value may
/// have been set all the same.
///
/// A version there is 64 random bits: a value that is set only where there is none is a lock that only its holder can
/// take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store<'a> {
    /// The number of the store.
    pub store: u32,
    /// What is set.
    #[serde(borrow)]
    pub set: Set<'a>,
}

impl Call for Store<'_> {
    const NAME: &'static str = "gateway.kv.store";
    type Answer<'a> = Option<Outcome>;
}

/// [`Delete`] in a store on a server. The answer comes later; none where the server cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remove<'a> {
    /// The number of the store.
    pub store: u32,
    /// What is removed.
    #[serde(borrow)]
    pub delete: Delete<'a>,
}

impl Call for Remove<'_> {
    const NAME: &'static str = "gateway.kv.remove";
    type Answer<'a> = Option<bool>;
}
