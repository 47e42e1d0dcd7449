//! What a store carries: the contexts of an instance, and what the callback that runs may touch.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use foldhash::fast::RandomState;
use gateway_core::{Body, plugin::Exchange};
use http::{HeaderMap, Request, Response};
use scoped_tls::scoped_thread_local;
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
};
use wasmtime::{StoreLimits, StoreLimitsBuilder};

use crate::{
    abi::{Side, Status},
    alive::Counted,
    buffer::Buffer,
    by_id::ById,
    call::Effects,
    config::Config,
    deadline::{Budget, Deadline},
    grpc::{Calls, Received, Shape, Teller, run},
    home::{Home, Worker},
    lines::Lines,
    mailbox::Mailbox,
    memory::Guest,
    names::Names,
    runtime::Runtime,
    sources::Calling,
    stream::{Answered, Event, Stream},
    streams::Streams,
};

scoped_thread_local!(
    /// The exchange that the running callback belongs to. A store cannot borrow it, and it is too large to be moved
    /// for each callback.
    pub(crate) static EXCHANGE: Exchange
);

/// Reads the exchange that the running callback belongs to, if it belongs to one.
pub(crate) fn with_exchange<R>(read: impl FnOnce(&Exchange) -> R) -> Option<R> {
    EXCHANGE.is_set().then(|| EXCHANGE.with(read))
}

/// The data of a store.
pub(crate) struct Host {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) home: Home,
    pub(crate) guest: Option<Arc<Guest>>,
    pub(crate) mailbox: Option<Mailbox>,
    pub(crate) limiter: StoreLimits,
    pub(crate) deadline: Deadline,
    pub(crate) roots: ById<Root>,
    /// The root of each configuration: one instance may serve those of very many routes.
    pub(crate) by_config: HashMap<u64, u32, RandomState>,
    pub(crate) streams: Streams,
    pub(crate) message: Message,
    /// Calls of gRPC under way.
    pub(crate) grpc: Calls,
    /// The context of the running callback.
    pub(crate) current: u32,
    /// The context that host calls are for: the current one, unless the guest chose another.
    pub(crate) effective: u32,
    /// Lines that the running callback may still log.
    pub(crate) log_lines: u32,
    /// Lines of the instance.
    pub(crate) lines: Lines,
    /// The last error that the guest logged while it was configured.
    pub(crate) complaint: Option<String>,
    /// Callbacks entered.
    pub(crate) entries: u64,
    /// The worker it serves; none where it only tries a configuration out.
    pub(crate) shard: Option<usize>,
    /// What callouts cost that no request made.
    pub(crate) owed: Duration,
    /// Where foreign functions write their answers.
    pub(crate) answer: Vec<u8>,
    pub(crate) names: Names,
    /// Callouts under way, and other work; both end with the instance.
    callouts: JoinSet<()>,
    tasks: JoinSet<()>,
    /// Contexts that were given more time and have had it.
    pub(crate) finished: Vec<u32>,
    /// Contexts that were given more time and have not had it.
    pub(crate) ending: usize,
    last_context: u32,
    last_token: u32,
    _alive: Counted,
}

/// What a call costs that no request makes: each is asked to wait for so much of the plugin's share.
const CALL: Duration = Duration::from_micros(100);

/// A plugin configuration within an instance.
pub(crate) struct Root {
    pub(crate) config: Arc<Config>,
    pub(crate) ticks: Option<AbortHandle>,
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some(ticks) = &self.ticks {
            ticks.abort();
        }
    }
}

/// What the running callback may touch: lent for its time, and given back whatever comes of it.
#[derive(Default)]
pub(crate) struct Message {
    /// The stream that all but the answers of callouts belong to.
    pub(crate) stream: u32,
    pub(crate) request: Lent<Request<Body>>,
    pub(crate) response: Lent<Response<Body>>,
    pub(crate) body: Option<(Side, Buffer)>,
    pub(crate) trailers: Option<(Side, HeaderMap)>,
    pub(crate) answered: Option<Box<Answered>>,
    pub(crate) received: Option<Received>,
    pub(crate) arguments: Option<Buffer>,
    pub(crate) vm_configuration: Option<Buffer>,
    pub(crate) configuration: Option<Buffer>,
    /// What foreign functions want of the exchange.
    pub(crate) effects: Effects,
}

/// A head while it is lent. It is exchanged for an empty one: nothing is made for it, and nothing dropped.
#[derive(Default)]
pub(crate) struct Lent<M> {
    message: M,
    here: bool,
}

impl<M> Lent<M> {
    pub(crate) fn get(&self) -> Option<&M> {
        self.here.then_some(&self.message)
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut M> {
        self.here.then_some(&mut self.message)
    }

    pub(crate) fn lend(&mut self, message: &mut M) {
        std::mem::swap(&mut self.message, message);
        self.here = true;
    }

    pub(crate) fn give_back(&mut self, message: &mut M) {
        std::mem::swap(&mut self.message, message);
        self.here = false;
    }
}

impl Host {
    pub(crate) fn new(runtime: Arc<Runtime>, home: Home) -> Self {
        let limits = &runtime.limits;
        let limiter = StoreLimitsBuilder::new()
            .memory_size(limits.memory)
            .table_elements(limits.table)
            .instances(1)
            .memories(1)
            .tables(4)
            .build();
        let budget = Budget { cpu: limits.configure_cpu, wall: limits.configure_wall };
        let shard = match &home {
            Home::Worker(worker, _) => worker.upgrade().map(|worker| worker.shard()),
            Home::Staging => None,
        };
        Self {
            home,
            shard,
            answer: Vec::new(),
            names: Names::default(),
            guest: None,
            mailbox: None,
            limiter,
            deadline: Deadline::new(budget),
            roots: ById::default(),
            by_config: HashMap::default(),
            streams: Streams::default(),
            message: Message::default(),
            grpc: Calls::default(),
            current: 0,
            effective: 0,
            log_lines: limits.log_lines,
            lines: Lines::default(),
            owed: Duration::ZERO,
            complaint: None,
            entries: 0,
            callouts: JoinSet::new(),
            tasks: JoinSet::new(),
            finished: Vec::new(),
            ending: 0,
            last_context: 0,
            last_token: 0,
            _alive: runtime.commons.count_instance(),
            runtime,
        }
    }

    /// A callback of `context` begins.
    pub(crate) fn begin(&mut self, context: u32, budget: Budget) {
        self.current = context;
        self.effective = context;
        self.deadline = Deadline::new(budget);
        self.log_lines = self.runtime.limits.log_lines;
        self.entries += 1;
    }

    /// A number for a new context; none where too many are alive.
    pub(crate) fn new_context(&mut self) -> Option<u32> {
        if self.roots.len() + self.streams.len() >= self.runtime.limits.contexts {
            return None;
        }
        loop {
            self.last_context = self.last_context.wrapping_add(1).max(1);
            let id = self.last_context;
            if !self.roots.contains_key(&id) && !self.streams.contains(id) {
                return Some(id);
            }
        }
    }

    /// A number for a callout or a late result.
    pub(crate) fn new_token(&mut self) -> u32 {
        self.last_token = self.last_token.wrapping_add(1).max(1);
        self.last_token
    }

    /// Sends a callout, which brings the effective context an event in the end.
    pub(crate) fn spawn_callout(
        &mut self,
        work: impl Future<Output = Event> + Send + 'static,
    ) -> Result<(), Status> {
        let Some(work) = self.eventful(work)? else { return Ok(()) };
        spawn(&mut self.callouts, self.runtime.limits.callouts, work).map(drop)
    }

    /// Makes a call of gRPC, which brings the effective context one event after the other. None where that is of no
    /// worker.
    pub(crate) fn spawn_grpc(
        &mut self,
        calling: Calling,
        token: u32,
        shape: Shape,
    ) -> Result<Option<AbortHandle>, Status> {
        let Home::Worker(worker, life) = self.home.clone() else { return Ok(None) };
        let (context, root) = self.count_call()?;
        let limits = &self.runtime.limits;
        let teller = Teller { worker, life, context, root, token };
        let work = run(calling, shape, limits.callout_answer, teller);
        spawn(&mut self.callouts, limits.callouts, work).map(Some)
    }

    /// Does work beside the callback, which brings the effective context an event in the end.
    pub(crate) fn spawn_event(
        &mut self,
        work: impl Future<Output = Event> + Send + 'static,
    ) -> Result<(), Status> {
        let Some(work) = self.eventful(work)? else { return Ok(()) };
        self.spawn(work)
    }

    /// Does work beside the callback. It ends with the instance.
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Status> {
        spawn(&mut self.tasks, self.runtime.limits.waits, work).map(drop)
    }

    /// Work whose event is brought to the effective context; none where that is of no worker. It counts as one more that
    /// the request has asked for, or that is owed for a root.
    fn eventful<W: Future<Output = Event> + Send + 'static>(
        &mut self,
        work: W,
    ) -> Result<Option<impl Future<Output = ()> + Send + use<W>>, Status> {
        let Home::Worker(worker, life) = self.home.clone() else { return Ok(None) };
        let asked = self.count_call()?;
        Ok(Some(async move { Worker::deliver(worker, life, asked, work.await).await }))
    }

    /// Counts one more that the effective context has asked for; that, and its root.
    fn count_call(&mut self) -> Result<(u32, u32), Status> {
        let context = self.effective;
        let root = self.root_of(context).ok_or(Status::BadArgument)?;
        match self.streams.get_mut(context) {
            Some(stream) if stream.calls >= self.runtime.limits.request_calls => {
                return Err(Status::InternalFailure);
            }
            Some(stream) => stream.calls += 1,
            None => self.owed += CALL,
        }
        Ok((context, root))
    }

    /// A request is over, and what it has begun.
    pub(crate) fn remove_stream(&mut self, stream: u32) {
        self.streams.remove(stream);
        self.grpc.forget(stream);
    }

    /// The root that a context belongs to: itself, or that of its request.
    pub(crate) fn root_of(&self, context: u32) -> Option<u32> {
        match self.streams.get(context) {
            Some(stream) => Some(stream.root),
            None => self.roots.contains_key(&context).then_some(context),
        }
    }

    /// The configuration that the effective context belongs to.
    pub(crate) fn config(&self) -> Option<&Arc<Config>> {
        let root = self.root_of(self.effective)?;
        self.roots.get(&root).map(|root| &root.config)
    }

    /// The stream that host calls are for.
    pub(crate) fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(self.effective)
    }

    /// Whether the lent message belongs to the stream that host calls are for.
    pub(crate) fn has_message(&self) -> bool {
        self.message.stream == self.effective
    }
}

/// Adds to what is under way, as long as that is less than `most`.
fn spawn(
    tasks: &mut JoinSet<()>,
    most: usize,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<AbortHandle, Status> {
    while tasks.try_join_next().is_some() {}
    let runtime = Handle::try_current().map_err(|_| Status::InternalFailure)?;
    if tasks.len() >= most {
        return Err(Status::InternalFailure);
    }
    Ok(tasks.spawn_on(work, &runtime))
}

/// Where a message has no such part.
pub(crate) const ABSENT: Status = Status::NotFound;
