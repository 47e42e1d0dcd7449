//! The plugins of this node: those of the gateway itself, and those in WebAssembly that come with it.

use gateway_core::{Gateway, plugin::Registry, plugins};
use gateway_plugins::Plugins;

use crate::failure::Failure;

/// The plugins that a file may name.
pub(crate) struct NodePlugins {
    pub(crate) registry: Registry,
    shared: Plugins,
}

impl NodePlugins {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("the plugins do not load: {error}"));
        let shared = Plugins::new().map_err(failed)?;
        let registry = shared.bundled(plugins::bundled()).map_err(failed)?;
        Ok(Self { registry, shared })
    }

    /// Lets them call the services of `gateway`.
    pub(crate) fn connect(&self, gateway: &Gateway) {
        self.shared.upstreams().connect(gateway);
    }
}
