//! Counters in Redis.

use std::sync::{Arc, LazyLock};

use plugin_contract::counter::Add;
use redis::Script;

use crate::redis::Client;

static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("add.lua")));

/// Adds to `counter/PLUGIN/NAMESPACE:KEY`.
pub(super) fn add(
    client: Arc<Client>,
    plugin: &str,
    add: &Add<'_>,
) -> impl Future<Output = Option<i64>> + Send + use<> {
    let key = format!("counter/{plugin}/{}:{}", add.namespace, add.key);
    let (delta, ttl) = (add.delta, add.ttl.max(1));
    async move {
        let mut call = ADD.prepare_invoke();
        call.key(key).arg(delta).arg(ttl);
        client.run(&call).await
    }
}
