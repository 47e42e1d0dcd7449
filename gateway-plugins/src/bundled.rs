//! The plugins that come with the gateway, and what all plugins of a process share.

use std::sync::Arc;

use gateway_core::plugin::Registry;

use crate::{
    Area, Builder, CounterStore, Counters, Engine, GatewayUpstreams, KeyValueStore, KeyValues, Limiters,
    LoadError, RateLimits, WasmPlugin,
};

/// The modules in `bundled/`, built from `guests/` by `cargo xtask plugins`.
const MODULES: [&[u8]; 1] = [include_bytes!("../bundled/key-auth.wasm")];

/// What all plugins of a process share: the engine, what was counted, values, and where callouts go.
///
/// ```
/// use gateway_core::{Gateway, plugins};
/// use gateway_plugins::Plugins;
///
/// let shared = Plugins::new()?;
/// let gateway = Gateway::builder().plugins(shared.bundled(plugins::bundled())?).build()?;
/// shared.upstreams().connect(&gateway);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Plugins {
    engine: Engine,
    limits: Arc<dyn RateLimits>,
    counters: Arc<dyn Counters>,
    values: Arc<dyn KeyValues>,
    upstreams: Arc<GatewayUpstreams>,
}

impl Plugins {
    /// With an engine of its own, and nothing counted yet.
    ///
    /// # Errors
    /// Where the processor or the operating system lacks what compiled code needs.
    pub fn new() -> Result<Self, LoadError> {
        Ok(Self {
            engine: Engine::new()?,
            limits: Arc::new(Limiters::default()),
            counters: Arc::new(CounterStore::default()),
            values: Arc::new(KeyValueStore::default()),
            upstreams: Arc::default(),
        })
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where callouts go: to be connected to the gateway once that is built.
    #[must_use]
    pub const fn upstreams(&self) -> &Arc<GatewayUpstreams> {
        &self.upstreams
    }

    /// `registry` with the bundled plugins. They are compiled when a configuration first names them.
    ///
    /// # Errors
    /// None that are known of: they are part of this library.
    pub fn bundled(&self, registry: Registry) -> Result<Registry, LoadError> {
        MODULES.iter().try_fold(registry, |registry, module| {
            Ok(registry.with(self.grant(WasmPlugin::described(module)?).lazily(&self.engine, *module)))
        })
    }

    /// Gives a plugin all that the gateway has for plugins.
    #[must_use]
    pub fn grant(&self, builder: Builder) -> Builder {
        builder
            .grant(Area::ALL)
            .rate_limits(Arc::clone(&self.limits))
            .counters(Arc::clone(&self.counters))
            .key_values(Arc::clone(&self.values))
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plugins")
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::MODULES;
    use crate::Manifest;

    #[test]
    fn every_module_that_is_committed_comes_with_the_gateway() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundled");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut committed: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        committed.sort();
        let mut named: Vec<_> =
            MODULES.iter().map(|module| Manifest::of(module).unwrap().unwrap().name).collect();
        named.sort();
        assert_eq!(named, committed);
    }
}
