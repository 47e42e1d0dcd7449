//! A configuration, compiled: what one request sees from start to end.

mod backends;
mod compile;
mod compiler;
mod entry;
mod environment;
mod plugins;

pub(crate) use compile::compile;
pub(crate) use entry::Entry;
pub(crate) use environment::Environment;

use std::{collections::HashMap, fmt, sync::Arc};

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::{
    config::{Config, Plugin},
    plugin::Configured,
    router::Router,
    upstream::{Backend, TlsSettings, Transport, Upstream},
};

/// A map by entity.
type ById<T> = HashMap<Uuid, T, RandomState>;

/// Endpoints, as one snapshot hands them to the next.
type Upstreams = HashMap<UpstreamKey, Arc<Upstream>, RandomState>;

/// Backends by service, with the settings and the transport that may be shared with the next snapshot.
type Backends = ById<(Option<TlsSettings>, Transport, Arc<Backend>)>;

/// Plugins, as one snapshot hands them to the next.
type Plugins = ById<(Arc<Plugin>, Configured)>;

/// A configuration, compiled. Immutable: a change makes the next one, which shares what did not change.
pub struct Snapshot {
    config: Config,
    router: Router<Arc<Entry>>,
    upstreams: Upstreams,
    backends: Backends,
    plugins: Plugins,
}

/// What a group of endpoints belongs to, over all changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum UpstreamKey {
    /// An upstream entity.
    Entity(Uuid),
    /// The host and port of services.
    Host(String, u16),
}

impl Snapshot {
    /// What it was compiled from.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The router.
    pub(crate) const fn router(&self) -> &Router<Arc<Entry>> {
        &self.router
    }

    /// What the service `id` is forwarded to; nothing where its protocol is not spoken.
    pub(crate) fn backend(&self, id: Uuid) -> Option<&Arc<Backend>> {
        self.backends.get(&id).map(|(_, _, backend)| backend)
    }

    /// The endpoints of the upstream entity `id`, if a service uses it.
    #[must_use]
    pub fn upstream(&self, id: Uuid) -> Option<&Arc<Upstream>> {
        self.upstreams.get(&UpstreamKey::Entity(id))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("routes", &self.config.routes.len()).finish_non_exhaustive()
    }
}
