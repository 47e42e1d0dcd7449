//! The counters that come with the gateway.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use plugin_contract::{counter::Add, ratelimit::Store};

use super::{Counted, Counters, local::Local, remote};
use crate::{
    clock,
    redis::{Client, Clients},
};

/// Servers whose connections are kept open.
const MOST_SERVERS: usize = 16;

/// Counters in this process and in Redis.
///
/// Those of this process lie in a table of bounded size: by default 65,536 slots of 32 bytes, taken as counters come.
/// Beyond it counters whose time is over make room, then those that were not used for longest.
#[derive(Debug)]
pub struct CounterStore {
    local: Local,
    clients: Clients,
    /// Those that were used last, the latest at the end.
    recent: Mutex<VecDeque<Arc<Client>>>,
}

impl CounterStore {
    /// With room for so many counters in this process, rounded up to 16 times a power of two.
    #[must_use]
    pub fn with_slots(slots: usize) -> Self {
        Self { local: Local::new(slots), clients: Clients::default(), recent: Mutex::default() }
    }

    /// Nobody else keeps a client from one call to the next.
    fn keep(&self, client: Arc<Client>) -> Arc<Client> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|other| !Arc::ptr_eq(other, &client));
        recent.push_back(Arc::clone(&client));
        if recent.len() > MOST_SERVERS {
            recent.pop_front();
        }
        client
    }
}

impl Default for CounterStore {
    fn default() -> Self {
        Self::with_slots(1 << 16)
    }
}

impl Counters for CounterStore {
    fn add(&self, plugin: &str, add: &Add<'_>) -> Counted {
        match &add.store {
            Store::Local => Counted::Now(self.local.add(plugin, add, clock::steady())),
            Store::Redis(redis) => {
                let client = self.keep(self.clients.of(redis.into()));
                Counted::Later(Box::pin(remote::add(client, plugin, add)))
            }
        }
    }
}
