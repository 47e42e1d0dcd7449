//! The thread on which logs are sent: workers have requests to serve.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    runtime::Builder,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

/// How long the end of the courier waits for deliveries that are under way.
const LAST_WORDS: Duration = Duration::from_secs(2);

type Delivery = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread with a runtime of its own, for all queues of the plugin. Dropping it lets deliveries go on for 2 s.
pub(super) struct Courier {
    /// One a configuration: their number is the bound.
    deliveries: Option<UnboundedSender<Delivery>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Courier {
    /// # Errors
    /// No thread or no runtime can be made.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (deliveries, come) = unbounded_channel();
        let (end, ended) = mpsc::channel();
        thread::Builder::new().name("http-log".to_owned()).spawn(move || {
            runtime.block_on(run(come));
            end.send(()).ok();
        })?;
        Ok(Self { deliveries: Some(deliveries), ended: Mutex::new(ended) })
    }

    /// Runs `delivery` to its end.
    pub(super) fn spawn(&self, delivery: impl Future<Output = ()> + Send + 'static) {
        if let Some(deliveries) = &self.deliveries {
            deliveries.send(Box::pin(delivery)).ok();
        }
    }
}

async fn run(mut come: UnboundedReceiver<Delivery>) {
    let mut deliveries = JoinSet::new();
    while let Some(delivery) = come.recv().await {
        deliveries.spawn(delivery);
        while deliveries.try_join_next().is_some() {}
    }
    timeout(LAST_WORDS, async { while deliveries.join_next().await.is_some() {} }).await.ok();
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.deliveries = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(LAST_WORDS).ok();
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}
