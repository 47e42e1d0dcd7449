//! A configuration, compiled: what one request sees from start to end.

mod backends;
mod compile;
mod detours;
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
    observe::PolicyReading,
    plugin::{Reading, Registry},
    router::Router,
    upstream::{Backend, Upstream},
};

use backends::Backends;
use detours::Detours;
use plugins::Families;

/// A configuration, compiled. Immutable: a change makes the next one, which shares what did not change.
pub struct Snapshot {
    checked: Checked,
    router: Router<Arc<Entry>>,
    backends: Backends,
    families: Families,
    detours: Detours,
    identities: Arc<Identities>,
    /// The plugins that it was compiled with. The last field, so that they end after what they configured: a plugin may
    /// have to bring away what that leaves.
    plugins: Arc<Registry>,
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

    /// The plugins that it names.
    #[must_use]
    pub const fn plugins(&self) -> &Arc<Registry> {
        &self.plugins
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

    /// What plugins show at this moment, each with the name of the service that it is about.
    #[must_use]
    pub fn readings(&self) -> Vec<PolicyReading> {
        let config = self.config();
        let host = |id: Uuid| self.backends.host_of(id).map_or_else(|| id.to_string(), ToString::to_string);
        let service = |id: Uuid| match config.services.get(&id) {
            Some(service) => service.name.clone().unwrap_or_else(|| service.host.clone()),
            None => host(id),
        };
        let plugin = |id: Uuid| {
            let name = config.plugins.get(&id).and_then(|plugin| plugin.instance_name.clone());
            name.unwrap_or_else(|| id.to_string())
        };
        let named = |id: Uuid, reading: Reading| PolicyReading {
            service: reading.service.map(service).unwrap_or_default(),
            plugin: plugin(id),
            reading,
        };
        let policies = self.families.policies().map(|(id, policy)| (id, policy.readings()));
        let handlers = self.families.handlers().map(|(id, handler)| (id, handler.readings()));
        let shown = policies.chain(handlers).flat_map(|(id, all)| all.into_iter().map(move |it| (id, it)));
        let of_plugins = self.plugins.iter().flat_map(|plugin| {
            let all = plugin.readings().into_iter();
            all.map(|reading| PolicyReading {
                service: String::new(),
                plugin: plugin.name().to_owned(),
                reading,
            })
        });
        shown.map(|(id, it)| named(id, it)).chain(of_plugins).collect()
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
