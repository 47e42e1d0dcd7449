//! The instance that serves one worker: how it comes to be, ends, and comes again.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering::Relaxed},
    time::Instant,
};

use gateway_core::plugin::Exchange;
use tokio::{runtime::Handle, sync::watch, time::sleep};

use crate::{
    Isolation,
    config::Config,
    deadline::thread_time,
    entry::Trap,
    event::Event,
    home::{Errand, Home, Keeper},
    instance::{Instance, Unfit},
    module::Module,
    runtime::{Runtime, Seat},
    share::Share,
    state::{Phase, State},
};

/// A worker's share of a plugin.
///
/// A lock, because an embedder's runtime moves requests between threads, and callouts and ticks come beside them. It
/// is held for one callback, never over a wait; on a runtime of one thread nobody ever waits for it.
pub(crate) struct Worker {
    pub(crate) shard: usize,
    module: Module,
    pub(crate) runtime: Arc<Runtime>,
    state: Mutex<State>,
    /// What the plugin may take of the worker for callbacks that no request waits for. Those take turns, in the order in
    /// which they came.
    share: Arc<tokio::sync::Mutex<Share>>,
    /// Where it serves one route or one request.
    _seat: Option<Seat>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.end(&self.runtime);
    }
}

/// What a worker has for a request.
pub(crate) enum Turn<'w> {
    /// Its instance.
    Now(Lease<'w>),
    /// An instance, once this channel ends.
    Later(watch::Receiver<()>),
    /// Nothing, for a while.
    Never,
}

/// A live instance, for one callback.
pub(crate) struct Lease<'w> {
    worker: &'w Arc<Worker>,
    state: MutexGuard<'w, State>,
    /// Which instance of the worker's it is.
    pub(crate) life: u64,
}

impl Worker {
    pub(crate) fn new(shard: usize, module: Module, runtime: Arc<Runtime>) -> Arc<Self> {
        Arc::new(Self {
            shard,
            module,
            runtime,
            state: Mutex::default(),
            share: Default::default(),
            _seat: None,
        })
    }

    /// One more on the same worker, with a seat of its own; none where all are taken.
    pub(crate) fn apart(beside: &Self) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            shard: beside.shard,
            _seat: Some(beside.runtime.seat()?),
            module: beside.module.clone(),
            runtime: Arc::clone(&beside.runtime),
            state: Mutex::default(),
            share: Arc::clone(&beside.share),
        }))
    }

    /// The same, with an instance that is made now, for one request.
    pub(crate) fn alone(beside: &Self, config: &Arc<Config>) -> Option<Arc<Self>> {
        let worker = Self::apart(beside)?;
        if !worker.runtime.quarantined() {
            let life = worker.state().life;
            worker.install(life, worker.made(life, std::slice::from_ref(config)));
        }
        Some(worker)
    }

    /// The instance for a request; where there is none, one begins to be made.
    pub(crate) fn turn(self: &Arc<Self>, config: &Arc<Config>) -> Turn<'_> {
        let mut state = self.state();
        match &state.phase {
            Phase::Live(_) => {
                let life = state.life;
                Turn::Now(Lease { worker: self, state, life })
            }
            Phase::Building(built) => Turn::Later(built.clone()),
            Phase::Empty if !self.begins_anew() || self.runtime.quarantined() => Turn::Never,
            Phase::Empty => {
                if self.runtime.isolation == Isolation::Route {
                    state.note(config);
                }
                let built = self.build(&mut state);
                Turn::Later(built)
            }
        }
    }

    /// The instance, if it is still this one.
    pub(crate) fn lease(self: &Arc<Self>, life: u64) -> Option<Lease<'_>> {
        let state = self.state();
        let live = matches!(state.phase, Phase::Live(_)) && state.life == life;
        live.then_some(Lease { worker: self, state, life })
    }

    /// Ends a request's context.
    pub(crate) fn finish(self: &Arc<Self>, life: u64, stream: u32, exchange: Option<&Exchange>) {
        match self.lease(life) {
            Some(lease) => drop(lease.enter(|instance| instance.finish(stream, exchange))),
            None => drop(self.runtime.counts.skipped.fetch_add(1, Relaxed)),
        }
    }

    /// A configuration is no longer used.
    pub(crate) fn forget(self: &Arc<Self>, config: u64) {
        let mut state = self.state();
        let life = state.life;
        let Phase::Live(instance) = &mut state.phase else { return };
        let Some(root) = instance.root(config) else { return };
        if instance.host().roots.len() == 1 {
            // With its last configuration an instance goes, and its memory.
            let lease = Lease { worker: self, state, life };
            if let Some(mut lease) = lease.enter_on(|instance| instance.remove_root(root)) {
                lease.end();
            }
            return;
        }
        Lease { worker: self, state, life }.enter(|instance| instance.remove_root(root));
    }

    /// What it holds now: callbacks entered so far, requests with a context, whether an instance lives.
    pub(crate) fn figures(&self) -> (u64, usize, bool) {
        let mut state = self.state();
        match &mut state.phase {
            Phase::Live(instance) => {
                let host = instance.host();
                (host.entries, host.streams.len(), true)
            }
            Phase::Empty | Phase::Building(_) => (0, 0, false),
        }
    }

    /// Whether it has no instance, and none is made.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.state().phase, Phase::Empty)
    }

    /// Whether one instance follows another: what is made for one request is not.
    fn begins_anew(&self) -> bool {
        self.runtime.isolation != Isolation::Request
    }

    /// Makes an instance with the configurations in use, on a thread where it may take its time.
    fn build(self: &Arc<Self>, state: &mut State) -> watch::Receiver<()> {
        let (done, built) = watch::channel(());
        state.life += 1;
        state.phase = Phase::Building(built.clone());
        let (worker, life) = (Arc::clone(self), state.life);
        let configs: Vec<_> = match self.runtime.isolation {
            Isolation::Shared => self.runtime.configs(),
            Isolation::Route | Isolation::Request => state.configs.iter().filter_map(Weak::upgrade).collect(),
        };
        let work = move || {
            worker.install(life, worker.made(life, &configs));
            drop(done);
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => drop(std::thread::spawn(work)),
        }
        built
    }

    fn made(self: &Arc<Self>, life: u64, configs: &[Arc<Config>]) -> Result<Instance, Unfit> {
        let keeper: Weak<Self> = Arc::downgrade(self);
        let mut instance = Instance::new(&self.module, &self.runtime, Home::Worker(keeper, life))?;
        for config in configs {
            instance.add_root(config)?;
        }
        Ok(instance)
    }

    fn install(&self, life: u64, made: Result<Instance, Unfit>) {
        let mut state = self.state();
        if state.life != life {
            return;
        }
        state.phase = match made {
            Ok(instance) => {
                self.runtime.counts.instances.fetch_add(1, Relaxed);
                Phase::Live(Box::new(instance))
            }
            Err(error) => {
                // What failed here may fail again: it counts towards quarantine.
                self.runtime.trapped(&wasmtime::Error::from(error));
                Phase::Empty
            }
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper for Worker {
    fn shard(&self) -> usize {
        self.shard
    }

    fn tell(self: Arc<Self>, life: u64, context: u32, event: Event) -> Option<Result<(), Event>> {
        let mut lease = self.lease(life)?;
        Some(match lease.instance().host().streams.get(context) {
            Some(stream) => stream.tell(event),
            None => Err(event),
        })
    }

    /// As soon as its share of the worker allows.
    fn aside(self: Arc<Self>, life: u64, errand: Errand) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(async move {
            let mut share = self.share.lock().await;
            let wait = share.wait(Instant::now());
            if !wait.is_zero() {
                self.runtime.counts.put_off.fetch_add(1, Relaxed);
                sleep(wait).await;
            }
            let Some(lease) = self.lease(life) else { return false };
            let began = thread_time();
            let owed = lease.enter(|instance| {
                instance.run(errand)?;
                Ok(std::mem::take(&mut instance.host().owed))
            });
            let took = thread_time().saturating_sub(began);
            share.took(Instant::now(), took + owed.unwrap_or_default());
            owed.is_some()
        })
    }
}

impl Lease<'_> {
    /// The instance. It is live as long as the lease.
    pub(crate) fn instance(&mut self) -> &mut Instance {
        match &mut self.state.phase {
            Phase::Live(instance) => instance,
            Phase::Empty | Phase::Building(_) => {
                unreachable!("a lease is made for a live instance, and ends it by value")
            }
        }
    }

    /// The root of `config`, made where it is new.
    pub(crate) fn root(mut self, config: &Arc<Config>) -> Option<(Self, u32)> {
        if let Some(root) = self.instance().root(config.id()) {
            return Some((self, root));
        }
        match self.instance().add_root(config) {
            Ok(root) => {
                if self.worker.runtime.isolation == Isolation::Route {
                    self.state.note(config);
                }
                Some((self, root))
            }
            Err(error) => {
                // A root that did not start leaves an instance that nobody knows the state of.
                self.trapped(&wasmtime::Error::from(error));
                None
            }
        }
    }

    /// Enters the guest; a trap ends the instance.
    pub(crate) fn enter<R>(self, call: impl FnOnce(&mut Instance) -> Result<R, Trap>) -> Option<R> {
        self.enter_with(call).map(|(_, result)| result)
    }

    /// The same, with the lease given back.
    pub(crate) fn enter_with<R>(
        mut self,
        call: impl FnOnce(&mut Instance) -> Result<R, Trap>,
    ) -> Option<(Self, R)> {
        match call(self.instance()) {
            Ok(result) => Some((self, result)),
            Err(trap) => {
                self.trapped(&trap);
                None
            }
        }
    }

    fn enter_on(self, call: impl FnOnce(&mut Instance) -> Result<(), Trap>) -> Option<Self> {
        self.enter_with(call).map(|(lease, ())| lease)
    }

    /// The instance ends, and the next one begins to be made, unless the plugin is shut out.
    fn trapped(mut self, trap: &Trap) {
        self.end();
        self.worker.runtime.trapped(trap);
        if self.worker.begins_anew() && !self.worker.runtime.quarantined() {
            self.worker.build(&mut self.state);
        }
    }

    fn end(&mut self) {
        self.state.end(&self.worker.runtime);
    }
}
