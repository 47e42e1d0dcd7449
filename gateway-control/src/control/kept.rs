//! A configuration that is kept in a store: each change on top of the newest revision, kept before it counts.

use std::sync::{Arc, MutexGuard, PoisonError};

use gateway_core::{
    Gateway,
    config::{Change, Checked, Config},
};
use tracing::{error, info};

use super::{Control, Draft, State, View};
use crate::{
    Differences, Refusal,
    store::{Note, Revision, Store, StoreError},
};

/// How often a request is looked at again because somebody else was faster.
const ATTEMPTS: usize = 32;

/// Whether a change is made, or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Make,
    Try,
}

/// A change that was made, or could be.
#[derive(Debug)]
pub(crate) struct Written<T> {
    /// What who asked for it made of it.
    pub(crate) outcome: T,
    /// The revision that it made; where it was only tried, or made no difference, the one that it began with.
    pub(crate) revision: Revision,
    pub(crate) changed: Changed,
}

/// What a change did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Changed {
    /// The new value of each entity that differs, or nothing where it went.
    pub change: Change,
    /// What was there before: the change back.
    pub before: Change,
    /// The whole configuration with it, `{vault://...}` as written.
    pub config: Config,
}

impl Changed {
    /// What differs, for people and tools; no secret is in it.
    #[must_use]
    pub fn differences(&self) -> Differences {
        Differences::of(&self.change, &self.before)
    }
}

impl<T> Written<T> {
    /// The same with something else made of the outcome.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Written<U> {
        Written { outcome: map(self.outcome), revision: self.revision, changed: self.changed }
    }
}

impl Control {
    /// Control over `gateway`, which serves by what `store` keeps from now on.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gateway_control::{Control, store::{Memory, Note, Revision}};
    /// use gateway_core::{Gateway, config::{Change, Service}};
    ///
    /// let control = Control::stored(Gateway::builder().build().unwrap(), Arc::new(Memory::new())).unwrap();
    /// let (users, mut change) = (Service::new("users", "users.internal"), Change::default());
    /// change.services.insert(users.id, Some(users.into()));
    /// let revision = control.make(&change, &Note::new("me", "an example")).unwrap();
    /// assert_eq!(control.revision(), Some(revision));
    /// assert_eq!(control.gateway().snapshot().config().services.len(), 1);
    /// ```
    ///
    /// # Errors
    /// When the store cannot be read, and every problem of what it keeps.
    pub fn stored(gateway: Gateway, store: Arc<dyn Store>) -> Result<Self, Refusal> {
        let mut control = Self::new(gateway);
        control.reread(store.as_ref())?;
        control.store = Some(store);
        Ok(control)
    }

    /// The store, where there is one.
    #[must_use]
    pub const fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    /// The revision that is served by now, where there is a store.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.serving.load().kept.as_ref().map(|state| state.revision)
    }

    /// What is served by now, all of one moment.
    pub(crate) fn view(&self) -> View {
        View(self.serving.load_full())
    }

    /// Makes one change on top of whatever is newest. It costs as much as it touches.
    ///
    /// # Errors
    /// Every problem of the configuration as it would be, or what the store said; then nothing has changed.
    pub fn make(&self, change: &Change, note: &Note) -> Result<Revision, Refusal> {
        let apply = |draft: &mut Draft<'_>| draft.apply(change).map_err(Refusal::from);
        self.write(note, Mode::Make, apply).map(|written| written.revision)
    }

    /// Makes the change that `evaluate` makes of a draft, on top of the newest revision. Where somebody else was
    /// faster, it is asked again, with what is newest then.
    ///
    /// # Errors
    /// What `evaluate` refuses, every problem that only the gateway finds, what the store said. Then nothing has
    /// changed.
    pub(crate) fn write<T, E: From<Refusal>>(
        &self,
        note: &Note,
        mode: Mode,
        evaluate: impl Fn(&mut Draft<'_>) -> Result<T, E>,
    ) -> Result<Written<T>, E> {
        let store = self.store.as_deref().ok_or(Refusal::ReadOnly)?;
        let _changing = self.changing();
        for _ in 0..ATTEMPTS {
            let state = self.state()?;
            let mut draft = Draft::new(&self.gateway, &state);
            let outcome = match evaluate(&mut draft) {
                Ok(outcome) => outcome,
                // It may be right with what another node has written, of which this one has not heard.
                Err(_) if self.advances(store, state.revision) => continue,
                Err(refused) => return Err(refused),
            };
            let (checked, renewed) = draft.into_parts();
            let changed = changed(&state, &checked);
            if changed.change.is_empty() {
                if mode == Mode::Make {
                    self.leases.renew(&renewed);
                }
                return Ok(Written { outcome, revision: state.revision, changed });
            }
            let prepared = self.prepare(&changed.change, checked.config())?;
            if mode == Mode::Try {
                return Ok(Written { outcome, revision: state.revision, changed });
            }
            match store.write(state.revision, &changed.change, note) {
                Ok(revision) => {
                    self.go_on(prepared, State { revision, checked });
                    self.leases.renew(&renewed);
                    audit(note, revision, &changed.change);
                    return Ok(Written { outcome, revision, changed });
                }
                Err(StoreError::Conflict { .. }) => {
                    drop(prepared);
                    self.overtaken(store, state.revision)?;
                }
                Err(error) => {
                    error!(target: "audit", who = note.who, what = note.what, %error, "not confirmed");
                    return Err(Refusal::Store(error).into());
                }
            }
        }
        Err(Refusal::Contended.into())
    }

    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> Result<Arc<State>, Refusal> {
        self.serving.load().kept.clone().ok_or(Refusal::ReadOnly)
    }
}

fn changed(state: &State, checked: &Checked) -> Changed {
    let (old, new) = (state.checked.config(), checked.config());
    Changed { change: old.diff(new), before: new.diff(old), config: new.clone() }
}

/// Who changed what, as a line of the log; no values, for they may be secrets.
fn audit(note: &Note, revision: Revision, change: &Change) {
    let entities = entities(change);
    info!(target: "audit", who = note.who, what = note.what, %revision, entities, "changed");
}

/// How many entities a change touches.
pub(crate) fn entities(change: &Change) -> usize {
    let Change {
        services,
        routes,
        upstreams,
        targets,
        consumers,
        consumer_groups,
        credentials,
        plugins,
        certificates,
        snis,
        ca_certificates,
        vaults,
        key_sets,
        keys,
        ..
    } = change;
    let traffic = services.len() + routes.len() + upstreams.len() + targets.len() + plugins.len();
    let callers = consumers.len() + consumer_groups.len() + credentials.len();
    let secrets = certificates.len() + snis.len() + ca_certificates.len();
    traffic + callers + secrets + vaults.len() + key_sets.len() + keys.len()
}
