//! Values kept under keys, for all requests of the gateway's process.
//!
//! ```no_run
//! # use plugin_sdk::prelude::*;
//! use plugin_sdk::kv::{self, Only};
//!
//! # fn doc() -> Result<(), Error> {
//! let first = kv::set("seen", "a1b2", b"", Some(60), Only::Absent)?;
//! let replayed = !matches!(first, kv::Outcome::Done(_));
//! # Ok(())
//! # }
//! ```

use plugin_contract::kv::{Delete, Get, Set};

use crate::{Error, call};

pub use plugin_contract::kv::{Only, Outcome};

/// The value of a key and its version, if it has one. A plugin's namespaces are its own.
///
/// # Errors
/// Hosts without them.
pub fn get(namespace: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, Error> {
    call::now(&Get { namespace, key }, |entry| entry.map(|entry| (entry.value.to_vec(), entry.version)))
}

/// Sets the value of a key, for so many seconds or for good.
///
/// # Errors
/// Hosts without them.
pub fn set(
    namespace: &str,
    key: &str,
    value: &[u8],
    seconds: Option<u32>,
    only: Only,
) -> Result<Outcome, Error> {
    call::now(&Set { namespace, key, value, ttl: seconds, only }, |outcome| outcome)
}

/// Removes the value of a key. Says whether one has been removed.
///
/// # Errors
/// Hosts without them.
pub fn delete(namespace: &str, key: &str, only: Only) -> Result<bool, Error> {
    call::now(&Delete { namespace, key, only }, |removed| removed)
}
