//! Numbers that plugins count up and down: [`plugin_contract::counter`].

mod local;
mod remote;
mod store;

use std::{future::Future, pin::Pin};

use plugin_contract::counter::Add;

pub use store::CounterStore;

/// Counts for plugins. [`CounterStore`] is the one that comes with the gateway; an embedder may have its own, given to
/// [`Builder::counters`](crate::Builder::counters).
pub trait Counters: Send + Sync + 'static {
    /// Adds to a counter of `plugin`. It must not block.
    fn add(&self, plugin: &str, add: &Add<'_>) -> Counted;
}

/// What a counter is after an addition.
#[non_exhaustive]
pub enum Counted {
    /// At once.
    Now(i64),
    /// Later; none where the store cannot be asked.
    Later(Pin<Box<dyn Future<Output = Option<i64>> + Send>>),
}
