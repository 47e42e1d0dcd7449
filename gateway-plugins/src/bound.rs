//! A configuration, bound to what it runs on.

use std::sync::Arc;

use crate::{config::Config, pool::Pool};

/// A configuration and where it runs. With the last that holds it, its roots end.
pub(crate) struct Bound {
    pub(crate) pool: Arc<Pool>,
    pub(crate) config: Arc<Config>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.pool.forget(self.config.id());
    }
}
