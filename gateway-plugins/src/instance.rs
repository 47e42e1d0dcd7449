//! One live virtual machine: a store, its callbacks, and the contexts in it.

use std::sync::Arc;

use gateway_core::plugin::Exchange;
use wasmtime::{Store, UpdateDeadline};

use crate::{
    LoadError,
    abi::Side,
    budgets::{budget, start_budget},
    buffer::Buffer,
    complaints::Complaints,
    config::Config,
    entry::{Trap, begin, enter, size, with_exchange},
    exports::{Exports, Starts, guest, mailbox},
    happened::happened,
    home::{Errand, Home},
    host::{Host, Root},
    hostcalls::end_line,
    module::Module,
    notes::Notes,
    runtime::Runtime,
    stream::Stream,
};

/// A live virtual machine. After a trap it must not be entered again, only dropped.
pub(crate) struct Instance {
    pub(crate) store: Store<Host>,
    pub(crate) exports: Exports,
}

/// Why an instance does not take a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(transparent)]
    Exports(#[from] LoadError),
    #[error("the plugin ended in a trap: {0:#}")]
    Trap(#[from] Trap),
    /// It has said why.
    #[error("the plugin ended in a trap: {0}: {1:#}")]
    Fallen(String, #[source] Trap),
    #[error("the plugin refused to start")]
    Start,
    #[error("{}", .0.as_deref().unwrap_or("the plugin refused the configuration"))]
    Configuration(Option<String>),
    #[error("the plugin has too many contexts")]
    Contexts,
}

impl Unfit {
    /// With what the guest has said of it.
    fn told(self, complaints: Option<Complaints>) -> Self {
        let complaints = complaints.unwrap_or_default();
        match self {
            Self::Configuration(_) => Self::Configuration(complaints.of_refusal()),
            Self::Trap(trap) => match complaints.of_trap() {
                Some(said) => Self::Fallen(said, trap),
                None => Self::Trap(trap),
            },
            other => other,
        }
    }
}

impl Instance {
    /// A new instance, with its start functions run.
    pub(crate) fn new(module: &Module, runtime: &Arc<Runtime>, home: Home) -> Result<Self, Unfit> {
        let module = module.instance();
        let mut store = Store::new(module.module().engine(), Host::new(Arc::clone(runtime), home));
        store.limiter(|host| &mut host.limiter);
        store.epoch_deadline_callback(|mut context| {
            let host = context.data_mut();
            host.deadline.tick()?;
            // It may run for longer than the thread that ticks waits for the next entry.
            host.runtime.commons.ticker.want();
            Ok(UpdateDeadline::Continue(1))
        });
        begin(&mut store, 0, start_budget(runtime));
        let instance = module.instantiate(&mut store)?;
        let exports = Exports::of(&instance, &mut store)?;
        let guest = guest(&instance, &mut store)?;
        store.data_mut().mailbox = mailbox(&instance, &mut store, guest.memory);
        store.data_mut().guest = Some(Arc::new(guest));
        let starts = Starts::of(&instance, &mut store)?;
        let started = started(&mut store, &starts);
        end_line(store.data_mut());
        let complaints = store.data_mut().complaints.take();
        started.map_err(|trap| Unfit::from(trap).told(complaints))?;
        Ok(Self { store, exports })
    }

    pub(crate) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// The root of a configuration.
    pub(crate) fn root(&self, config: u64) -> Option<u32> {
        self.store.data().by_config.get(&config).copied()
    }

    /// Takes a configuration: its root is created, started and configured. As in Envoy, every root is told of the
    /// start, not only the first.
    pub(crate) fn add_root(&mut self, config: &Arc<Config>) -> Result<u32, Unfit> {
        self.host().complaints = Some(Complaints::default());
        let added = self.try_root(config);
        let complaints = self.host().complaints.take();
        added.map_err(|unfit| unfit.told(complaints))
    }

    fn try_root(&mut self, config: &Arc<Config>) -> Result<u32, Unfit> {
        let Self { store, exports } = self;
        let host = store.data_mut();
        let budget = start_budget(&host.runtime);
        let root = host.new_context().ok_or(Unfit::Contexts)?;
        let entry = (root, budget);
        host.roots.insert(root, Root { config: Arc::clone(config), ticks: None });
        host.by_config.insert(config.id(), root);
        enter(store, exports, entry, exports.context_create.as_ref(), (root, 0))?;
        store.data_mut().message.vm_configuration = Some(Buffer::default());
        let started = enter(store, exports, entry, exports.vm_start.as_ref(), (root, 0));
        store.data_mut().message.vm_configuration = None;
        if started? == Some(0) {
            return Err(Unfit::Start);
        }
        store.data_mut().message.configuration = Some(Buffer::One(config.text.clone()));
        let arguments = (root, size(config.text.len()));
        let configured = enter(store, exports, entry, exports.configure.as_ref(), arguments);
        store.data_mut().message.configuration = None;
        if configured? == Some(0) { Err(Unfit::Configuration(None)) } else { Ok(root) }
    }

    /// A configuration is no longer used; its requests are over.
    pub(crate) fn remove_root(&mut self, root: u32) -> Result<(), Trap> {
        let Self { store, exports } = self;
        let entry = (root, budget(store));
        enter(store, exports, entry, exports.done.as_ref(), root)?;
        enter(store, exports, entry, exports.delete.as_ref(), root)?;
        let host = store.data_mut();
        host.roots.remove(&root).map(|root| host.by_config.remove(&root.config.id()));
        host.grpc.forget(root);
        // What it still kept of requests that are over goes with it.
        host.streams.retain(|stream| stream.root != root || !stream.ending);
        host.ending = host.streams.iter().filter(|stream| stream.ending).count();
        Ok(())
    }

    /// A request begins under `root`. None where too many are alive.
    pub(crate) fn add_stream(&mut self, root: u32, notes: Option<Notes>) -> Result<Option<u32>, Trap> {
        let Self { store, exports } = self;
        let host = store.data_mut();
        let Some(stream) = host.new_context() else { return Ok(None) };
        host.streams.add(stream, Stream::new(root, notes));
        if host.mailbox.is_none() {
            let entry = (stream, budget(store));
            enter(store, exports, entry, exports.context_create.as_ref(), (stream, root))?;
        }
        Ok(Some(stream))
    }

    /// Does what no request waits for.
    pub(crate) fn run(&mut self, errand: Errand) -> Result<(), Trap> {
        let Self { store, exports } = self;
        let budget = budget(store);
        match errand {
            Errand::Tick(root) => {
                enter(store, exports, (root, budget), exports.tick.as_ref(), root).map(drop)
            }
            Errand::Queue { root, queue } => {
                let callback = exports.queue_ready.as_ref();
                enter(store, exports, (root, budget), callback, (root, queue)).map(drop)
            }
            Errand::Event { context, root, event } => happened(store, exports, (context, root), event),
        }
    }

    /// Ends a request whose head has gone by on this side, if it is of no use to the guest any more.
    pub(crate) fn lets_go(&mut self, stream: u32, side: Side) -> bool {
        let host = self.store.data_mut();
        let mut uses = host.runtime.uses;
        let over = host.streams.get(stream).is_some_and(|stream| {
            uses.bodies[side as usize] &= !stream.skips;
            !stream.keeps && uses.is_over(side)
        });
        if over {
            host.remove_stream(stream);
        }
        over
    }

    /// A request is over. It is logged where there is an exchange, unless the guest asks for time first.
    pub(crate) fn finish(&mut self, stream: u32, exchange: Option<&Exchange>) -> Result<(), Trap> {
        let Self { store, exports } = self;
        let host = store.data();
        let Some(keeps) = host.streams.get(stream).map(|stream| stream.keeps) else { return Ok(()) };
        let (plain, entry) = (host.mailbox.is_none(), (stream, budget(store)));
        with_exchange(exchange, || {
            let done = exports.done.as_ref().filter(|_| plain);
            if enter(store, exports, entry, done, stream)? == Some(0) && store.data().ending < ENDING {
                store.data_mut().ending += 1;
                if let Some(stream) = store.data_mut().streams.get_mut(stream) {
                    stream.ending = true;
                }
                return Ok(());
            }
            if exchange.is_some() {
                enter(store, exports, entry, exports.log.as_ref(), stream)?;
            }
            let delete = exports.delete.as_ref().filter(|_| plain || keeps);
            enter(store, exports, entry, delete, stream)?;
            store.data_mut().remove_stream(stream);
            Ok(())
        })
    }
}

/// Requests that are over and whose contexts the guest may keep. Those beyond end at once: else they would take the place
/// of requests.
const ENDING: usize = 1_000;

/// Runs the start functions.
fn started(store: &mut Store<Host>, starts: &Starts) -> Result<(), Trap> {
    if let Some(initialize) = &starts.initialize {
        initialize.call(&mut *store, ())?;
    }
    if let Some(main) = &starts.main {
        main.call(&mut *store, (0, 0))?;
    }
    if let Some(start) = &starts.start {
        start.call(store, ())?;
    }
    Ok(())
}
