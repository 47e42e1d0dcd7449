//! What a foreign function sees of who calls it, and what it may do there.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

use gateway_core::{Body, config::Plugin, identity::Identity, plugin::Exchange};
use http::{HeaderName, HeaderValue, Request, Response, header::SET_COOKIE};
use uuid::Uuid;

use crate::{Status, grants::Grants, names::Names, notes::Notes, sources::Sources};

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

/// A plugin entity, without its config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entity {
    /// Its id; nil where the plugin was configured without an entity.
    pub id: Uuid,
    /// Its label.
    pub instance_name: Option<String>,
    /// The route it is for, if it is for one.
    pub route: Option<Uuid>,
    /// The service it is for, if it is for one.
    pub service: Option<Uuid>,
    /// The consumer it is for, if it is for one.
    pub consumer: Option<Uuid>,
}

impl From<&Plugin> for Entity {
    fn from(plugin: &Plugin) -> Self {
        Self {
            id: plugin.id,
            instance_name: plugin.instance_name.clone(),
            route: plugin.route.map(|route| route.id),
            service: plugin.service.map(|service| service.id),
            consumer: plugin.consumer.map(|consumer| consumer.id),
        }
    }
}

/// Fields of an answer that the functions of one callback may write.
const FIELDS: usize = 256;
/// Bytes of their values.
const BYTES: usize = 256 << 10;

type Field = (HeaderName, HeaderValue);

/// What foreign functions want of an exchange. It is done when the callback has returned.
#[derive(Debug, Default)]
pub struct Effects {
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The host takes it as soon as the function has returned.
    pub(crate) reply: Option<Box<Response<Body>>>,
}

impl Effects {
    /// Makes somebody the request's consumer: plugins of lower priority run with the configurations of that consumer.
    /// What the upstream is told stands in the request's header fields ([`Identity::write`]).
    pub fn identify(&mut self, identity: Arc<Identity>) {
        self.identity = Some(identity);
    }

    /// Who was made the request's consumer in this callback.
    #[must_use]
    pub const fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// Answers the request with this, as `proxy_send_local_response` does.
    pub fn answer(&mut self, response: Response<Body>) {
        self.reply = Some(Box::new(response));
    }

    /// Writes a header field on the answer, in place of all of its name, when the plugin's turn comes on the way
    /// back. Of several of one name the last one counts; but `Set-Cookie` is added beside those that are there, as each
    /// is of a cookie of its own (RFC 6265, section 3). Of one callback 256 are taken, and no more.
    pub fn set_response_header(&mut self, name: HeaderName, value: HeaderValue) {
        let room = self.headers.len() < FIELDS;
        match self.headers.iter_mut().find(|(known, _)| *known == name && name != SET_COOKIE) {
            Some((_, known)) => *known = value,
            None if room => self.headers.push((name, value)),
            None => {}
        }
    }

    /// The same for several: all of them, or none where one is none or they have no room.
    pub(crate) fn set_response_headers(
        &mut self,
        fields: impl Iterator<Item = Result<Field, Status>>,
    ) -> Result<(), Status> {
        let before = self.headers.len();
        if let Err(status) = self.append(fields) {
            self.headers.truncate(before);
            return Err(status);
        }
        // They are written in their order, so that the last one of a name counts; here, too, each has one place.
        if before > 0 {
            let fields = self.headers.split_off(before);
            fields.into_iter().for_each(|(name, value)| self.set_response_header(name, value));
        }
        Ok(())
    }

    fn append(&mut self, fields: impl Iterator<Item = Result<Field, Status>>) -> Result<(), Status> {
        self.headers.reserve(fields.size_hint().0.min(FIELDS));
        for field in fields {
            self.headers.push(field?);
        }
        let bytes = self.headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        if self.headers.len() > FIELDS || bytes > BYTES { Err(Status::InternalFailure) } else { Ok(()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.identity.is_none() && self.headers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

    use http::{HeaderName, HeaderValue};

    use super::{BYTES, Configuration, Effects, Entity};
    use crate::Status;

    #[test]
    fn fields_of_an_answer_have_a_bound_in_bytes() {
        let (mut effects, name) = (Effects::default(), HeaderName::from_static("x-a"));
        let half = HeaderValue::try_from("a".repeat(BYTES / 2)).unwrap();
        let field = || Ok((name.clone(), half.clone()));
        assert_eq!(effects.set_response_headers([field()].into_iter()), Ok(()));
        let more = [field(), field()].into_iter();
        assert_eq!(effects.set_response_headers(more), Err(Status::InternalFailure), "none of them");
        assert_eq!(effects.headers.len(), 1);
    }

    #[test]
    fn all_fields_of_a_call_are_written_or_none() {
        let mut effects = Effects::default();
        let field = |name: &'static str, value: &'static str| {
            Ok((HeaderName::from_static(name), HeaderValue::from_static(value)))
        };
        let bad = Err(Status::BadArgument);
        let fields = [field("x-a", "1"), bad];
        assert_eq!(effects.set_response_headers(fields.into_iter()), Err(Status::BadArgument));
        assert!(effects.headers.is_empty());
        effects.set_response_headers([field("x-a", "1"), field("x-b", "1")].into_iter()).unwrap();
        effects.set_response_headers([field("x-b", "2"), field("set-cookie", "c")].into_iter()).unwrap();
        let told: Vec<_> =
            effects.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(told, [("x-a", &b"1"[..]), ("x-b", b"2"), ("set-cookie", b"c")]);
    }

    #[test]
    fn each_kind_of_thing_is_kept_once() {
        let configuration = Configuration::new(1, Entity::default());
        configuration.kept::<AtomicU32>().unwrap().store(5, Relaxed);
        configuration.kept::<AtomicU64>().unwrap().store(7, Relaxed);
        assert_eq!(configuration.kept::<AtomicU32>().unwrap().load(Relaxed), 5);
        assert_eq!(configuration.kept::<AtomicU64>().unwrap().load(Relaxed), 7);
    }
}
