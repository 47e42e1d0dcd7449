//! Targets that go when they give no sign of life any more, and credentials that go when their time is over.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gateway_core::config::{Change, Config};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Control, Draft, Mode};
use crate::{Refusal, lease::Table, store::Note, terms::Terms, times};

/// The table of leases, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Held for a look or a line, never over anything that waits.
    table: Mutex<Table>,
    terms: Mutex<Terms>,
    moved: Notify,
}

impl Leases {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a change that is served.
    pub(super) fn follow(&self, change: &Change) {
        if change.targets.is_empty() && change.credentials.is_empty() {
            return;
        }
        let mut terms = self.terms();
        for (id, credential) in &change.credentials {
            terms.keep(*id, credential.as_ref().and_then(|credential| credential.expires()));
        }
        drop(terms);
        let (mut table, now) = (self.table(), Instant::now());
        for (id, target) in &change.targets {
            match target {
                Some(target) => table.keep(target, now),
                None => table.forget(id),
            }
        }
        drop(table);
        self.moved.notify_one();
    }

    /// Begins with everything that is served.
    pub(super) fn begin(&self, config: &Config) {
        let (mut table, now) = (self.table(), Instant::now());
        config
            .targets
            .values()
            .filter(|target| target.ttl.is_some())
            .for_each(|target| table.keep(target, now));
        drop(table);
        let mut terms = self.terms();
        config.credentials.values().for_each(|credential| terms.keep(credential.id, credential.expires()));
        drop(terms);
        self.moved.notify_one();
    }

    /// Signs of life, heard here.
    pub(super) fn renew(&self, targets: &[Uuid]) {
        if targets.is_empty() {
            return;
        }
        let (mut table, now) = (self.table(), Instant::now());
        targets.iter().for_each(|target| table.renew(*target, now));
        drop(table);
        self.moved.notify_one();
    }

    /// When there is something to do next.
    pub(crate) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let left = self.terms().next().map(|end| Duration::from_secs(end.saturating_sub(times::unix())));
        // One that is too far away to count.
        let over = left.and_then(|left| now.checked_add(left));
        self.table().next(now).into_iter().chain(over).min()
    }

    /// Returns once `next` may be another one. Cancel safe.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }
}

impl Control {
    pub(crate) const fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Tells those who use the same store of signs of life, and takes out the targets of which nobody has heard, and the
    /// credentials whose time is over: how many.
    ///
    /// # Errors
    /// What the store said; then nothing is taken out, and all are waited for again.
    pub(crate) fn expire(&self) -> Result<usize, Refusal> {
        let expired = self.tell().and_then(|()| Ok(self.take_out_lost()? + self.take_out_over()?));
        expired.inspect_err(|_| self.leases.table().put_off(Instant::now()))
    }

    fn tell(&self) -> Result<(), Refusal> {
        let store = self.store.as_deref().ok_or(Refusal::ReadOnly)?;
        let untold = self.leases.table().untold(Instant::now());
        if !untold.is_empty() {
            let counts = store.renew(&untold)?;
            self.leases.table().told(&untold, &counts);
        }
        Ok(())
    }

    fn take_out_lost(&self) -> Result<usize, Refusal> {
        let store = self.store.as_deref().ok_or(Refusal::ReadOnly)?;
        let silent = self.leases.table().silent(Instant::now());
        if silent.is_empty() {
            return Ok(0);
        }
        let counts = store.renewals(&silent)?;
        let lost = self.leases.table().lost(silent, &counts, Instant::now());
        let taken = self.write(&Note::new("ttl", "no sign of life"), Mode::Make, |draft| {
            self.take_out(draft, &lost, &counts)
        })?;
        // Those that somebody else has taken out are not waited for either.
        let there = self.config();
        let mut table = self.leases.table();
        lost.iter().filter(|id| !there.targets.contains_key(id)).for_each(|id| table.forget(id));
        Ok(taken.outcome)
    }

    fn take_out_over(&self) -> Result<usize, Refusal> {
        let now = times::unix();
        let over = self.leases.terms().over(now);
        if over.is_empty() {
            return Ok(0);
        }
        let taken = self.write(&Note::new("ttl", "its time is over"), Mode::Make, |draft| {
            let there = &draft.config().credentials;
            let is_over = |id: &&Uuid| {
                there.get(id).and_then(|credential| credential.expires()).is_some_and(|end| end <= now)
            };
            let mut change = Change::default();
            change.credentials.extend(over.iter().filter(is_over).map(|id| (*id, None)));
            draft.apply(&change)?;
            Ok::<_, Refusal>(change.credentials.len())
        })?;
        // Those that somebody else has taken out are not waited for either.
        let there = self.config();
        let mut terms = self.leases.terms();
        over.iter().filter(|id| !there.credentials.contains_key(id)).for_each(|id| terms.forget(id));
        Ok(taken.outcome)
    }

    /// Takes out those of `lost` that are silent still: some may have been heard meanwhile.
    fn take_out(
        &self,
        draft: &mut Draft<'_>,
        lost: &[Uuid],
        counts: &HashMap<Uuid, u64>,
    ) -> Result<usize, Refusal> {
        let now = Instant::now();
        let lost = {
            let mut table = self.leases.table();
            let silent: HashSet<_> = table.silent(now).into_iter().collect();
            let silent = lost.iter().copied().filter(|id| silent.contains(id)).collect();
            table.lost(silent, counts, now)
        };
        let mut change = Change::default();
        let is_there = |id: &Uuid| draft.config().targets.get(id).is_some_and(|target| target.ttl.is_some());
        change.targets.extend(lost.into_iter().filter(is_there).map(|id| (id, None)));
        draft.apply(&change)?;
        Ok(change.targets.len())
    }
}
