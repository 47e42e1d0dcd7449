//! What all plugins of an engine have in common.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::{
    alive::{Alive, Counted},
    home::Listener,
    shared::Queues,
    ticker::Ticker,
};

/// Instances alive at a time where the pooling allocator works. Each takes addresses, not memory.
pub(crate) const INSTANCES: u32 = 1_000;
/// Of them, those that may serve one route or one request: plugins that share theirs always find one.
const APART: usize = 500;

/// Who tells guests that time passes, the queues between plugins, and how many modules and instances there are.
pub(crate) struct Commons {
    pub(crate) ticker: Ticker,
    pub(crate) queues: Queues<Listener>,
    /// Modules and instances.
    alive: [Arc<AtomicUsize>; 2],
    /// Instances that serve one route or one request.
    apart: Arc<AtomicUsize>,
}

impl Commons {
    pub(crate) fn new(engine: &wasmtime::Engine) -> io::Result<Self> {
        Ok(Self {
            ticker: Ticker::start(engine)?,
            queues: Queues::default(),
            alive: Default::default(),
            apart: Arc::default(),
        })
    }

    /// What is alive.
    pub(crate) fn alive(&self) -> Alive {
        let [modules, instances] = self.alive.each_ref().map(|count| count.load(Relaxed));
        Alive { modules, instances }
    }

    /// Counts a module, until it is dropped.
    pub(crate) fn count_module(&self) -> Counted {
        Counted::new(&self.alive[0])
    }

    /// Counts an instance, until it is dropped.
    pub(crate) fn count_instance(&self) -> Counted {
        Counted::new(&self.alive[1])
    }

    /// Counts an instance that serves one route or one request, until it is dropped; none where the rest is for others.
    pub(crate) fn count_apart(&self) -> Option<Counted> {
        Counted::within(&self.apart, APART)
    }
}
