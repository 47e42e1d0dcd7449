//! The limiters that come with the gateway.

use std::sync::Arc;

use plugin_contract::ratelimit::{Algorithm, Limiter, Store};

use super::{
    RateLimit, RateLimits, Scope, here::Here, local::Local, remote::Remote, synced::Synced, verdict::Rules,
};
use crate::{Status, redis::Clients, table::Name};

/// Limits in this process and in Redis.
///
/// What happens in this process lies in a table of bounded size: one slot for each window of each key. By default
/// that are 262,144 slots of 48 bytes, at most 13 MB, taken as keys come. Beyond it slots that have expired are used
/// again, then those that were not used for longest and hold nobody back.
#[derive(Debug)]
pub struct Limiters {
    local: Arc<Local>,
    clients: Clients,
}

impl Limiters {
    /// With room for so many windows of keys, rounded up to 16 times a power of two.
    #[must_use]
    pub fn with_slots(slots: usize) -> Self {
        Self { local: Arc::new(Local::new(slots)), clients: Clients::default() }
    }

    /// What a limiter counts under: the plugin, the scope of its entity and the limiter's own name. An edit of the
    /// configuration changes none of them.
    fn name(&self, limiter: &Limiter<'_>, scope: Scope<'_>) -> Name {
        let id = |id: Option<uuid::Uuid>| id.unwrap_or_default().into_bytes();
        let entity = scope.entity;
        let (route, service, consumer) = (id(entity.route), id(entity.service), id(entity.consumer));
        self.local.name(&[scope.plugin.as_bytes(), &route, &service, &consumer, limiter.name.as_bytes()])
    }
}

impl Default for Limiters {
    fn default() -> Self {
        Self::with_slots(1 << 18)
    }
}

impl RateLimits for Limiters {
    fn limiter(&self, limiter: &Limiter<'_>, scope: Scope<'_>) -> Result<Arc<dyn RateLimit>, Status> {
        let rules = Rules::new(limiter.algorithm, &limiter.windows).ok_or(Status::BadArgument)?;
        let here = Here { local: Arc::clone(&self.local), name: self.name(limiter, scope), rules };
        let Store::Redis(redis) = &limiter.store else { return Ok(Arc::new(here)) };
        let client = self.clients.of(redis.into());
        let remote = Remote::new(client, limiter, scope, here.rules.clone()).ok_or(Status::BadArgument)?;
        match redis.sync {
            None => Ok(Arc::new(remote)),
            Some(period) if limiter.algorithm == Algorithm::Fixed => {
                Ok(Arc::new(Synced::new(here, remote, period)))
            }
            Some(_) => Err(Status::BadArgument),
        }
    }
}
