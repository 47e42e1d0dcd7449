//! From the queue to the log server: batches, tries, and the end.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::queue::Queue;

/// How long the delivery goes on once nobody adds to the queue any more.
const FAREWELL: Duration = Duration::from_secs(10);

/// When a batch is sent again (compat A10).
#[derive(Clone, Copy, Debug)]
pub(super) struct Retries {
    /// Before the first further try; it doubles with each.
    pub(super) initial_delay: Duration,
    /// The longest time between two tries.
    pub(super) max_delay: Duration,
    /// A batch that has been tried for longer is given up. None: one try.
    pub(super) max_time: Option<Duration>,
}

impl Retries {
    /// How long to wait after a batch has failed, tried for `spent` and `retries` times again so far. None: it is
    /// given up.
    fn delay(&self, spent: Duration, retries: u32) -> Option<Duration> {
        let doubled = self.initial_delay.saturating_mul(2_u32.saturating_pow(retries));
        self.max_time.filter(|most| spent <= *most).map(|_| doubled.min(self.max_delay))
    }
}

/// Sends a batch.
pub(super) trait Destination: Send + Sync + 'static {
    /// Sends `batch` once.
    ///
    /// # Errors
    /// Why it did not arrive.
    fn send(&self, batch: &[Bytes]) -> impl Future<Output = Result<(), String>> + Send;
}

/// Delivers what is in `queue`, so many batches at a time, until it is closed and empty; then for a last while.
pub(super) async fn deliver(
    queue: Arc<Queue>,
    server: Arc<impl Destination>,
    retries: Retries,
    parallel: usize,
) {
    let over = async {
        queue.closed().await;
        sleep(FAREWELL).await;
    };
    tokio::select! {
        () = deliver_all(&queue, &server, retries, parallel) => {}
        () = over => tracing::error!(entries = queue.len(), "http-log ends, entries are lost"),
    }
}

async fn deliver_all(queue: &Queue, server: &Arc<impl Destination>, retries: Retries, parallel: usize) {
    // Its tasks end with it.
    let mut sending = JoinSet::new();
    while let Some(batch) = queue.batch().await {
        let server = Arc::clone(server);
        sending.spawn(async move { deliver_batch(&batch, &*server, retries).await });
        if sending.len() >= parallel {
            sending.join_next().await;
        }
        while sending.try_join_next().is_some() {}
    }
    while sending.join_next().await.is_some() {}
}

async fn deliver_batch(batch: &[Bytes], server: &impl Destination, retries: Retries) {
    let began = Instant::now();
    for retry in 0_u32.. {
        let Err(error) = server.send(batch).await else { return };
        let Some(delay) = retries.delay(began.elapsed(), retry) else {
            tracing::error!(%error, retries = retry, entries = batch.len(), "http-log gives up, entries are lost");
            return;
        };
        tracing::warn!(%error, entries = batch.len(), "http-log tries again");
        sleep(delay).await;
    }
}

#[cfg(test)]
mod tests;
