//! What a store carries: the contexts of an instance, and what is known of the callback that runs.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::fast::RandomState;
use tokio::task::{AbortHandle, JoinSet};
use wasmtime::{StoreLimits, StoreLimitsBuilder};

use crate::{
    abi::Status,
    alive::Counted,
    by_id::ById,
    complaints::Complaints,
    config::Config,
    deadline::{Budget, Deadline},
    grpc::Calls,
    home::Home,
    lines::{Begun, Lines},
    mailbox::Mailbox,
    memory::Guest,
    message::Message,
    names::Names,
    runtime::Runtime,
    stream::Stream,
    streams::Streams,
};

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
    /// The line that the running callback has begun and not ended.
    pub(crate) begun: Begun,
    /// The errors that the guest logs while it starts or is configured.
    pub(crate) complaints: Option<Complaints>,
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
    pub(crate) callouts: JoinSet<()>,
    pub(crate) tasks: JoinSet<()>,
    /// Contexts that were given more time and have had it.
    pub(crate) finished: Vec<u32>,
    /// Contexts that were given more time and have not had it.
    pub(crate) ending: usize,
    last_context: u32,
    last_token: u32,
    _alive: Counted,
}

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
            begun: Begun::default(),
            owed: Duration::ZERO,
            complaints: Some(Complaints::default()),
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

/// Where a message has no such part.
pub(crate) const ABSENT: Status = Status::NotFound;
