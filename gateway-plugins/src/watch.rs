//! A look at a plugin that is registered.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use crate::{LoadError, Metric, Stats, pool::Pool};

/// Looks at a plugin.
#[derive(Clone)]
pub struct Watch {
    pub(crate) name: Arc<str>,
    pub(crate) pool: Arc<LazyPool>,
}

impl Watch {
    /// What the plugin has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.pool().map(|pool| pool.stats()).unwrap_or_default()
    }

    /// The metrics that the guest defined, over all its instances.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.pool().map(|pool| pool.runtime.metrics()).unwrap_or_default()
    }

    /// Where it runs; none where it was never configured.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        LazyLock::get(&self.pool)?.as_ref().ok()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.name).finish()
    }
}

/// What a plugin runs on, made when it is first configured: most of those that are there are never used.
pub(crate) type LazyPool = LazyLock<Result<Arc<Pool>, LoadError>, MakePool>;
pub(crate) type MakePool = Box<dyn FnOnce() -> Result<Arc<Pool>, LoadError> + Send>;
