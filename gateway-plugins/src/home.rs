//! Where an instance lives, as far as it knows: the way by which what comes later finds it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::sleep;

use crate::event::Event;

/// Where an instance lives.
#[derive(Clone)]
pub(crate) enum Home {
    /// It only tries a configuration out: nothing leaves it.
    Staging,
    /// It serves a worker. The number tells it from those before and after.
    Worker(Weak<dyn Keeper>, u64),
}

/// Who keeps an instance and brings it what comes later: what it has asked for ends with it, and reaches no other one.
pub(crate) trait Keeper: Send + Sync {
    /// The worker's number.
    fn shard(&self) -> usize;

    /// Gives an event to the request that waits for it; gives it back where none does, and nothing where the instance is gone.
    fn tell(self: Arc<Self>, life: u64, context: u32, event: Event) -> Option<Result<(), Event>>;

    /// Enters the guest for what no request waits for, in its turn; whether the instance lives on.
    fn aside(self: Arc<Self>, life: u64, errand: Errand) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

/// What a guest is entered for that no request waits for.
pub(crate) enum Errand {
    /// The time of a root's tick.
    Tick(u32),
    /// Something came into a queue that a root listens to.
    Queue { root: u32, queue: u32 },
    /// Something happened to a context that holds nothing, or to one that is gone: its root is told.
    Event { context: u32, root: u32, event: Event },
}

/// Brings a context an event: to the request that waits for it, or else to its root.
pub(crate) async fn deliver(worker: Weak<dyn Keeper>, life: u64, (context, root): (u32, u32), event: Event) {
    let told = worker.upgrade().and_then(|worker| worker.tell(life, context, event));
    if let Some(Err(event)) = told {
        aside(&worker, life, Errand::Event { context, root, event }).await;
    }
}

/// Ticks of a root, as long as its instance lives. The task is ended with the root.
pub(crate) async fn tick(worker: Weak<dyn Keeper>, life: u64, root: u32, period: Duration) {
    loop {
        sleep(period).await;
        if !aside(&worker, life, Errand::Tick(root)).await {
            return;
        }
    }
}

async fn aside(worker: &Weak<dyn Keeper>, life: u64, errand: Errand) -> bool {
    match worker.upgrade() {
        Some(worker) => worker.aside(life, errand).await,
        None => false,
    }
}

/// Who is told of what comes into a queue.
#[derive(Clone)]
pub(crate) struct Listener {
    worker: Weak<dyn Keeper>,
    life: u64,
    root: u32,
}

impl Listener {
    /// A root; none of an instance that serves nobody.
    pub(crate) fn of(home: &Home, root: u32) -> Option<Self> {
        match home {
            Home::Worker(worker, life) => Some(Self { worker: worker.clone(), life: *life, root }),
            Home::Staging => None,
        }
    }

    /// Something came into the queue.
    pub(crate) async fn ready(self, queue: u32) {
        aside(&self.worker, self.life, Errand::Queue { root: self.root, queue }).await;
    }
}
