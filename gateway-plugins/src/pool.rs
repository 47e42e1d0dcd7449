//! The workers that a plugin runs on.

use std::sync::{Arc, OnceLock};

use crate::{
    runtime::{Runtime, Stats},
    worker::Worker,
};

use std::sync::atomic::Ordering::Relaxed;

/// Workers with an instance of their own; further ones share.
const MOST: usize = 256;

/// A plugin's share of each worker, made when the worker first needs it.
pub(crate) struct Pool {
    pub(crate) runtime: Arc<Runtime>,
    workers: Box<[OnceLock<Arc<Worker>>]>,
}

impl Pool {
    pub(crate) fn new(runtime: Runtime) -> Arc<Self> {
        let workers = (0..MOST).map(|_| OnceLock::new()).collect();
        Arc::new(Self { runtime: Arc::new(runtime), workers })
    }

    /// The worker with this number.
    pub(crate) fn worker(&self, shard: usize) -> Option<&Arc<Worker>> {
        let worker = self.workers.get(shard % MOST)?;
        Some(worker.get_or_init(|| Worker::new(shard, Arc::clone(&self.runtime))))
    }

    /// A configuration is no longer used.
    pub(crate) fn forget(&self, config: u64) {
        self.workers().for_each(|worker| worker.forget(config));
    }

    pub(crate) fn stats(&self) -> Stats {
        let counts = &self.runtime.counts;
        let mut stats = Stats {
            instances: counts.instances.load(Relaxed),
            traps: counts.traps.load(Relaxed),
            timeouts: counts.timeouts.load(Relaxed),
            quarantines: counts.quarantines.load(Relaxed),
            quarantined: self.runtime.quarantined(),
            failed: counts.failed.load(Relaxed),
            restarted: counts.restarted.load(Relaxed),
            skipped: counts.skipped.load(Relaxed),
            put_off: counts.put_off.load(Relaxed),
            lines_left_out: counts.lines_left_out.load(Relaxed),
            ..Stats::default()
        };
        for (entries, contexts, live) in self.workers().map(|worker| worker.figures()) {
            stats.entries += entries;
            stats.contexts += contexts;
            stats.instances_alive += usize::from(live);
        }
        stats
    }

    fn workers(&self) -> impl Iterator<Item = &Arc<Worker>> {
        self.workers.iter().filter_map(OnceLock::get)
    }
}
