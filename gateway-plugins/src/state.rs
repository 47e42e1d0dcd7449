//! How it stands with the instance of a worker.

use std::sync::{Arc, Weak, atomic::Ordering::Relaxed};

use tokio::sync::watch;

use crate::{config::Config, instance::Instance, runtime::Runtime};

/// What a worker has.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// Counts instances: what belongs to one does not reach the next.
    pub(crate) life: u64,
    /// The configurations that it has served a route under.
    pub(crate) configs: Vec<Weak<Config>>,
}

impl State {
    /// A configuration that the next instance has from its beginning.
    pub(crate) fn note(&mut self, config: &Arc<Config>) {
        self.configs.retain(|known| known.upgrade().is_some_and(|known| known.id() != config.id()));
        self.configs.push(Arc::downgrade(config));
    }

    /// The instance ends, if there is one.
    pub(crate) fn end(&mut self, runtime: &Runtime) {
        if let Phase::Live(mut instance) = std::mem::take(&mut self.phase) {
            runtime.counts.entries.fetch_add(instance.host().entries, Relaxed);
        }
    }
}

/// Whether there is an instance.
#[derive(Default)]
pub(crate) enum Phase {
    #[default]
    Empty,
    /// Under construction, off the path of requests.
    Building(watch::Receiver<()>),
    Live(Box<Instance>),
}
