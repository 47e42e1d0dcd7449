//! What a foreign function sees of who calls it, and what it may do there.

use std::{any::Any, fmt, sync::OnceLock};

use gateway_core::{Body, plugin::Exchange};
use http::{Request, Response};

use crate::{Effects, Entity, grants::Grants, names::Names, notes::Notes, sources::Sources};

/// A call of a foreign function, from the gateway's side: who calls, and what is at hand at that moment.
///
/// Everything is lent for the time of the call; what it gives for the request itself goes into
/// [`effects`](Self::effects).
#[non_exhaustive]
pub struct Call<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// The configuration that the running callback belongs to.
    pub configuration: &'a Configuration,
    /// The worker; none where an instance only tries a configuration out: nothing may leave it then.
    pub shard: Option<usize>,
    /// The request under way, where the callback belongs to one.
    pub exchange: Option<&'a Exchange>,
    /// The request, in callbacks that may still change its head.
    pub request: Option<&'a mut Request<Body>>,
    /// The response, in callbacks that may still change its head.
    pub response: Option<&'a mut Response<Body>>,
    /// What becomes of the exchange after the callback; none where no head of a message is at hand.
    pub effects: Option<&'a mut Effects>,
    /// Room for the answer, empty, kept from call to call: what is written here and [`Returned::Written`] needs no
    /// memory of its own.
    ///
    /// [`Returned::Written`]: crate::Returned::Written
    pub answer: &'a mut Vec<u8>,
    /// What guests set on the request, for each other.
    pub(crate) notes: Option<&'a Notes>,
    pub(crate) names: &'a mut Names,
    pub(crate) sources: &'a Sources,
    pub(crate) grants: &'a Grants,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("Call");
        call.field("plugin", &self.plugin).field("configuration", &self.configuration);
        call.field("shard", &self.shard).finish_non_exhaustive()
    }
}

/// A plugin entity as configured: who it is, where it applies, and what functions keep for it.
pub struct Configuration {
    /// Tells it from all others of the process; an edit of the entity makes another one.
    pub id: u64,
    /// The entity.
    pub entity: Entity,
    kept: [OnceLock<Box<dyn Any + Send + Sync>>; KINDS],
}

/// Kinds of things that may be kept for one configuration.
const KINDS: usize = 16;

impl Configuration {
    pub(crate) fn new(id: u64, entity: Entity) -> Self {
        Self { id, entity, kept: Default::default() }
    }

    /// What a function keeps for this configuration, made where it is not there yet. It goes when the configuration
    /// and the last request under it have gone. Nothing where too many kinds of things are kept.
    ///
    /// ```no_run
    /// # fn with(call: &gateway_plugins::Call<'_>) {
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let calls: Option<&AtomicU64> = call.configuration.kept();
    /// calls.map(|calls| calls.fetch_add(1, Ordering::Relaxed));
    /// # }
    /// ```
    pub fn kept<T: Default + Send + Sync + 'static>(&self) -> Option<&T> {
        // A slot once taken stays as it is: looking takes no lock.
        self.kept.iter().find_map(|slot| slot.get_or_init(|| Box::<T>::default()).downcast_ref())
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").field("id", &self.id).field("entity", &self.entity).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

    use super::Configuration;
    use crate::Entity;

    #[test]
    fn each_kind_of_thing_is_kept_once() {
        let configuration = Configuration::new(1, Entity::default());
        configuration.kept::<AtomicU32>().unwrap().store(5, Relaxed);
        configuration.kept::<AtomicU64>().unwrap().store(7, Relaxed);
        assert_eq!(configuration.kept::<AtomicU32>().unwrap().load(Relaxed), 5);
        assert_eq!(configuration.kept::<AtomicU64>().unwrap().load(Relaxed), 7);
    }
}
