//! A configuration as it would be.

use std::sync::Arc;

use gateway_core::{
    Gateway,
    config::{Change, Checked, Config, Options, Problems},
    plugin::Registry,
};

use uuid::Uuid;

use super::State;
use crate::store::Revision;

/// The configuration as it would be with what a request asks for. Whoever refuses something leaves it as it is: it
/// counts only once it is kept.
pub(crate) struct Draft<'c> {
    gateway: &'c Gateway,
    plugins: Arc<Registry>,
    revision: Revision,
    checked: Checked,
    /// Targets that have given a sign of life.
    renewed: Vec<Uuid>,
}

impl<'c> Draft<'c> {
    pub(super) fn new(gateway: &'c Gateway, state: &State) -> Self {
        Self {
            gateway,
            plugins: gateway.plugins(),
            revision: state.revision,
            checked: state.checked.clone(),
            renewed: Vec::new(),
        }
    }

    /// The revision that it began with.
    pub(crate) const fn revision(&self) -> Revision {
        self.revision
    }

    /// The gateway that is to serve by it.
    pub(crate) const fn gateway(&self) -> &'c Gateway {
        self.gateway
    }

    /// The plugins that it may name.
    pub(crate) fn plugins(&self) -> &Registry {
        &self.plugins
    }

    /// The entities so far, with what is known of them.
    pub(crate) const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The entities so far.
    pub(crate) const fn config(&self) -> &Config {
        self.checked.config()
    }

    /// How its entities are read: `{vault://...}` stays as written.
    pub(crate) fn options(&self) -> Options<'_> {
        keeping(&self.plugins)
    }

    /// Makes a change.
    ///
    /// # Errors
    /// Every problem of the configuration as it would be; then it is as before.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), Problems> {
        let (checked, _) = self.checked.apply(change, self.options())?;
        self.checked = checked;
        Ok(())
    }

    /// Notes that a target lives; it counts with the change, or without one.
    pub(crate) fn renew(&mut self, target: Uuid) {
        self.renewed.push(target);
    }

    /// The entities, and the targets that live.
    pub(super) fn into_parts(self) -> (Checked, Vec<Uuid>) {
        (self.checked, self.renewed)
    }
}

/// How what is kept is read: `{vault://...}` stays as written.
pub(super) fn keeping(plugins: &Registry) -> Options<'_> {
    Options::new(plugins).keep_references()
}
