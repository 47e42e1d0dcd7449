//! A configuration, compiled: what one request sees from start to end.

mod backends;
mod compile;
mod entry;
mod environment;
mod plugins;
mod speaks;
#[cfg(test)]
mod tests;
mod touched;

pub(crate) use compile::compile;
pub(crate) use entry::Entry;
pub(crate) use environment::Environment;

use std::{fmt, sync::Arc};

use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    config::{Checked, Config},
    identity::Identities,
    router::Router,
    upstream::{Backend, Upstream},
};

use backends::Backends;
use plugins::Families;

/// A configuration, compiled. Immutable: a change makes the next one, which shares what did not change.
pub struct Snapshot {
    checked: Checked,
    router: Router<Arc<Entry>>,
    backends: Backends,
    families: Families,
    identities: Arc<Identities>,
}

impl Snapshot {
    /// What it was compiled from.
    #[must_use]
    pub const fn config(&self) -> &Config {
        self.checked.config()
    }

    /// The same, with what it takes to check a change of it.
    #[must_use]
    pub const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The router.
    pub(crate) const fn router(&self) -> &Router<Arc<Entry>> {
        &self.router
    }

    /// Who may call.
    #[must_use]
    pub const fn identities(&self) -> &Arc<Identities> {
        &self.identities
    }

    /// How the service `id` is forwarded to; nothing where its protocol is not spoken.
    #[must_use]
    pub fn backend(&self, id: Uuid) -> Option<&Arc<Backend>> {
        self.backends.get(id)
    }

    /// Begins the probes of all upstreams that are probed.
    pub(crate) fn start(&self, runtime: &Handle) {
        self.backends.groups().for_each(|endpoints| endpoints.start_probes(runtime));
    }

    /// The endpoints of the upstream entity `id`, if a service uses it.
    #[must_use]
    pub fn upstream(&self, id: Uuid) -> Option<&Arc<Upstream>> {
        let name = &self.config().upstreams.get(&id)?.name;
        self.backends.behind(name, None)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("routes", &self.config().routes.len()).finish_non_exhaustive()
    }
}
