//! What other nodes write to the store.

use gateway_core::config::{Checked, Config};

use super::{Control, State, draft::keeping};
use crate::{
    Refusal,
    store::{Revision, Store},
};

/// How many changes of others are read at a time.
const PAGE: usize = 1_000;

impl Control {
    /// Goes on to the newest revision, where somebody else has written: to that one. Nothing where nobody has.
    ///
    /// # Errors
    /// When the store cannot be read, and every problem of what it keeps; then what was served before goes on.
    pub fn catch_up(&self) -> Result<Option<Revision>, Refusal> {
        let store = self.store.as_deref().ok_or(Refusal::ReadOnly)?;
        let _changing = self.changing();
        let before = self.state()?.revision;
        let advanced = self.advance(store).and_then(|()| self.state());
        let revision = advanced.inspect_err(|refusal| self.loads.fail(refusal.to_string()))?.revision;
        let moved = revision != before;
        if moved {
            self.loads.succeed();
        }
        Ok(moved.then_some(revision))
    }

    /// Goes on to what somebody else has written since.
    pub(super) fn overtaken(&self, store: &dyn Store, since: Revision) -> Result<(), Refusal> {
        let behind = |refusal| match refusal {
            Refusal::Problems(_) | Refusal::Certificates(_) => Refusal::Behind(Box::new(refusal)),
            other => other,
        };
        self.advance(store).map_err(behind)?;
        if self.state()?.revision == since {
            // A store that was restored knows less than this node.
            self.reread(store).map_err(behind)?;
        }
        Ok(())
    }

    /// Whether somebody else has written since.
    pub(super) fn advances(&self, store: &dyn Store, since: Revision) -> bool {
        let advanced = self.advance(store).inspect_err(|refusal| self.loads.fail(refusal.to_string()));
        advanced.is_ok() && self.state().is_ok_and(|state| state.revision != since)
    }

    /// Makes the changes of others, whole pages at once.
    fn advance(&self, store: &dyn Store) -> Result<(), Refusal> {
        loop {
            let state = self.state()?;
            let entries = store.since(state.revision, PAGE)?;
            let Some((first, last)) = entries.first().zip(entries.last()) else {
                // A log that does not reach back so far.
                let behind = *store.newest().borrow() > state.revision;
                return if behind { self.reread(store) } else { Ok(()) };
            };
            if first.revision != state.revision.next() {
                return self.reread(store);
            }
            // All at once: what came and went meanwhile need not be understood here.
            let config = state.checked.config();
            let next = entries.iter().fold(config.clone(), |config, entry| config.apply(&entry.change));
            let (checked, change) =
                state.checked.apply(&config.diff(&next), keeping(&self.gateway.plugins()))?;
            let prepared = self.prepare(&change, checked.config())?;
            self.go_on(prepared, State { revision: last.revision, checked });
            if entries.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Serves by everything that the store keeps.
    pub(super) fn reread(&self, store: &dyn Store) -> Result<(), Refusal> {
        let stored = store.read()?;
        let checked = Checked::of(&stored.config, keeping(&self.gateway.plugins()))?;
        let prepared = match refers(checked.config()) {
            true => self.gateway.prepare_reload(checked.config())?,
            // Checked once for both, and one allocation for both.
            false => self.gateway.prepare_checked(checked.clone())?,
        };
        self.check_certificates(&prepared)?;
        self.go_on(prepared, State { revision: stored.revision, checked });
        // The gateway may have been built with some of it.
        self.leases.begin(&stored.config);
        Ok(())
    }
}

/// Whether any entity refers to a secret. Only these kinds have fields that may.
fn refers(config: &Config) -> bool {
    let any = |text: serde_json::Result<String>| text.is_ok_and(|text| text.contains("{vault://"));
    config.certificates.values().any(|entity| any(serde_json::to_string(entity)))
        || config.keys.values().any(|entity| any(serde_json::to_string(entity)))
        || config.plugins.values().any(|entity| any(serde_json::to_string(entity)))
}
