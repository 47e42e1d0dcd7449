//! A limiter of this process.

use std::sync::Arc;

use super::{Checked, RateLimit, local::Local, verdict::Rules};
use crate::{clock, table::Name};

/// A limiter of this process.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) local: Arc<Local>,
    pub(super) name: Name,
    pub(super) rules: Rules,
}

impl RateLimit for Here {
    fn check(&self, key: &str, cost: u32) -> Checked {
        Checked::Now(self.local.check(self.name, &self.rules, key, cost, clock::wall()))
    }
}
