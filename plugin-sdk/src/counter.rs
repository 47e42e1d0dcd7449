//! Numbers that are counted up and down, for all requests.

use plugin_contract::counter::Add;

use crate::{Error, call};

pub use plugin_contract::ratelimit::Store;

/// Adds to a counter and gives what it is then; none where its store cannot be asked. It lives `ttl` seconds from its
/// beginning; to add 0 only reads it. A plugin's namespaces are its own.
///
/// # Errors
/// Hosts without them.
pub async fn add(
    namespace: &str,
    key: &str,
    delta: i64,
    ttl: u32,
    store: Store<'_>,
) -> Result<Option<i64>, Error> {
    call::later(&Add { namespace, key, delta, ttl, store }, |count| count).await
}

/// The same for a counter of this process, in a phase that does not wait.
///
/// # Errors
/// As for [`add`].
pub fn add_now(namespace: &str, key: &str, delta: i64, ttl: u32) -> Result<Option<i64>, Error> {
    call::now(&Add { namespace, key, delta, ttl, store: Store::Local }, |count| count)
}
