//! A module as a plugin of the gateway.

use std::{fmt, sync::Arc};

use gateway_core::{
    config::{self, schema::Record},
    plugin::{Configured, Plugin, Reading},
};
use serde_json::Value;

use crate::{
    Stats,
    bound::Bound,
    config::Config,
    entity::Entity,
    grants::Grants,
    handler::WasmHandler,
    home::Home,
    instance::Instance,
    readings,
    watch::{LazyPool, Watch},
};

/// A Proxy-Wasm module as a plugin: register it like a native one.
///
/// Each configuration becomes a root context, each request a stream context; all configurations of a plugin live in
/// one instance per worker, unless it is [isolated](crate::Builder::isolation). The guest gets the JSON text of `config`, without the field `host`, which is the
/// gateway's: `on_error`, `upstreams` and `body_while_held`.
///
/// ```
/// use gateway_core::{Gateway, plugins};
/// use gateway_plugins::{Engine, OnError, WasmPlugin};
///
/// # let module = wat::parse_str(r#"(module (memory (export "memory") 1)
/// #     (func (export "proxy_abi_version_0_2_1"))
/// #     (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#).unwrap();
/// let engine = Engine::new()?;
/// let plugin = WasmPlugin::builder("my-filter").priority(900).on_error(OnError::Allow).bytes(&engine, &module)?;
/// let gateway = Gateway::builder().plugins(plugins::bundled().with(plugin)).build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct WasmPlugin {
    pub(crate) name: Arc<str>,
    pub(crate) pool: Arc<LazyPool>,
    pub(crate) priority: i32,
    pub(crate) version: Option<String>,
    pub(crate) grants: Grants,
    pub(crate) schema: Record,
}

impl WasmPlugin {
    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.watch().stats()
    }

    /// A handle to look at the plugin once it is registered.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { name: Arc::clone(&self.name), pool: Arc::clone(&self.pool) }
    }

    fn bind(&self, entity: Entity, config: &Value) -> Result<Configured, String> {
        let pool =
            self.pool.as_ref().as_ref().map_err(|error| format!("the plugin does not load: {error}"))?;
        let config = Arc::new(Config::new(entity, config, &self.grants)?);
        // First in an instance that serves nobody.
        let tried =
            Instance::new(&pool.module, &pool.runtime, Home::Staging).and_then(|mut it| it.add_root(&config));
        tried.map_err(|unfit| unfit.to_string())?;
        pool.runtime.note(&config);
        Ok(Configured::handler(WasmHandler(Arc::new(Bound { pool: Arc::clone(pool), config }))))
    }
}

impl Plugin for WasmPlugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("unknown")
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    /// What it did and what its guests count; nothing before it is used.
    fn readings(&self) -> Vec<Reading> {
        let watch = self.watch();
        let used = watch
            .pool()
            .map(|pool| readings::of(self.version.as_deref(), &pool.stats(), &pool.runtime.metrics()));
        used.unwrap_or_default()
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        self.bind(Entity::default(), config)
    }

    fn configure_entity(&self, entity: &config::Plugin) -> Result<Configured, String> {
        self.bind(entity.into(), &entity.config)
    }
}

impl fmt::Debug for WasmPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmPlugin").field("name", &self.name).finish_non_exhaustive()
    }
}
