//! Values that plugins keep: [`plugin_contract::kv`].

mod namespace;
mod remote;
mod store;

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use plugin_contract::{
    kv::{Delete, Get, Outcome, Set},
    ratelimit::Redis,
};

pub use store::KeyValueStore;

/// Keeps values for plugins. [`KeyValueStore`] is the one that comes with the gateway; an embedder may have its own,
/// given to [`Builder::key_values`](crate::Builder::key_values). Nothing here may block.
pub trait KeyValues: Send + Sync + 'static {
    /// The value of a key of `plugin`, and its version.
    fn get(&self, plugin: &str, get: &Get<'_>) -> Option<(Bytes, u64)>;

    /// Sets a value, if its condition holds and there is room.
    fn set(&self, plugin: &str, set: &Set<'_>) -> Outcome;

    /// Removes a value, if its condition holds; whether there was one.
    fn delete(&self, plugin: &str, delete: &Delete<'_>) -> bool;

    /// Values on a server, whose keys begin with a prefix. It is asked once for each configuration. None, as by default,
    /// where there are no such values.
    fn server(&self, _redis: &Redis<'_>, _prefix: &str) -> Option<Arc<dyn RemoteValues>> {
        None
    }
}

/// Keeps values for the plugins of several nodes. Each answer is none where the values cannot be reached in time: what was
/// to be changed may have been changed then.
pub trait RemoteValues: Send + Sync + 'static {
    /// As [`KeyValues::get`]. The version of a value is one that no other value of its key has had.
    fn get(&self, plugin: &str, get: &Get<'_>) -> Late<Option<(Bytes, u64)>>;

    /// As [`KeyValues::set`], at once for all nodes.
    fn set(&self, plugin: &str, set: &Set<'_>) -> Late<Outcome>;

    /// As [`KeyValues::delete`], at once for all nodes.
    fn delete(&self, plugin: &str, delete: &Delete<'_>) -> Late<bool>;
}

/// An answer that takes time; none where there is none.
pub type Late<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;
