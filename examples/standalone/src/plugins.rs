//! The plugins of this node: those of the gateway itself, those in WebAssembly that come with it, and the operator's.

use gateway_core::{Gateway, plugin::Registry, plugins};
use gateway_plugins::{LoadError, Plugins};

use crate::{failure::Failure, inspect::chain, settings::Settings};

/// The plugins that a file may name.
pub(crate) struct NodePlugins {
    pub(crate) registry: Registry,
    shared: Plugins,
}

impl NodePlugins {
    /// The bundled ones, and those in the folders of the settings, which may take their place.
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        let failed = |error: LoadError| Failure::new(chain(&error));
        let shared = Plugins::new().map_err(failed)?;
        let mut registry = shared.bundled(plugins::bundled()).map_err(failed)?;
        for folder in &settings.plugins.search_path {
            registry = shared.folder(registry, folder, &settings.plugins.allow).map_err(failed)?;
        }
        Ok(Self { registry, shared })
    }

    /// Lets them call the services of `gateway`.
    pub(crate) fn connect(&self, gateway: &Gateway) {
        self.shared.upstreams().connect(gateway);
    }
}
