//! Keeping the names of an upstream's targets looked up.

use std::{
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::{Upstream, dns::Resolved};

/// An answer is kept at least so long, whatever its TTL says.
const SHORTEST_TTL: Duration = Duration::from_secs(1);
/// And at most so long, so that a move is noticed.
const LONGEST_TTL: Duration = Duration::from_secs(600);
/// Look-ups of one upstream at a time.
const PARALLEL_LOOKUPS: usize = 16;

impl Upstream {
    /// The targets that are names.
    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.group.targets.iter().filter(|member| member.ip().is_none()).map(|member| &member.host)
    }

    /// Looks every name up; how long until that should be done again.
    async fn resolve(&self) -> Duration {
        let before = self.set.load_full();
        let mut names = before.names.clone();
        let mut next = LONGEST_TTL;
        let mut wanted: Vec<_> = self.names().map(Arc::clone).collect();
        wanted.sort();
        wanted.dedup();
        names.retain(|name, _| wanted.binary_search(name).is_ok());
        for batch in wanted.chunks(PARALLEL_LOOKUPS) {
            for (name, found) in self.look_up(batch).await {
                match found {
                    Ok(resolved) => {
                        next = next.min(resolved.ttl.max(SHORTEST_TTL));
                        names.insert(name, resolved);
                    }
                    Err(error) => {
                        next = SHORTEST_TTL;
                        tracing::warn!(upstream = %self.group.name, %name, error, "name does not resolve");
                    }
                }
            }
        }
        if names != before.names || before.empty.is_none() {
            let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            let set = self.build(names, Some(&self.set.load())).settled();
            self.set.store(Arc::new(self.judged(set)));
        }
        self.resolved.notify_waiters();
        next
    }

    async fn look_up(&self, names: &[Arc<str>]) -> Vec<(Arc<str>, Result<Resolved, String>)> {
        let mut tasks = JoinSet::new();
        for name in names {
            let (name, resolver) = (Arc::clone(name), Arc::clone(&self.resolver));
            tasks.spawn(async move {
                let found = resolver.resolve(&name).await.map_err(|error| error.to_string());
                (name, found)
            });
        }
        tasks.join_all().await
    }
}

/// Keeps the names of an upstream resolved for as long as it is there.
pub(super) async fn keep_resolved(upstream: Weak<Upstream>) {
    loop {
        let Some(strong) = upstream.upgrade() else { return };
        let next = strong.resolve().await;
        drop(strong);
        sleep(next.min(LONGEST_TTL)).await;
    }
}
