//! Instances that serve one route each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::worker::Worker;

/// The instances of routes, each with a seat of its own.
///
/// A lock over all of them, because the seats are counted over all workers; it is held for a look, never while a guest runs
/// or ends.
#[derive(Default)]
pub(crate) struct Routes(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// By worker and route.
    places: HashMap<(usize, Uuid), Place, RandomState>,
    /// Counts looks.
    now: u64,
}

struct Place {
    worker: Arc<Worker>,
    /// When it was last looked for.
    used: u64,
}

/// Seats that are made free for a request, before it is refused.
const TRIES: u32 = 3;

impl Routes {
    /// The instance of a route on the worker that `beside` is of. None where every seat is taken by one that requests are
    /// in.
    pub(crate) fn of(&self, route: Uuid, beside: &Worker) -> Option<Arc<Worker>> {
        let key = (beside.shard, route);
        for _ in 0..TRIES {
            if let Some(worker) = self.known(key) {
                return Some(worker);
            }
            if let Some(worker) = Worker::apart(beside) {
                return Some(self.keep(key, worker));
            }
            let idle = self.take_idle()?;
            // Its seat is free once it is gone.
            drop(idle);
        }
        None
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Worker>> {
        self.table().places.values().map(|place| Arc::clone(&place.worker)).collect()
    }

    /// Gives back the seats of those that have no instance.
    pub(crate) fn sweep(&self) {
        let mut empty = self.all();
        empty.retain(|worker| worker.is_empty());
        let gone = |worker: &Arc<Worker>| empty.iter().any(|empty| Arc::ptr_eq(empty, worker));
        self.table().places.retain(|_, place| !gone(&place.worker));
    }

    fn known(&self, key: (usize, Uuid)) -> Option<Arc<Worker>> {
        let mut table = self.table();
        table.now += 1;
        let now = table.now;
        let place = table.places.get_mut(&key)?;
        place.used = now;
        Some(Arc::clone(&place.worker))
    }

    /// Keeps `worker`, or gives the one that has come in the meantime.
    fn keep(&self, key: (usize, Uuid), worker: Arc<Worker>) -> Arc<Worker> {
        let mut table = self.table();
        let used = table.now;
        let place = table.places.entry(key).or_insert(Place { worker, used });
        Arc::clone(&place.worker)
    }

    /// Takes out the one that nobody is in and that was used last longest ago. Whoever is in one, waits for it or makes it
    /// holds it, and nobody comes to it but by way of the table.
    fn take_idle(&self) -> Option<Arc<Worker>> {
        let mut table = self.table();
        let idle = table.places.iter().filter(|(_, place)| Arc::strong_count(&place.worker) == 1);
        let (key, _) = idle.min_by_key(|(_, place)| place.used)?;
        let key = *key;
        table.places.remove(&key).map(|place| place.worker)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
