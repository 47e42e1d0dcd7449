//! Limits counted in this process, and brought to Redis from time to time (Kong's `sync_rate`).

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::Script;
use tokio::runtime::Handle;

use super::{
    Checked, RateLimit,
    limiters::Here,
    remote::{Remote, lifetime},
    rule::{Cell, Rule},
};
use crate::{clock, table::Name};

/// Adds to counters, and tells what they are then.
static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("add.lua")));

/// Windows of keys between two syncs. What comes beyond counts here alone.
const MOST: usize = 1 << 16;
/// Counters of one call.
const BATCH: usize = 500;
/// The shortest time between two syncs: Kong's `sync_rate` is at least 0.02 s.
const SHORTEST: u32 = 20;

/// A limiter that asks nobody and tells the server afterwards.
#[derive(Debug)]
pub(super) struct Synced(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    here: Here,
    remote: Remote,
    period: Duration,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    /// What was counted since the last sync.
    counts: HashMap<(Name, u64), Count>,
    /// Whether a sync will come.
    due: bool,
}

#[derive(Debug)]
struct Count {
    rule: Rule,
    key: String,
    start: u64,
    delta: u64,
    lifetime: u64,
}

impl Synced {
    pub(super) fn new(here: Here, remote: Remote, period: u32) -> Self {
        let period = Duration::from_millis(u64::from(period.max(SHORTEST)));
        Self(Arc::new(Inner { here, remote, period, pending: Mutex::default() }))
    }
}

impl RateLimit for Synced {
    fn check(&self, key: &str, cost: u32) -> Checked {
        let inner = &*self.0;
        let (now, name) = (clock::wall(), inner.here.name.of(key.as_bytes()));
        let verdict = inner.here.local.check(inner.here.name, &inner.here.rules, key, cost, now);
        if verdict.allowed && cost > 0 {
            let mut pending = inner.pending();
            for rule in inner.here.rules.iter() {
                pending.add(name, rule, u64::from(cost), now, |start| inner.remote.key(rule, key, start));
            }
            if !std::mem::replace(&mut pending.due, true) {
                drop(pending);
                self.schedule();
            }
        }
        Checked::Now(verdict)
    }
}

impl Synced {
    /// Syncs after the period; ends with the limiter, or with the runtime of who calls.
    fn schedule(&self) {
        let due = Due(Arc::downgrade(&self.0));
        let Ok(runtime) = Handle::try_current() else { return };
        let period = self.0.period;
        runtime.spawn(async move {
            tokio::time::sleep(period).await;
            let Some(inner) = due.0.upgrade() else { return };
            let counts = inner.take();
            drop(due);
            inner.sync(counts).await;
        });
    }
}

/// A sync that will come. Where it does not, the next call sees to another one.
struct Due(Weak<Inner>);

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.pending().due = false;
        }
    }
}

impl Inner {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<(Name, Count)> {
        self.pending().counts.drain().map(|((name, _), count)| (name, count)).collect()
    }

    /// Brings what was counted to the server, and what it knows back. What cannot be brought is not tried again, as
    /// in Kong: nobody knows whether it arrived.
    async fn sync(&self, counts: Vec<(Name, Count)>) {
        for batch in counts.chunks(BATCH) {
            let mut call = ADD.prepare_invoke();
            for (_, count) in batch {
                call.key(&count.key).arg(count.delta).arg(count.lifetime);
            }
            let Some(totals) = self.remote.client().run::<Vec<u64>>(&call).await else { return };
            for ((name, count), total) in batch.iter().zip(totals) {
                self.learn(*name, count, total);
            }
        }
    }

    /// The server has `total`, all nodes taken together; what was counted here since comes on top.
    fn learn(&self, name: Name, count: &Count, total: u64) {
        let since = self.pending().counts.get(&(name, count.rule.part())).map_or(0, |count| count.delta);
        let all = total.saturating_add(since);
        self.here.local.raise(name, &count.rule, count.start, all, clock::wall());
    }
}

impl Pending {
    fn add(&mut self, name: Name, rule: &Rule, cost: u64, now: u64, key: impl FnOnce(u64) -> String) {
        let cell = rule.roll(Cell::default(), now);
        let id = (name, rule.part());
        match self.counts.get_mut(&id) {
            Some(count) if count.start == cell.start => count.delta = count.delta.saturating_add(cost),
            None if self.counts.len() >= MOST => {}
            // What was counted in a window that is over no longer holds anybody back.
            _ => {
                let (start, lifetime) = (cell.start, lifetime(rule, &cell, now));
                let count = Count { rule: *rule, key: key(start), start, delta: cost, lifetime };
                self.counts.insert(id, count);
            }
        }
    }
}
