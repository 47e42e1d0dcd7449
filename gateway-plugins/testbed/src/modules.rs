//! The plugins that there are, compiled once for all sessions.

use std::{collections::BTreeMap, error::Error, fs, path::PathBuf};

use gateway_plugins::{Builder, Engine, Limits, LoadError, Manifest, Module, WasmPlugin};

/// The plugins by their names.
pub(crate) struct Modules {
    pub(crate) engine: Engine,
    plugins: BTreeMap<String, (Vec<u8>, Module)>,
}

impl Modules {
    /// Those of the files that say what they are.
    pub(crate) fn load(paths: &[PathBuf]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let engine = Engine::new()?;
        let mut plugins = BTreeMap::new();
        for path in paths {
            let name = |error: &dyn Error| format!("{}: {error}", path.display());
            let bytes = fs::read(path).map_err(|error| name(&error))?;
            let Some(manifest) = Manifest::of(&bytes).map_err(|error| name(&error))? else { continue };
            let module = Module::new(&engine, &bytes, &Limits::default()).map_err(|error| name(&error))?;
            plugins.insert(manifest.name, (bytes, module));
        }
        Ok(Self { engine, plugins })
    }

    /// A plugin to be put together, and its code.
    pub(crate) fn get(&self, name: &str) -> Option<Result<(Builder, &Module), LoadError>> {
        let (bytes, module) = self.plugins.get(name)?;
        Some(WasmPlugin::described(bytes).map(|builder| (builder, module)))
    }
}
