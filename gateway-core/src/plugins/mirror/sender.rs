//! Copies under way: so many at a time, each for so long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Body,
    plugin::{Exchange, Reading, Way},
};

/// What bounds copies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At a time.
    pub(super) under_way: usize,
    /// For their turn, or for the rest of their body.
    pub(super) waiting: usize,
    /// From the end of the request's body on.
    pub(super) time: Duration,
}

/// Sends copies. Those under way end with it.
pub(super) struct Sender {
    shared: Arc<Shared>,
    _end: DropGuard,
}

struct Shared {
    time: Duration,
    /// One for each copy there may be.
    places: Arc<Semaphore>,
    /// One for each that may be under way.
    turns: Semaphore,
    end: CancellationToken,
    sent: AtomicU64,
    too_many: AtomicU64,
    too_long: AtomicU64,
    failed: AtomicU64,
}

impl Sender {
    pub(super) fn new(bounds: Bounds) -> Self {
        let end = CancellationToken::new();
        let shared = Shared {
            time: bounds.time,
            places: Arc::new(Semaphore::new(bounds.under_way.saturating_add(bounds.waiting))),
            turns: Semaphore::new(bounds.under_way),
            end: end.clone(),
            sent: AtomicU64::new(0),
            too_many: AtomicU64::new(0),
            too_long: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), _end: end.drop_guard() }
    }

    /// Room for one more copy; none where there are too many.
    pub(super) fn place(&self) -> Option<Place> {
        match Arc::clone(&self.shared.places).try_acquire_owned() {
            Ok(permit) => Some(Place { shared: Arc::clone(&self.shared), _permit: permit }),
            Err(_) => {
                self.shared.too_many.fetch_add(1, Relaxed);
                None
            }
        }
    }

    /// Notes that a request is too long to be copied.
    pub(super) fn too_long(&self) {
        self.shared.too_long.fetch_add(1, Relaxed);
    }

    pub(super) fn readings(&self) -> Vec<Reading> {
        const HELP: &str = "Copies of requests, by what became of them";
        let of = |outcome: &str, count: &AtomicU64| Reading {
            metric: "gateway_mirror_requests_total".into(),
            help: HELP,
            service: None,
            labels: vec![("outcome", outcome.to_owned())],
            value: count.load(Relaxed),
        };
        let Shared { sent, too_many, too_long, failed, .. } = self.shared.as_ref();
        vec![of("sent", sent), of("too_many", too_many), of("too_long", too_long), of("failed", failed)]
    }
}

/// Room for a copy.
pub(super) struct Place {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

/// A copy but for its body.
pub(super) struct Parcel {
    pub(super) way: Arc<dyn Way>,
    pub(super) head: Request<()>,
    pub(super) exchange: Box<Exchange>,
    pub(super) place: Place,
}

impl Parcel {
    /// Sends it, in a task that ends with the plugin's configuration at the latest.
    pub(super) fn send(self, body: Bytes) {
        let shared = Arc::clone(&self.place.shared);
        tokio::spawn(async move {
            let end = shared.end.clone();
            let sending = timeout(shared.time, self.deliver(&shared, body));
            if !matches!(end.run_until_cancelled(sending).await, Some(Ok(true))) {
                shared.failed.fetch_add(1, Relaxed);
            }
        });
    }

    /// Gives up on it: the body is too long.
    pub(super) fn abandon(self) {
        self.place.shared.too_long.fetch_add(1, Relaxed);
    }

    /// Whether it was answered, by whatever status.
    async fn deliver(self, shared: &Shared, body: Bytes) -> bool {
        let Ok(_turn) = shared.turns.acquire().await else { return false };
        shared.sent.fetch_add(1, Relaxed);
        let request = self.head.map(|()| Body::from(body));
        let answer = self.way.send(request, *self.exchange).await;
        // The answer goes nowhere. A gateway's own says that there was none.
        !answer.status().is_server_error()
    }
}
