//! The values that come with the gateway.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use plugin_contract::{
    kv::{Delete, Get, Outcome, Set},
    ratelimit::Redis,
};

use super::{
    KeyValues, RemoteValues,
    namespace::{Namespace, Room},
    remote::Remote,
};
use crate::{clock, redis::Clients};

/// Namespaces of one plugin.
const MOST_NAMESPACES: usize = 64;

/// Values in this process, by plugin and namespace, which last as long as the process; and on Redis servers, which have
/// bounds of their own.
///
/// A plugin may have 64 namespaces, each by default 10,000 entries and 4 MiB of keys and values together. What does not
/// fit is refused: nothing that was set goes before its time. One lock for each namespace: many may read at the same time.
#[derive(Debug)]
pub struct KeyValueStore {
    plugins: RwLock<HashMap<String, Namespaces>>,
    room: Room,
    clients: Clients,
}

type Namespaces = HashMap<String, Arc<RwLock<Namespace>>>;

impl KeyValueStore {
    /// With room for so many entries, and bytes, in each namespace.
    #[must_use]
    pub fn with_room(entries: usize, bytes: usize) -> Self {
        Self { plugins: RwLock::default(), room: Room { entries, bytes }, clients: Clients::default() }
    }

    fn namespace(&self, plugin: &str, namespace: &str) -> Option<Arc<RwLock<Namespace>>> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.get(plugin)?.get(namespace).cloned()
    }

    /// The namespace, made where there is room for it.
    fn make(&self, plugin: &str, namespace: &str) -> Option<Arc<RwLock<Namespace>>> {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let namespaces = plugins.entry(plugin.to_owned()).or_default();
        if namespaces.len() >= MOST_NAMESPACES && !namespaces.contains_key(namespace) {
            return None;
        }
        Some(Arc::clone(namespaces.entry(namespace.to_owned()).or_default()))
    }
}

impl Default for KeyValueStore {
    fn default() -> Self {
        Self::with_room(10_000, 4 << 20)
    }
}

impl KeyValues for KeyValueStore {
    fn get(&self, plugin: &str, get: &Get<'_>) -> Option<(Bytes, u64)> {
        let namespace = self.namespace(plugin, get.namespace)?;
        namespace.read().unwrap_or_else(PoisonError::into_inner).get(get.key, clock::steady())
    }

    fn set(&self, plugin: &str, set: &Set<'_>) -> Outcome {
        let known = self.namespace(plugin, set.namespace);
        let Some(namespace) = known.or_else(|| self.make(plugin, set.namespace)) else {
            return Outcome::Full;
        };
        let now = clock::steady();
        let until = set.ttl.map(|ttl| now.saturating_add(u64::from(ttl.max(1)) * 1_000));
        let mut namespace = namespace.write().unwrap_or_else(PoisonError::into_inner);
        namespace.set(set.key, set.value, until, set.only, (self.room, now))
    }

    fn delete(&self, plugin: &str, delete: &Delete<'_>) -> bool {
        let Some(namespace) = self.namespace(plugin, delete.namespace) else { return false };
        let mut namespace = namespace.write().unwrap_or_else(PoisonError::into_inner);
        namespace.delete(delete.key, delete.only, clock::steady())
    }

    fn server(&self, redis: &Redis<'_>, prefix: &str) -> Option<Arc<dyn RemoteValues>> {
        Some(Arc::new(Remote::new(self.clients.of(redis.into()), prefix)))
    }
}

#[cfg(test)]
mod tests {
    use plugin_contract::kv::{Delete, Get, Only, Outcome, Set};

    use super::{KeyValueStore, KeyValues, MOST_NAMESPACES};

    fn set<'a>(namespace: &'a str, value: &'a [u8]) -> Set<'a> {
        Set { namespace, key: "k", value, ttl: None, only: Only::Always }
    }

    #[test]
    fn plugins_and_namespaces_do_not_share() {
        let store = KeyValueStore::default();
        store.set("p", &set("n", b"1"));
        let get = |plugin, namespace| store.get(plugin, &Get { namespace, key: "k" });
        assert_eq!(get("p", "n").unwrap().0, "1");
        assert_eq!((get("q", "n"), get("p", "m")), (None, None));
        let delete =
            |plugin, namespace| store.delete(plugin, &Delete { namespace, key: "k", only: Only::Always });
        assert!(!delete("q", "n") && delete("p", "n") && !delete("p", "n"));
    }

    #[test]
    fn a_plugin_has_so_many_namespaces() {
        let store = KeyValueStore::default();
        let names: Vec<_> = (0..=MOST_NAMESPACES).map(|name| name.to_string()).collect();
        let outcomes: Vec<_> = names.iter().map(|name| store.set("p", &set(name, b""))).collect();
        assert!(outcomes[..MOST_NAMESPACES].iter().all(|outcome| matches!(outcome, Outcome::Done(1))));
        assert_eq!(outcomes[MOST_NAMESPACES], Outcome::Full);
        assert_eq!(store.set("p", &set("3", b"x")), Outcome::Done(2));
        assert_eq!(store.set("q", &set("x", b"x")), Outcome::Done(1));
    }
}
