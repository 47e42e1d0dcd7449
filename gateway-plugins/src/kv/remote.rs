//! Values on a Redis server, that all nodes keep together.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use plugin_contract::kv::{Delete, Get, Only, Outcome, Set};
use redis::Script;

use super::{Late, RemoteValues};
use crate::redis::Client;

/// A value lies behind the 8 bytes of its version, in one key: both change at once.
static GET: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('GET', KEYS[1])"));
static SET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("set.lua")));
static DELETE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("delete.lua")));

/// What keys on one server begin with.
#[derive(Debug)]
pub(super) struct Remote {
    client: Arc<Client>,
    prefix: String,
}

impl Remote {
    pub(super) fn new(client: Arc<Client>, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        Self { client, prefix }
    }

    fn key(&self, plugin: &str, namespace: &str, key: &str) -> String {
        format!("{}kv/{plugin}/{namespace}:{key}", self.prefix)
    }
}

impl RemoteValues for Remote {
    fn get(&self, plugin: &str, get: &Get<'_>) -> Late<Option<(Bytes, u64)>> {
        let (client, key) = (Arc::clone(&self.client), self.key(plugin, get.namespace, get.key));
        Box::pin(async move {
            let held: Option<Vec<u8>> = client.run_in_turn(GET.prepare_invoke().key(key)).await?;
            Some(held.and_then(read))
        })
    }

    fn set(&self, plugin: &str, set: &Set<'_>) -> Late<Outcome> {
        let (client, key) = (Arc::clone(&self.client), self.key(plugin, set.namespace, set.key));
        let version = fastrand::u64(1..);
        let value = [&version.to_be_bytes(), set.value].concat();
        let (seconds, only) = (set.ttl.map_or(0, |ttl| ttl.max(1)), set.only);
        Box::pin(async move {
            let mut call = SET.prepare_invoke();
            call.key(key).arg(value).arg(seconds).arg(condition(only));
            let refused: Option<Vec<u8>> = client.run_in_turn(&call).await?;
            Some(refused.map_or(Outcome::Done(version), |held| Outcome::Refused(of(&held))))
        })
    }

    fn delete(&self, plugin: &str, delete: &Delete<'_>) -> Late<bool> {
        let (client, key) = (Arc::clone(&self.client), self.key(plugin, delete.namespace, delete.key));
        let only = delete.only;
        Box::pin(async move {
            let mut call = DELETE.prepare_invoke();
            call.key(key).arg(condition(only));
            client.run_in_turn(&call).await
        })
    }
}

/// As the scripts read it: `always`, `absent`, or a version.
fn condition(only: Only) -> Vec<u8> {
    match only {
        Only::Always => b"always".to_vec(),
        Only::Absent => b"absent".to_vec(),
        Only::Version(version) => version.to_be_bytes().to_vec(),
    }
}

/// The version that bytes begin with.
fn of(held: &[u8]) -> Option<u64> {
    held.first_chunk().copied().map(u64::from_be_bytes)
}

/// A value and its version; nothing for what somebody else has put there.
fn read(held: Vec<u8>) -> Option<(Bytes, u64)> {
    let version = of(&held)?;
    Some((Bytes::from(held).slice(size_of::<u64>()..), version))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;
    use plugin_contract::{
        kv::{Delete, Get, Only, Outcome, Set},
        ratelimit::Redis,
    };
    use redis::AsyncCommands;

    use crate::{
        KeyValueStore, KeyValues, RemoteValues,
        redis::{server::RedisServer, tests::redis},
    };

    const GET: Get<'_> = Get { namespace: "n", key: "k" };

    fn server(port: u16, prefix: &str) -> Arc<dyn RemoteValues> {
        KeyValueStore::default().server(&redis(port), prefix).unwrap()
    }

    fn patient(port: u16) -> Arc<dyn RemoteValues> {
        KeyValueStore::default().server(&Redis { timeout: 20_000, ..redis(port) }, "").unwrap()
    }

    const fn set(value: &[u8], ttl: Option<u32>, only: Only) -> Set<'_> {
        Set { namespace: "n", key: "k", value, ttl, only }
    }

    const fn delete(only: Only) -> Delete<'static> {
        Delete { namespace: "n", key: "k", only }
    }

    fn version(outcome: Option<Outcome>) -> u64 {
        let Some(Outcome::Done(version)) = outcome else { panic!("{outcome:?}") };
        version
    }

    #[tokio::test]
    async fn what_one_node_keeps_others_find_and_change_where_its_condition_holds() {
        let Some(redis) = RedisServer::start(&[]) else { return };
        let (one, other) = (server(redis.port, ""), server(redis.port, ""));
        assert_eq!(one.get("p", &GET).await, Some(None));
        let first = version(one.set("p", &set(b"\x00\xff", Some(60), Only::Absent)).await);
        let held = (Bytes::from_static(b"\x00\xff"), first);
        assert_eq!(other.get("p", &GET).await, Some(Some(held)));
        let refused = Some(Outcome::Refused(Some(first)));
        assert_eq!(other.set("p", &set(b"x", None, Only::Absent)).await, refused);
        assert_eq!(other.set("p", &set(b"x", None, Only::Version(first ^ 1))).await, refused);
        assert_eq!(other.delete("p", &delete(Only::Version(first ^ 1))).await, Some(false));
        let second = version(other.set("p", &set(b"", Some(60), Only::Version(first))).await);
        assert_ne!(first, second);
        assert_eq!(one.get("p", &GET).await, Some(Some(("".into(), second))));
        assert_eq!(one.delete("p", &delete(Only::Absent)).await, Some(false));
        assert_eq!(one.delete("p", &delete(Only::Version(second))).await, Some(true));
        assert_eq!(one.delete("p", &delete(Only::Always)).await, Some(false));
        let gone = Some(Outcome::Refused(None));
        assert_eq!(one.set("p", &set(b"x", None, Only::Version(second))).await, gone);
    }

    #[tokio::test]
    async fn plugins_and_prefixes_do_not_share_and_values_end() {
        let Some(redis) = RedisServer::start(&[]) else { return };
        let (one, other) = (server(redis.port, ""), server(redis.port, "shop"));
        version(one.set("p", &set(b"v", Some(1), Only::Always)).await);
        assert_eq!((one.get("q", &GET).await, other.get("p", &GET).await), (Some(None), Some(None)));
        version(other.set("p", &set(b"v", None, Only::Always)).await);
        let mut connection = redis.other().await;
        let (ends, stays): (i64, i64) =
            (connection.pttl("kv/p/n:k").await.unwrap(), connection.ttl("shop:kv/p/n:k").await.unwrap());
        assert!((1..=1_000).contains(&ends) && stays == -1, "{ends} {stays}");
        let gone = async {
            while one.get("p", &GET).await != Some(None) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it ends");
        // What is no value is none.
        connection.set::<_, _, ()>("kv/p/n:k", "short").await.unwrap();
        assert_eq!(one.get("p", &GET).await, Some(None));
    }

    #[tokio::test]
    async fn of_many_who_want_a_lock_one_has_it() {
        let Some(redis) = RedisServer::start(&[]) else { return };
        // More than a client has under way at once: they wait for their turn, and have the time for it.
        let nodes: Vec<_> = (0..4).map(|_| patient(redis.port)).collect();
        let calls = (0..6_000).map(|call| nodes[call % 4].set("p", &set(b"", Some(60), Only::Absent)));
        let mut all = calls.map(tokio::spawn).collect::<tokio::task::JoinSet<_>>();
        let mut taken = 0;
        while let Some(outcome) = all.join_next().await {
            match outcome.unwrap().unwrap() {
                Some(Outcome::Done(_)) => taken += 1,
                Some(Outcome::Refused(Some(_))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, 1);
    }

    #[tokio::test]
    async fn a_server_that_is_down_answers_nothing_and_is_used_again() {
        let Some(mut redis) = RedisServer::start(&[]) else { return };
        let values = server(redis.port, "");
        version(values.set("p", &set(b"v", None, Only::Always)).await);
        redis.kill();
        assert_eq!(values.get("p", &GET).await, None);
        assert_eq!(values.set("p", &set(b"v", None, Only::Always)).await, None);
        assert_eq!(values.delete("p", &delete(Only::Always)).await, None);
        redis.restart();
        let back = async {
            while values.get("p", &GET).await.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), back).await.expect("it comes back");
    }
}
