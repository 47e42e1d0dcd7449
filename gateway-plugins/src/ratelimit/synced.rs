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
    here::Here,
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
        let (id, full) = ((name, rule.part()), self.counts.len() >= MOST);
        match self.counts.get_mut(&id) {
            Some(count) if count.start == cell.start => count.delta = count.delta.saturating_add(cost),
            None if full => {}
            // What was counted in a window that is over no longer holds anybody back.
            _ => {
                let (start, lifetime) = (cell.start, lifetime(rule, &cell, now));
                let count = Count { rule: *rule, key: key(start), start, delta: cost, lifetime };
                self.counts.insert(id, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use plugin_contract::ratelimit::{Algorithm, Limiter, Period, Redis, Store, Window};
    use redis::AsyncCommands;
    use tokio::time::{sleep, timeout};

    use crate::{
        Checked, Entity, Limiters, RateLimit, RateLimits, Scope, Status, Verdict,
        redis::{server::RedisServer, tests::redis},
    };

    /// A limiter of another node.
    fn node(port: u16, algorithm: Algorithm) -> Result<Arc<dyn RateLimit>, Status> {
        let store = Store::Redis(Redis { sync: Some(20), ..redis(port) });
        let windows = vec![Window { period: Period::Year, limit: 6 }];
        let entity = Entity::default();
        let scope = Scope::new("rate-limiting", &entity);
        Limiters::default().limiter(&Limiter { algorithm, windows, store, name: "" }, scope)
    }

    fn check(node: &Arc<dyn RateLimit>, cost: u32) -> Verdict {
        match node.check("k", cost) {
            Checked::Now(verdict) => verdict,
            Checked::Later(_) => panic!("it answers at once"),
        }
    }

    async fn until_left(node: &Arc<dyn RateLimit>, remaining: u64) {
        let told = async {
            while check(node, 0).windows[0].remaining != remaining {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), told).await.expect("nodes tell each other");
    }

    /// Waits until the server has counted that much.
    async fn arrived(server: &RedisServer, expected: u64) {
        let mut connection = server.other().await;
        let told = async {
            loop {
                let keys: Vec<String> = connection.keys("ratelimit:*:year").await.unwrap();
                let key = keys.first().map_or("none", |key| key);
                if connection.get::<_, Option<u64>>(key).await.unwrap() == Some(expected) {
                    break;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), told).await.expect("the server is told");
    }

    #[tokio::test]
    async fn nodes_learn_of_each_other_at_the_next_sync() {
        let Some(server) = RedisServer::start(&[]) else { return };
        let [one, other] = [(); 2].map(|()| node(server.port, Algorithm::Fixed).unwrap());
        assert!(check(&one, 3).allowed);
        assert_eq!(check(&one, 0).windows[0].remaining, 3);
        arrived(&server, 3).await;
        assert!(check(&other, 1).allowed);
        until_left(&other, 2).await;
        assert!(check(&one, 1).allowed);
        until_left(&one, 1).await;
        assert!(check(&one, 1).allowed && !check(&one, 1).allowed);
    }

    #[tokio::test]
    async fn without_a_server_each_node_keeps_to_the_limit_alone() {
        let Some(mut server) = RedisServer::start(&[]) else { return };
        let node = node(server.port, Algorithm::Fixed).unwrap();
        assert!(check(&node, 2).allowed);
        arrived(&server, 2).await;
        server.kill();
        let mut through = 0;
        for _ in 0..10 {
            through += u32::from(check(&node, 1).allowed);
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(through, 4);
    }

    #[tokio::test]
    async fn only_fixed_windows_are_synced() {
        for algorithm in [Algorithm::Sliding, Algorithm::Pace] {
            assert_eq!(node(1, algorithm).err(), Some(Status::BadArgument));
        }
    }
}
