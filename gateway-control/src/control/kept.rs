//! A configuration that is kept in a store: each change on top of the newest revision, kept before it counts.

use std::sync::{Arc, MutexGuard, PoisonError};

use gateway_core::{
    Gateway, Prepared,
    config::{Change, Checked, Config, Options, Places},
    server::Certificates,
};
use tracing::info;

use super::{Control, Draft, Loaded, Serving, View};
use crate::{
    Differences, Hash, Refusal, aligned, restamp,
    store::{Note, Revision, Store, StoreError},
};

/// How often a request is looked at again because somebody else was faster.
const ATTEMPTS: usize = 32;

/// How many changes of others are read at a time.
const PAGE: usize = 1_000;

/// What of the store is served: everything, as of a revision, with `{vault://...}` as written.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) revision: Revision,
    pub(crate) checked: Checked,
}

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

/// Why a text is not taken: for what is in it, or because who asks does not want it now.
enum Refused<E> {
    AsText(Refusal),
    ByCheck(E),
}

impl<E> From<Refusal> for Refused<E> {
    fn from(refusal: Refusal) -> Self {
        Self::AsText(refusal)
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

    /// Puts the declarative file `text` in the place of everything.
    ///
    /// # Errors
    /// Everything that is wrong with it, or what the store said; then nothing has changed.
    pub fn replace(&self, text: &str, note: &Note) -> Result<Loaded, Refusal> {
        let written = self.write_text(text, note, Mode::Make, |_| Ok::<_, Refusal>(()))?;
        Ok(Loaded::of(hash(written.revision), Arc::new(written.changed.config)))
    }

    /// The same, or only tried, where `check` lets it.
    pub(crate) fn write_text<E: From<Refusal>>(
        &self,
        text: &str,
        note: &Note,
        mode: Mode,
        check: impl Fn(&Draft<'_>) -> Result<(), E>,
    ) -> Result<Written<()>, E> {
        let located = |refusal| {
            let refusal = match refusal {
                Refusal::Problems(problems) => Refusal::Problems(problems.located(&Places::of(text))),
                other => other,
            };
            self.loads.fail(refusal.to_string());
            E::from(refusal)
        };
        let next = Checked::parse(text, self.keeping()).map_err(|problems| located(problems.into()))?;
        let replace = |draft: &mut Draft<'_>| {
            check(draft).map_err(Refused::ByCheck)?;
            let next = aligned(draft.config(), next.config().clone());
            let change = restamp::change(draft.config(), &next);
            draft.apply(&change).map_err(|problems| Refused::AsText(problems.into()))
        };
        let written = self.write(note, mode, replace).map_err(|refused| match refused {
            Refused::ByCheck(error) => error,
            Refused::AsText(refusal) => located(refusal),
        })?;
        if mode == Mode::Make {
            self.loads.succeed();
        }
        Ok(written)
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
            let checked = draft.into_checked();
            let changed = changed(&state, &checked);
            if changed.change.is_empty() {
                return Ok(Written { outcome, revision: state.revision, changed });
            }
            let prepared = self.prepare(&changed.change, checked.config())?;
            if mode == Mode::Try {
                return Ok(Written { outcome, revision: state.revision, changed });
            }
            match store.write(state.revision, &changed.change, note) {
                Ok(revision) => {
                    self.go_on(prepared, State { revision, checked });
                    audit(note, revision, &changed.change);
                    return Ok(Written { outcome, revision, changed });
                }
                Err(StoreError::Conflict { .. }) => {
                    drop(prepared);
                    self.overtaken(store, state.revision)?;
                }
                Err(error) => return Err(Refusal::Store(error).into()),
            }
        }
        Err(Refusal::Contended.into())
    }

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
    fn overtaken(&self, store: &dyn Store, since: Revision) -> Result<(), Refusal> {
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
    fn advances(&self, store: &dyn Store, since: Revision) -> bool {
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
            let (checked, change) = state.checked.apply(&config.diff(&next), self.keeping())?;
            let prepared = self.prepare(&change, checked.config())?;
            self.go_on(prepared, State { revision: last.revision, checked });
            if entries.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Serves by everything that the store keeps.
    fn reread(&self, store: &dyn Store) -> Result<(), Refusal> {
        let stored = store.read()?;
        let checked = Checked::of(&stored.config, self.keeping())?;
        let prepared = match refers(checked.config()) {
            true => self.gateway.prepare_reload(checked.config())?,
            // Checked once for both, and one allocation for both.
            false => self.gateway.prepare_checked(checked.clone())?,
        };
        self.check_certificates(&prepared)?;
        self.go_on(prepared, State { revision: stored.revision, checked });
        Ok(())
    }

    /// Compiles a change with the secrets that it refers to. `config` is the whole with it.
    fn prepare(&self, change: &Change, config: &Config) -> Result<Prepared<'_>, Refusal> {
        let prepared = match change.vaults.is_empty() {
            true => self.gateway.prepare(change)?,
            // What entities refer to may be found elsewhere now, also for those that are as before.
            false => self.gateway.prepare_reload(config)?,
        };
        self.check_certificates(&prepared)?;
        Ok(prepared)
    }

    fn check_certificates(&self, prepared: &Prepared<'_>) -> Result<(), Refusal> {
        if self.certificates.is_some() && names_servers(prepared.change()) {
            Certificates::new(prepared.config()).map_err(Refusal::Certificates)?;
        }
        Ok(())
    }

    /// Serves by what is prepared, and kept.
    fn go_on(&self, prepared: Prepared<'_>, state: State) {
        let change = prepared.commit();
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

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> Result<Arc<State>, Refusal> {
        self.serving.load().kept.clone().ok_or(Refusal::ReadOnly)
    }

    fn keeping(&self) -> Options<'_> {
        Options::new(self.gateway.plugins()).keep_references()
    }
}

/// A revision as the digest of what is served: equal ones are of the same store.
fn hash(revision: Revision) -> Hash {
    Hash::of(&format!("revision {revision}"))
}

/// Whether any entity refers to a secret. Only these kinds have fields that may.
fn refers(config: &Config) -> bool {
    let any = |text: serde_json::Result<String>| text.is_ok_and(|text| text.contains("{vault://"));
    config.certificates.values().any(|entity| any(serde_json::to_string(entity)))
        || config.keys.values().any(|entity| any(serde_json::to_string(entity)))
        || config.plugins.values().any(|entity| any(serde_json::to_string(entity)))
}

fn names_servers(change: &Change) -> bool {
    !(change.certificates.is_empty() && change.snis.is_empty())
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
