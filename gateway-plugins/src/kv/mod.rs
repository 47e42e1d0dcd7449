//! Values that plugins keep: [`plugin_contract::kv`].

mod namespace;
mod store;

use bytes::Bytes;
use plugin_contract::kv::{Delete, Get, Outcome, Set};

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
}
