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

use plugin_contract::kv::{Delete, Entry, Fetch, Get, Open, Remove, Set, Store};

use crate::{Error, call};

pub use plugin_contract::{
    kv::{Only, Outcome},
    ratelimit::Redis,
};

/// The value of a key and its version, if it has one. A plugin's namespaces are its own.
///
/// # Errors
/// Hosts without them.
pub fn get(namespace: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, Error> {
    call::now(&Get { namespace, key }, owned)
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

/// Values on a Redis server, for the requests of all nodes that use it. Make it once, in `configure`.
///
/// ```no_run
/// # use plugin_sdk::prelude::*;
/// use plugin_sdk::kv::{Only, Outcome, Redis, Server};
///
/// # async fn doc(redis: Redis<'_>) -> Result<(), Error> {
/// let server = Server::new(redis, "shop")?;
/// // A lock that ends by itself, and that nobody else can give back.
/// if let Outcome::Done(token) = server.set("locks", "7", b"", Some(10), Only::Absent).await? {
///     // ...
///     server.delete("locks", "7", Only::Version(token)).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server(u32);

impl Server {
    /// The values on a server; `prefix` keeps them apart from those of others there.
    ///
    /// # Errors
    /// Hosts without them.
    pub fn new(redis: Redis<'_>, prefix: &str) -> Result<Self, Error> {
        call::now(&Open { redis, prefix }, |number| number).map(Self)
    }

    /// As [`get`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the server does not answer in time.
    pub async fn get(&self, namespace: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, Error> {
        let fetch = Fetch { store: self.0, get: Get { namespace, key } };
        call::later(&fetch, |kept| kept.map(owned)).await?.ok_or(Error::Unavailable)
    }

    /// As [`set`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the server does not answer in time: the value may have been set all the same.
    pub async fn set(
        &self,
        namespace: &str,
        key: &str,
        value: &[u8],
        seconds: Option<u32>,
        only: Only,
    ) -> Result<Outcome, Error> {
        let set = Set { namespace, key, value, ttl: seconds, only };
        call::later(&Store { store: self.0, set }, |outcome| outcome).await?.ok_or(Error::Unavailable)
    }

    /// As [`delete`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the server does not answer in time: the value may have been removed all the same.
    pub async fn delete(&self, namespace: &str, key: &str, only: Only) -> Result<bool, Error> {
        let delete = Delete { namespace, key, only };
        call::later(&Remove { store: self.0, delete }, |removed| removed).await?.ok_or(Error::Unavailable)
    }
}

/// The value and the version of what is kept.
fn owned(entry: Option<Entry<'_>>) -> Option<(Vec<u8>, u64)> {
    entry.map(|entry| (entry.value.to_vec(), entry.version))
}
