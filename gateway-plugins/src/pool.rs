//! The workers that a plugin runs on.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
};

use gateway_core::plugin::Exchange;

use crate::{
    Isolation,
    config::Config,
    module::Module,
    routes::Routes,
    runtime::{Runtime, Stats},
    worker::Worker,
};

/// Workers with an instance of their own; further ones share.
const MOST: usize = 256;

/// A plugin's share of each worker, made when the worker first needs it.
pub(crate) struct Pool {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) module: Module,
    workers: Box<[OnceLock<Arc<Worker>>]>,
    /// Those that serve one route.
    routes: Routes,
}

/// What serves a request.
pub(crate) enum Place<'p> {
    /// What its worker has for all.
    Shared(&'p Arc<Worker>),
    /// What it has for those of its route, or for this one.
    Apart(Arc<Worker>),
}

impl Deref for Place<'_> {
    type Target = Arc<Worker>;

    fn deref(&self) -> &Arc<Worker> {
        match self {
            Self::Shared(worker) => worker,
            Self::Apart(worker) => worker,
        }
    }
}

impl Pool {
    pub(crate) fn new(module: Module, runtime: Runtime) -> Arc<Self> {
        let workers = (0..MOST).map(|_| OnceLock::new()).collect();
        Arc::new(Self { runtime: Arc::new(runtime), module, workers, routes: Routes::default() })
    }

    /// What serves a request under `config`; none where there is no room for another instance.
    pub(crate) fn place(&self, exchange: &Exchange, config: &Arc<Config>) -> Option<Place<'_>> {
        let worker = self.worker(exchange.shard)?;
        match self.runtime.isolation {
            Isolation::Shared => Some(Place::Shared(worker)),
            Isolation::Route => {
                let route = exchange.matched.as_ref().map(|matched| matched.route.id);
                self.routes.of(route.unwrap_or_default(), worker).map(Place::Apart)
            }
            Isolation::Request => Worker::alone(worker, config).map(Place::Apart),
        }
    }

    /// A configuration is no longer used.
    pub(crate) fn forget(&self, config: u64) {
        self.workers().for_each(|worker| worker.forget(config));
        self.routes.all().iter().for_each(|worker| worker.forget(config));
        self.routes.sweep();
    }

    pub(crate) fn stats(&self) -> Stats {
        let counts = &self.runtime.counts;
        let mut stats = Stats {
            entries: counts.entries.load(Relaxed),
            instances: counts.instances.load(Relaxed),
            traps: counts.traps.load(Relaxed),
            timeouts: counts.timeouts.load(Relaxed),
            quarantines: counts.quarantines.load(Relaxed),
            quarantined: self.runtime.quarantined(),
            failed: counts.failed.load(Relaxed),
            no_room: counts.no_room.load(Relaxed),
            restarted: counts.restarted.load(Relaxed),
            skipped: counts.skipped.load(Relaxed),
            put_off: counts.put_off.load(Relaxed),
            lines_left_out: counts.lines_left_out.load(Relaxed),
            ..Stats::default()
        };
        let routes = self.routes.all();
        for (entries, contexts, live) in self.workers().chain(&routes).map(|worker| worker.figures()) {
            stats.entries += entries;
            stats.contexts += contexts;
            stats.instances_alive += usize::from(live);
        }
        if self.runtime.isolation == Isolation::Request {
            // Nobody but its request knows such an instance.
            stats.contexts = self.runtime.apart();
            stats.instances_alive = stats.contexts;
        }
        stats
    }

    /// The worker with this number.
    fn worker(&self, shard: usize) -> Option<&Arc<Worker>> {
        let worker = self.workers.get(shard % MOST)?;
        Some(worker.get_or_init(|| Worker::new(shard, self.module.clone(), Arc::clone(&self.runtime))))
    }

    fn workers(&self) -> impl Iterator<Item = &Arc<Worker>> {
        self.workers.iter().filter_map(OnceLock::get)
    }
}
