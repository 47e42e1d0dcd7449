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

#[cfg(test)]
mod tests {
    use plugin_contract::{counter::Add, ratelimit::Store};
    use redis::AsyncCommands;

    use super::{Counted, CounterStore, Counters};
    use crate::redis::{server::RedisServer, tests::redis};

    async fn add(store: &CounterStore, port: u16, delta: i64, ttl: u32) -> Option<i64> {
        let store_at = Store::Redis(redis(port));
        match store.add("p", &Add { namespace: "n", key: "k", delta, ttl, store: store_at }) {
            Counted::Now(_) => panic!("a server answers later"),
            Counted::Later(late) => late.await,
        }
    }

    #[tokio::test]
    async fn counters_in_redis_count_for_all_and_stop_at_the_ends() {
        let Some(mut server) = RedisServer::start(&[]) else { return };
        let (one, other) = (CounterStore::default(), CounterStore::default());
        assert_eq!(add(&one, server.port, 0, 60).await, Some(0));
        let mut connection = server.other().await;
        assert!(!connection.exists::<_, bool>("counter/p/n:k").await.unwrap(), "to look begins none");
        assert_eq!(add(&one, server.port, 3, 60).await, Some(3));
        assert_eq!(add(&other, server.port, -5, 600).await, Some(-2));
        assert_eq!(add(&one, server.port, i64::MIN, 60).await, Some(i64::MIN));
        assert_eq!(add(&one, server.port, -1, 60).await, Some(i64::MIN));
        assert_eq!(add(&one, server.port, i64::MAX, 60).await, Some(-1));
        assert_eq!(add(&one, server.port, i64::MAX, 60).await, Some(i64::MAX - 1));
        assert_eq!(add(&one, server.port, 7, 60).await, Some(i64::MAX));
        assert_eq!(add(&one, server.port, 0, 60).await, Some(i64::MAX));
        let left: i64 = connection.ttl("counter/p/n:k").await.unwrap();
        assert!((1..=60).contains(&left), "its time is that of its beginning: {left}");
        server.kill();
        assert_eq!(add(&one, server.port, 1, 60).await, None);
    }

    #[test]
    fn counters_of_this_process_answer_at_once() {
        let store = CounterStore::default();
        let add = Add { namespace: "n", key: "k", delta: 2, ttl: 60, store: Store::Local };
        for expected in [2, 4] {
            assert!(matches!(store.add("p", &add), Counted::Now(count) if count == expected));
        }
    }
}
