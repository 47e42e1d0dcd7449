//! A module as a plugin of the gateway.

use std::{fmt, fs, path::Path, sync::Arc};

use gateway_core::{
    config::{self, schema::Record},
    plugin::{Configured, Plugin},
};
use serde_json::Value;

use crate::{
    Area, Consumers, Counters, Engine, ForeignFunction, Function, KeyValues, Limits, LoadError, Metric,
    OnError, RateLimits, Secrets, Stats, Upstreams,
    call::Entity,
    config::{Config, Grants, schema},
    function::serve,
    functions,
    handler::{Bound, WasmHandler},
    host::Home,
    instance::{Instance, Unfit},
    module::Module,
    pool::Pool,
    runtime::Runtime,
    services::Services,
};

/// A Proxy-Wasm module as a plugin: register it like a native one.
///
/// Each configuration becomes a root context, each request a stream context; all configurations of a plugin live in
/// one instance per worker. The guest gets the JSON text of `config`, without the field `host`, which is the
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
    pool: Arc<Pool>,
    priority: i32,
    grants: Grants,
    schema: Record,
}

impl WasmPlugin {
    /// Starts to make a plugin of this name.
    #[must_use]
    pub fn builder(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            priority: 1_000,
            grants: Grants::default(),
            limits: Limits::default(),
            services: functions::services(),
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.watch().stats()
    }

    /// A handle to look at the plugin once it is registered.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.pool))
    }

    /// Tries a configuration out in an instance that serves nobody.
    fn try_out(&self, config: &Arc<Config>) -> Result<(), Unfit> {
        Instance::new(&self.pool.runtime, Home::Staging)?.add_root(config).map(drop)
    }
}

impl Plugin for WasmPlugin {
    fn name(&self) -> &str {
        &self.pool.runtime.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        self.bind(Entity::default(), config)
    }

    fn configure_entity(&self, entity: &config::Plugin) -> Result<Configured, String> {
        self.bind(entity.into(), &entity.config)
    }
}

impl WasmPlugin {
    fn bind(&self, entity: Entity, config: &Value) -> Result<Configured, String> {
        let config = Arc::new(Config::new(entity, config, &self.grants)?);
        self.try_out(&config).map_err(|unfit| unfit.to_string())?;
        self.pool.runtime.note(&config);
        Ok(Configured::handler(WasmHandler(Arc::new(Bound { pool: Arc::clone(&self.pool), config }))))
    }
}

impl fmt::Debug for WasmPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmPlugin").field("name", &self.pool.runtime.name).finish_non_exhaustive()
    }
}

/// Looks at a plugin.
#[derive(Clone)]
pub struct Watch(Arc<Pool>);

impl Watch {
    /// What the plugin has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// The metrics that the guest defined, over all its instances.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.0.runtime.metrics()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.runtime.name).finish()
    }
}

/// Puts a [`WasmPlugin`] together. By default it has priority 1000, denies where it fails, may call nothing, and has
/// the bounds of [`Limits::default`].
#[derive(Debug)]
pub struct Builder {
    name: String,
    priority: i32,
    grants: Grants,
    limits: Limits,
    services: Services,
}

impl Builder {
    /// Its place in the chain: higher runs first.
    #[must_use]
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// What becomes of a request that it fails on, where a configuration does not say.
    #[must_use]
    pub const fn on_error(mut self, on_error: OnError) -> Self {
        self.grants.on_error = on_error;
        self
    }

    /// Where its callouts go, and the names it may call, where a configuration does not say.
    #[must_use]
    pub fn upstreams<'a>(
        mut self,
        upstreams: Arc<dyn Upstreams>,
        allowed: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.services.sources.upstreams = Some(upstreams);
        self.grants.upstreams = allowed.into_iter().map(str::to_owned).collect();
        self
    }

    /// A function that it can call by `name`.
    #[must_use]
    pub fn function(mut self, name: &str, function: impl ForeignFunction) -> Self {
        self.services.add(name, Arc::new(function));
        self
    }

    /// A function of the contract, under the name that the contract has for it, in place of another one of that name.
    #[must_use]
    pub fn serve(mut self, function: impl Function) -> Self {
        serve(&mut self.services, function);
        self
    }

    /// The functions of an area, as the gateway has them.
    ///
    /// ```
    /// use gateway_plugins::{Area, WasmPlugin};
    ///
    /// let plugin = WasmPlugin::builder("key-auth").grant([Area::Consumer, Area::Response]);
    /// ```
    #[must_use]
    pub fn grant(mut self, areas: impl IntoIterator<Item = Area>) -> Self {
        areas.into_iter().for_each(|area| area.register(&mut self.services));
        self
    }

    /// Where consumers and credentials are looked up, in place of the gateway's configuration.
    #[must_use]
    pub fn consumers(mut self, consumers: Arc<dyn Consumers>) -> Self {
        self.services.sources.consumers = consumers;
        self
    }

    /// The secrets that it may use, where a configuration does not say: references as
    /// `{vault://env/name}` or `{file:///path}`, or their beginnings with a `*` behind.
    #[must_use]
    pub fn secrets<'a>(mut self, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        self.grants.secrets = allowed.into_iter().map(str::to_owned).collect();
        self
    }

    /// Where secrets are read, in place of the node's environment and files.
    #[must_use]
    pub fn secrets_from(mut self, secrets: Arc<dyn Secrets>) -> Self {
        self.services.sources.secrets = secrets;
        self
    }

    /// Where its limits are counted. Without this all plugins of the process share one [`Limiters`](crate::Limiters), so that
    /// what was counted outlives each of them.
    #[must_use]
    pub fn rate_limits(mut self, limits: Arc<dyn RateLimits>) -> Self {
        self.services.sources.rate_limits = limits;
        self
    }

    /// Where its counters are. Without this all plugins of the process share one [`CounterStore`](crate::CounterStore).
    #[must_use]
    pub fn counters(mut self, counters: Arc<dyn Counters>) -> Self {
        self.services.sources.counters = counters;
        self
    }

    /// Where its values are kept. Without this all plugins of the process share one
    /// [`KeyValueStore`](crate::KeyValueStore), each with namespaces of its own.
    #[must_use]
    pub fn key_values(mut self, values: Arc<dyn KeyValues>) -> Self {
        self.services.sources.values = values;
        self
    }

    /// Its bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The plugin of a module in WebAssembly's binary format.
    ///
    /// # Errors
    /// A module that cannot be one, with the import, export or limit at fault.
    pub fn bytes(self, engine: &Engine, module: &[u8]) -> Result<WasmPlugin, LoadError> {
        let module = Module::new(engine, module, &self.limits)?;
        Ok(self.module(engine, &module))
    }

    /// The plugin of a module that `engine` has compiled.
    #[must_use]
    pub fn module(self, engine: &Engine, module: &Module) -> WasmPlugin {
        let runtime = Runtime::new(&self.name, engine.clone(), module.clone(), self.limits, self.services);
        let (priority, grants) = (self.priority, self.grants);
        WasmPlugin { pool: Pool::new(runtime), priority, grants, schema: schema() }
    }

    /// The plugin of a module in a file.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and where the file cannot be read. One that is too large is not read.
    pub fn file(self, engine: &Engine, path: impl AsRef<Path>) -> Result<WasmPlugin, LoadError> {
        let path = path.as_ref();
        let failed = |source| LoadError::File { path: path.to_owned(), source };
        let size = fs::metadata(path).map_err(failed)?.len();
        let limit = self.limits.module as u64;
        if size > limit {
            return Err(LoadError::Limit { what: "the module's size in bytes", wanted: size, limit });
        }
        let module = fs::read(path).map_err(failed)?;
        self.bytes(engine, &module)
    }
}
