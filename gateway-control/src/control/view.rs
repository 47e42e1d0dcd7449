//! What is served by, at one moment.

use std::sync::Arc;

use gateway_core::config::{Checked, Config};

use super::Serving;
use crate::{Hash, store::Revision};

/// What is served by, at one moment: the entities, with `{vault://...}` as written.
pub(crate) struct View(pub(super) Arc<Serving>);

impl View {
    /// The entities.
    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// The revision that they are, where there is a store.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.0.kept.as_ref().map(|state| state.revision)
    }

    /// Their digest.
    pub(crate) fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The same with what is known of them, where there is a store: names need not be looked for.
    pub(crate) fn checked(&self) -> Option<&Checked> {
        self.0.kept.as_ref().map(|state| &state.checked)
    }
}
