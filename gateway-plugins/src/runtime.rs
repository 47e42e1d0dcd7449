//! What all instances of a plugin have in common.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use plugin_contract::{Call as _, consumer::Authenticate, var::Get};

use crate::{
    Isolation, Limits, Metric,
    abi::Version,
    alive::Counted,
    commons::Commons,
    config::Config,
    quarantine::Quarantine,
    services::Services,
    shared::{Metrics, SharedData},
    uses::Uses,
};

/// A plugin at work: its bounds, what its instances share, what it has counted.
pub(crate) struct Runtime {
    pub(crate) name: Arc<str>,
    pub(crate) commons: Arc<Commons>,
    /// What its module makes use of.
    pub(crate) uses: Uses,
    version: Version,
    pub(crate) limits: Limits,
    pub(crate) services: Services,
    pub(crate) isolation: Isolation,
    /// Whether it can see what guests of one request tell each other.
    pub(crate) notes: bool,
    /// Whether it may say who calls.
    pub(crate) identifies: bool,
    pub(crate) data: SharedData,
    pub(crate) metrics: Metrics,
    pub(crate) counts: Counts,
    quarantine: Mutex<Quarantine>,
    configs: Mutex<Vec<Weak<Config>>>,
    /// Instances that serve one route or one request.
    apart: Arc<AtomicUsize>,
}

/// The place of an instance that serves one route or one request, until it is dropped.
pub(crate) struct Seat {
    _of_plugin: Counted,
    _of_engine: Counted,
}

/// What is counted over the life of a plugin, away from the path of requests that go well.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Callbacks that instances were entered for which have ended.
    pub(crate) entries: AtomicU64,
    pub(crate) traps: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) instances: AtomicU64,
    pub(crate) quarantines: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) no_room: AtomicU64,
    pub(crate) restarted: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) put_off: AtomicU64,
    pub(crate) lines_left_out: AtomicU64,
}

/// What a plugin has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Callbacks entered.
    pub entries: u64,
    /// Requests that have a context now.
    pub contexts: usize,
    /// Instances alive now.
    pub instances_alive: usize,
    /// Instances made, those that only tried a configuration out left aside.
    pub instances: u64,
    /// Instances that ended in a trap, those that ran out of time included.
    pub traps: u64,
    /// Of them, those that ran out of time.
    pub timeouts: u64,
    /// Times that the plugin was shut out.
    pub quarantines: u64,
    /// Whether it is shut out now.
    pub quarantined: bool,
    /// Requests that got their error policy.
    pub failed: u64,
    /// Of them, those for which there was no room for an instance of their route or their own.
    pub no_room: u64,
    /// Requests that began anew because another one ended their instance.
    pub restarted: u64,
    /// Later phases of requests that were left out because another one ended their instance.
    pub skipped: u64,
    /// Callbacks that no request waits for (ticks, queues, callouts of roots) and that came later, because the plugin had used
    /// up its tenth of the worker's time.
    pub put_off: u64,
    /// Lines for the log that were left out, because there were too many.
    pub lines_left_out: u64,
}

impl Runtime {
    pub(crate) fn new(
        name: &str,
        commons: Arc<Commons>,
        (uses, version): (Uses, Version),
        limits: Limits,
        services: Services,
        isolation: Isolation,
    ) -> Self {
        Self {
            name: name.into(),
            commons,
            uses,
            version,
            notes: uses.notes || services.function(Get::NAME.as_bytes()).is_some(),
            identifies: services.function(Authenticate::NAME.as_bytes()).is_some(),
            quarantine: Mutex::new(Quarantine::new(&limits)),
            limits,
            services,
            isolation,
            data: SharedData::default(),
            metrics: Metrics::default(),
            counts: Counts::default(),
            configs: Mutex::default(),
            apart: Arc::default(),
        }
    }

    /// A place for an instance that serves one route or one request; none where all are taken.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let of_plugin = Counted::within(&self.apart, self.limits.instances)?;
        Some(Seat { _of_plugin: of_plugin, _of_engine: self.commons.count_apart()? })
    }

    /// Instances that serve one route or one request now.
    pub(crate) fn apart(&self) -> usize {
        self.apart.load(Relaxed)
    }

    pub(crate) fn old_abi(&self) -> bool {
        self.version == Version::V0_1_0
    }

    /// An instance trapped.
    pub(crate) fn trapped(&self, error: &wasmtime::Error) {
        let timeout = error.downcast_ref::<crate::deadline::Overrun>().is_some();
        self.counts.traps.fetch_add(1, Relaxed);
        self.counts.timeouts.fetch_add(timeout.into(), Relaxed);
        tracing::warn!(plugin = &*self.name, error = format!("{error:#}"), "a plugin's instance ended");
        let mut quarantine = self.quarantine.lock().unwrap_or_else(PoisonError::into_inner);
        if quarantine.trapped(Instant::now()) {
            self.counts.quarantines.fetch_add(1, Relaxed);
            tracing::error!(plugin = &*self.name, "a plugin keeps failing and is left alone for a while");
        }
    }

    /// Nothing happened to a message for as long as a guest may hold one.
    pub(crate) fn held_too_long(&self) {
        let longest = self.limits.pause;
        tracing::warn!(plugin = &*self.name, ?longest, "a plugin held a message for too long");
    }

    /// Whether the plugin is shut out. Only asked where there is no instance to enter.
    pub(crate) fn quarantined(&self) -> bool {
        let quarantine = self.quarantine.lock().unwrap_or_else(PoisonError::into_inner);
        quarantine.until(Instant::now()).is_some()
    }

    /// Notes a configuration, for the instances that are made from now on.
    pub(crate) fn note(&self, config: &Arc<Config>) {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        // Not at each one: a configuration of very many routes is noted in one go.
        if configs.len() == configs.capacity() {
            configs.retain(|config| config.strong_count() > 0);
        }
        configs.push(Arc::downgrade(config));
    }

    /// The configurations that are in use.
    pub(crate) fn configs(&self) -> Vec<Arc<Config>> {
        let configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        configs.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        self.metrics.all()
    }
}
