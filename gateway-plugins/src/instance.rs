//! One live virtual machine: a store, its callbacks, and the contexts in it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gateway_core::plugin::Exchange;
use wasmtime::{Store, UpdateDeadline};

use crate::{
    Isolation, LoadError,
    abi::Side,
    buffer::Buffer,
    config::Config,
    deadline::Budget,
    entry::{
        Head, Part, Trap, Verdict, begin, count, ends, enter, lend_head, lend_part, verdict, with_exchange,
    },
    exports::{Exports, OnHead, Starts, guest, mailbox},
    grpc::Received,
    held::{Held, Read},
    home::{Errand, Home},
    host::{Host, Root},
    module::Module,
    notes::Notes,
    runtime::Runtime,
    stream::{Event, Stream},
};

/// A live virtual machine. After a trap it must not be entered again, only dropped.
pub(crate) struct Instance {
    store: Store<Host>,
    exports: Exports,
}

/// Why an instance does not take a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(transparent)]
    Exports(#[from] LoadError),
    #[error("the plugin ended in a trap: {0:#}")]
    Trap(#[from] Trap),
    #[error("the plugin refused to start")]
    Start,
    #[error("{}", .0.as_deref().unwrap_or("the plugin refused the configuration"))]
    Configuration(Option<String>),
    #[error("the plugin has too many contexts")]
    Contexts,
}

impl Instance {
    /// A new instance, with its start functions run.
    pub(crate) fn new(module: &Module, runtime: &Arc<Runtime>, home: Home) -> Result<Self, Unfit> {
        let module = module.instance();
        let mut store = Store::new(module.module().engine(), Host::new(Arc::clone(runtime), home));
        store.limiter(|host| &mut host.limiter);
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().deadline.tick()?;
            Ok(UpdateDeadline::Continue(1))
        });
        begin(&mut store, 0, start_budget(runtime));
        let instance = module.instantiate(&mut store)?;
        let exports = Exports::of(&instance, &mut store)?;
        let guest = guest(&instance, &mut store)?;
        store.data_mut().mailbox = mailbox(&instance, &mut store, guest.memory);
        store.data_mut().guest = Some(Arc::new(guest));
        let starts = Starts::of(&instance, &mut store)?;
        if let Some(initialize) = starts.initialize {
            initialize.call(&mut store, ())?;
        }
        if let Some(main) = starts.main {
            main.call(&mut store, (0, 0))?;
        }
        if let Some(start) = starts.start {
            start.call(&mut store, ())?;
        }
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
        let complaint = store.data_mut().complaint.take();
        if configured? == Some(0) { Err(Unfit::Configuration(complaint)) } else { Ok(root) }
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

    /// The head of a message has come.
    pub(crate) fn head<M: Head>(
        &mut self,
        stream: u32,
        message: &mut M,
        exchange: &Exchange,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let Some(on_head) = &exports.heads[M::SIDE as usize] else { return Ok(Verdict::Continue) };
        let (fields, end) = (message.fields(), u32::from(ends(message)));
        if let Some(stream) = store.data_mut().streams.get_mut(stream) {
            stream.skips = false;
        }
        let entry = (stream, budget(store));
        let returned = lend_head(store, stream, message, exchange, |store| match on_head {
            OnHead::New(call) => enter(store, exports, entry, Some(call), (stream, fields, end)),
            OnHead::Old(call) => enter(store, exports, entry, Some(call), (stream, fields)),
        })?;
        Ok(self.judge(stream, message, returned))
    }

    /// Something happened to a stream while its head is held.
    pub(crate) fn event<M: Head>(
        &mut self,
        stream: u32,
        event: Event,
        message: &mut M,
        exchange: &Exchange,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let root = store.data().root_of(stream).unwrap_or_default();
        lend_head(store, stream, message, exchange, |store| happened(store, exports, (stream, root), event))?;
        Ok(self.judge(stream, message, None))
    }

    /// More of a body has come while its head is held, or something happened then: the guest sees both. It lets them
    /// go by saying so; what it returns does not count.
    pub(crate) fn held<M: Head>(
        &mut self,
        stream: u32,
        (message, exchange): (&mut M, &Exchange),
        held: &mut Held,
        event: Option<Event>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let (side, root) = (M::SIDE, store.data().root_of(stream).unwrap_or_default());
        let (entry, read) = ((stream, body_budget(store, held.buffer.len())), held.read);
        let (length, fields) = (size(held.buffer.len()), count(&held.trailers));
        lend_head(store, stream, message, exchange, |store| {
            lend_part(store, (stream, side), &mut held.part(), Some(exchange), |store| match event {
                Some(event) => happened(store, exports, (stream, root), event),
                None if read == Read::ToTheTrailers && exports.trailers[side as usize].is_some() => {
                    let callback = exports.trailers[side as usize].as_ref();
                    enter(store, exports, entry, callback, (stream, fields)).map(drop)
                }
                None => {
                    // For a guest that knows no trailers the body ends where they begin.
                    let end = u32::from(read != Read::Partly);
                    let callback = exports.bodies[side as usize].as_ref();
                    enter(store, exports, entry, callback, (stream, length, end)).map(drop)
                }
            })
        })?;
        Ok(self.judge(stream, message, None))
    }

    /// Something happened to a stream while its body is held.
    pub(crate) fn event_in_body(
        &mut self,
        (stream, side): (u32, Side),
        event: Event,
        part: &mut Part<'_>,
        exchange: Option<&Exchange>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let root = store.data().root_of(stream).unwrap_or_default();
        lend_part(store, (stream, side), part, exchange, |store| {
            happened(store, exports, (stream, root), event)
        })?;
        Ok(verdict(store.data_mut(), stream, side, None))
    }

    /// Part of a body has come.
    pub(crate) fn body(
        &mut self,
        (stream, side): (u32, Side),
        part: &mut Part<'_>,
        exchange: Option<&Exchange>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let Some(call) = &exports.bodies[side as usize] else { return Ok(Verdict::Continue) };
        let (entry, arguments) = (
            (stream, body_budget(store, part.buffer.len())),
            (stream, size(part.buffer.len()), u32::from(part.end)),
        );
        let returned = lend_part(store, (stream, side), part, exchange, |store| {
            enter(store, exports, entry, Some(call), arguments)
        })?;
        Ok(verdict(store.data_mut(), stream, side, returned))
    }

    /// The trailers of a body have come.
    pub(crate) fn trailers(
        &mut self,
        (stream, side): (u32, Side),
        part: &mut Part<'_>,
        exchange: Option<&Exchange>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let Some(call) = &exports.trailers[side as usize] else { return Ok(Verdict::Continue) };
        let (entry, arguments) = ((stream, budget(store)), (stream, count(part.trailers)));
        let returned = lend_part(store, (stream, side), part, exchange, |store| {
            enter(store, exports, entry, Some(call), arguments)
        })?;
        Ok(verdict(store.data_mut(), stream, side, returned))
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

    /// The guest's will about a head; one that is not held any longer is kept, if the guest may ask for it when it is gone.
    fn judge<M: Head>(&mut self, stream: u32, message: &M, returned: Option<u32>) -> Verdict {
        let host = self.store.data_mut();
        let uses = host.runtime.uses;
        let verdict = verdict(host, stream, M::SIDE, returned);
        let Some(stream) = host.streams.get_mut(stream).filter(|_| !matches!(verdict, Verdict::Pause)) else {
            return verdict;
        };
        let down = M::SIDE == Side::Response;
        let later = uses.log
            || uses.bodies[1] && !(down && stream.skips)
            || !down && (uses.heads[1] || uses.bodies[0]);
        if later && uses.fields {
            message.keep(stream);
        }
        if stream.skips && matches!(verdict, Verdict::Continue) { Verdict::Skip } else { verdict }
    }
}

/// Requests that are over and whose contexts the guest may keep. Those beyond end at once: else they would take the place
/// of requests.
const ENDING: usize = 1_000;

fn happened(
    store: &mut Store<Host>,
    exports: &Exports,
    (context, root): (u32, u32),
    event: Event,
) -> Result<(), Trap> {
    // The configuration may be gone, and the guest knows nothing of it any more.
    if !store.data().roots.contains_key(&root) {
        return Ok(());
    }
    match event {
        Event::Decided => Ok(()),
        Event::Called(token, answered) => {
            let (fields, body, trailers) = answered.as_ref().map_or((0, 0, 0), |answered| {
                // `:status` counts.
                (count(&answered.headers) + 1, size(answered.body.len()), count(&answered.trailers))
            });
            store.data_mut().message.answered = answered;
            let entry = (root, budget(store));
            let arguments = (root, token, fields, body, trailers);
            let called = enter(store, exports, entry, exports.http_call_response.as_ref(), arguments);
            store.data_mut().message.answered = None;
            called.map(drop)
        }
        Event::Grpc(token, received, _heard) => grpc(store, exports, root, token, received),
        Event::Foreign(token, results) => {
            let context = if store.data().streams.contains(context) { context } else { root };
            foreign(store, exports, context, token, results)
        }
    }
}

/// A call that the guest has given up meanwhile brings nothing.
fn grpc(
    store: &mut Store<Host>,
    exports: &Exports,
    root: u32,
    token: u32,
    received: Received,
) -> Result<(), Trap> {
    if !store.data_mut().grpc.take_note(token, &received) {
        return Ok(());
    }
    let (callback, number) = match &received {
        Received::Initial(fields) => (&exports.grpc.initial, count(fields)),
        Received::Message(message) => (&exports.grpc.message, size(message.len())),
        Received::Trailing(fields) => (&exports.grpc.trailing, count(fields)),
        Received::Closed(code, _) => (&exports.grpc.close, *code),
    };
    store.data_mut().message.received = Some(received);
    let entry = (root, budget(store));
    let called = enter(store, exports, entry, callback.as_ref(), (root, token, number));
    store.data_mut().message.received = None;
    called.map(drop)
}

fn foreign(
    store: &mut Store<Host>,
    exports: &Exports,
    context: u32,
    token: u32,
    results: Bytes,
) -> Result<(), Trap> {
    let entry = (context, budget(store));
    let arguments = (context, token, size(results.len()));
    store.data_mut().message.arguments = Some(Buffer::One(results));
    let called = enter(store, exports, entry, exports.foreign_function.as_ref(), arguments);
    store.data_mut().message.arguments = None;
    called.map(drop)
}

fn budget(store: &Store<Host>) -> Budget {
    let limits = &store.data().runtime.limits;
    Budget { cpu: limits.entry_cpu, wall: limits.entry_wall }
}

/// For a callback that sees so many bytes of a body: reading them takes its time.
fn body_budget(store: &Store<Host>, bytes: usize) -> Budget {
    let more = Duration::from_nanos(bytes as u64 * BYTE);
    let Budget { cpu, wall } = budget(store);
    Budget { cpu: cpu + more, wall: wall + 2 * more }
}

/// Nanoseconds for each byte of a body.
const BYTE: u64 = 100;

/// For a start and for taking a configuration. Where both happen in each request they have the time of a callback, also
/// when a configuration is tried out.
fn start_budget(runtime: &Runtime) -> Budget {
    let limits = &runtime.limits;
    match runtime.isolation {
        Isolation::Shared | Isolation::Route => {
            Budget { cpu: limits.configure_cpu, wall: limits.configure_wall }
        }
        Isolation::Request => Budget { cpu: limits.entry_cpu, wall: limits.entry_wall },
    }
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
