//! The plugins of this node: those of the gateway itself, those in WebAssembly that come with it, and the operator's.

use std::{
    env,
    path::{Path, PathBuf},
};

use gateway_core::{Gateway, plugin::Registry, plugins};
use gateway_plugins::{Engine, LoadError, Plugins};

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
        let shared = Plugins::on(engine(settings.plugins.cache.as_deref())?);
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

/// The engine, with what it compiles kept in the folder of the settings, or in that of the user's caches, if it can be:
/// the second start need not compile again.
fn engine(folder: Option<&Path>) -> Result<Engine, Failure> {
    let engine = match folder {
        Some(folder) if folder.as_os_str().is_empty() => Engine::new(),
        Some(folder) => Engine::cached(folder),
        None => usual_folder().map_or_else(Engine::new, |folder| {
            Engine::cached(&folder).or_else(|error| {
                tracing::info!(error = chain(&error), "compiled plugins are not kept");
                Engine::new()
            })
        }),
    };
    engine.map_err(|error| Failure::new(chain(&error)))
}

/// Where programs keep what they can make again (XDG Base Directory Specification).
fn usual_folder() -> Option<PathBuf> {
    let given = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("gateway"))
}
