//! From what is kept to what is served.

use std::sync::Arc;

use gateway_core::{
    Prepared,
    config::{Change, Config},
    server::Certificates,
};

use super::{Control, Serving, State};
use crate::{Hash, Refusal, store::Revision};

impl Control {
    /// Compiles a change with the secrets that it refers to. `config` is the whole with it.
    pub(super) fn prepare(&self, change: &Change, config: &Config) -> Result<Prepared<'_>, Refusal> {
        let prepared = match change.vaults.is_empty() {
            true => self.gateway.prepare(change)?,
            // What entities refer to may be found elsewhere now, also for those that are as before.
            false => self.gateway.prepare_reload(config)?,
        };
        self.check_certificates(&prepared)?;
        Ok(prepared)
    }

    pub(super) fn check_certificates(&self, prepared: &Prepared<'_>) -> Result<(), Refusal> {
        if self.certificates.is_some() && names_servers(prepared.change()) {
            Certificates::new(prepared.config()).map_err(Refusal::Certificates)?;
        }
        Ok(())
    }

    /// Serves by what is prepared, and kept.
    pub(super) fn go_on(&self, prepared: Prepared<'_>, state: State) {
        let change = prepared.commit();
        self.leases.follow(&change);
        if let Some(certificates) = self.certificates.as_ref().filter(|_| names_servers(&change)) {
            // They were looked at before they were kept.
            if let Err(errors) = certificates.replace(self.gateway.snapshot().config()) {
                self.loads.fail(Refusal::Certificates(errors).to_string());
            }
        }
        let config = Arc::new(state.checked.config().clone());
        let hash = hash(state.revision);
        self.serving.store(Arc::new(Serving { hash, config, kept: Some(Arc::new(state)) }));
    }
}

/// A revision as the digest of what is served: equal ones are of the same store.
pub(super) fn hash(revision: Revision) -> Hash {
    Hash::of(&format!("revision {revision}"))
}

fn names_servers(change: &Change) -> bool {
    !(change.certificates.is_empty() && change.snis.is_empty())
}
