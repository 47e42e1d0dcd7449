//! How often something may happen: limiters of [`plugin_contract::ratelimit`].
//!
//! `calendar`, `rule` and `verdict` are pure; `local` and `remote` keep what was counted.

mod calendar;
mod here;
mod limiters;
mod local;
#[cfg(test)]
mod models;
mod remote;
mod rule;
mod synced;
mod verdict;

use std::{future::Future, pin::Pin, sync::Arc};

use plugin_contract::ratelimit::Limiter;

use crate::{Entity, Status};
pub use limiters::Limiters;
pub use verdict::Verdict;

/// Makes limiters for plugins. [`Limiters`] is the one that comes with the gateway; an embedder may have its own, given
/// to [`Builder::rate_limits`](crate::Builder::rate_limits).
pub trait RateLimits: Send + Sync + 'static {
    /// Makes a limiter for a plugin's entity. It is asked for once for each limiter and configuration, and kept as
    /// long as that. What a limiter has counted must not end with it: the next one of the same plugin, scope and
    /// name goes on with it.
    ///
    /// # Errors
    /// What the guest is told: [`Status::BadArgument`] for a limiter that cannot be.
    fn limiter(&self, limiter: &Limiter<'_>, scope: Scope<'_>) -> Result<Arc<dyn RateLimit>, Status>;
}

/// A limiter.
pub trait RateLimit: Send + Sync + 'static {
    /// Asks whether something may happen to `key`, and counts it if so; a cost of 0 counts nothing. It must not
    /// block.
    fn check(&self, key: &str, cost: u32) -> Checked;
}

/// For whom a limiter counts.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Scope<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// Its entity, with the route, the service and the consumer that it is for.
    pub entity: &'a Entity,
}

impl<'a> Scope<'a> {
    /// The scope of a plugin's entity.
    #[must_use]
    pub const fn new(plugin: &'a str, entity: &'a Entity) -> Self {
        Self { plugin, entity }
    }
}

/// What a limiter answers.
#[non_exhaustive]
pub enum Checked {
    /// At once.
    Now(Verdict),
    /// Later; none where the store cannot be asked.
    Later(Pin<Box<dyn Future<Output = Option<Verdict>> + Send>>),
}
