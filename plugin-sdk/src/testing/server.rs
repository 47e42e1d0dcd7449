//! What several nodes keep together, on the test's clock.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use plugin_contract::kv::{Delete, Entry, Get, Outcome, Set};

use super::store::Store;

/// A server that plugins keep values on ([`kv::Server`](crate::kv::Server)). Gateways that are given the same one
/// ([`Gateway::server`](super::Gateway::server)) are nodes that share it.
#[derive(Clone, Default)]
pub struct Server(Rc<Inner>);

#[derive(Default)]
struct Inner {
    store: RefCell<Store>,
    down: Cell<bool>,
}

impl Server {
    /// One that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is down from now on: then it gives no answers.
    pub fn set_down(&self, down: bool) {
        self.0.down.set(down);
    }

    /// Has `read` look at the answer.
    pub(super) fn get<R>(
        &self,
        prefix: &str,
        get: &Get<'_>,
        now: Duration,
        read: impl FnOnce(Option<Option<Entry<'_>>>) -> R,
    ) -> R {
        if self.0.down.get() {
            return read(None);
        }
        let namespace = format!("{prefix}/{}", get.namespace);
        read(Some(self.0.store.borrow_mut().get(&Get { namespace: &namespace, ..*get }, now)))
    }

    pub(super) fn set(&self, prefix: &str, set: &Set<'_>, now: Duration) -> Option<Outcome> {
        let namespace = format!("{prefix}/{}", set.namespace);
        let set = Set { namespace: &namespace, ..*set };
        (!self.0.down.get()).then(|| self.0.store.borrow_mut().set(&set, now))
    }

    pub(super) fn delete(&self, prefix: &str, delete: &Delete<'_>, now: Duration) -> Option<bool> {
        let namespace = format!("{prefix}/{}", delete.namespace);
        let delete = Delete { namespace: &namespace, ..*delete };
        (!self.0.down.get()).then(|| self.0.store.borrow_mut().delete(&delete, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plugin_contract::kv::{Delete, Get, Only, Outcome, Set};

    use super::Server;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn stores_are_apart_by_their_prefixes_and_silent_while_the_server_is_down() {
        let (server, set) =
            (Server::new(), Set { namespace: "n", key: "k", value: b"v", ttl: None, only: Only::Absent });
        assert_eq!(server.set("a", &set, NOW), Some(Outcome::Done(1)));
        let get = |prefix| {
            let get = Get { namespace: "n", key: "k" };
            server.get(prefix, &get, NOW, |kept| kept.map(|kept| kept.is_some()))
        };
        assert_eq!((get("a"), get("b")), (Some(true), Some(false)));
        server.set_down(true);
        let delete = Delete { namespace: "n", key: "k", only: Only::Always };
        assert_eq!(
            (get("a"), server.set("a", &set, NOW), server.delete("a", &delete, NOW)),
            (None, None, None)
        );
        server.set_down(false);
        assert_eq!((server.delete("a", &delete, NOW), get("a")), (Some(true), Some(false)));
    }
}
