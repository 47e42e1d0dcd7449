//! A module as a plugin of the gateway.

use std::{
    borrow::Cow,
    fmt,
    path::Path,
    sync::{Arc, LazyLock},
};

use gateway_core::{
    config::{self, schema::Record},
    plugin::{Configured, Plugin, Reading},
};
use serde_json::Value;

use crate::{
    Area, Consumers, Counters, Engine, ForeignFunction, Function, Isolation, KeyValues, Limits, LoadError,
    Manifest, Metric, OnError, RateLimits, Secrets, Stats, Upstreams,
    bound::Bound,
    call::Entity,
    config::{Config, schema},
    files,
    function::serve,
    functions,
    grants::Grants,
    handler::WasmHandler,
    home::Home,
    instance::Instance,
    module::Module,
    pool::Pool,
    readings,
    runtime::Runtime,
    services::Services,
};

/// A Proxy-Wasm module as a plugin: register it like a native one.
///
/// Each configuration becomes a root context, each request a stream context; all configurations of a plugin live in
/// one instance per worker, unless it is [isolated](Builder::isolation). The guest gets the JSON text of `config`, without the field `host`, which is the
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
    name: Arc<str>,
    pool: Arc<LazyPool>,
    priority: i32,
    version: Option<String>,
    grants: Grants,
    schema: Record,
}

/// What a plugin runs on, made when it is first configured: most of those that are there are never used.
type LazyPool = LazyLock<Result<Arc<Pool>, LoadError>, MakePool>;
type MakePool = Box<dyn FnOnce() -> Result<Arc<Pool>, LoadError> + Send>;

impl WasmPlugin {
    /// Starts to make a plugin of this name, of a module that does not say itself what it is.
    #[must_use]
    pub fn builder(name: &str) -> Builder {
        Builder {
            name: name.into(),
            priority: 1_000,
            version: None,
            grants: Grants::default(),
            schema: schema(),
            limits: Limits::default(),
            isolation: Isolation::default(),
            services: functions::services(),
        }
    }

    /// Starts to make a plugin of a module that says itself what it is, as those built with the SDK do: name, priority,
    /// error policy and the table of its configuration come from its manifest.
    ///
    /// # Errors
    /// What is no module, or has no manifest, or one that makes no sense.
    pub fn described(module: &[u8]) -> Result<Builder, LoadError> {
        let manifest =
            Manifest::of(module)?.ok_or_else(|| LoadError::Manifest("there is none".to_owned()))?;
        let grants = Grants {
            on_error: manifest.policy()?,
            body_while_held: manifest.reads_body,
            ..Grants::default()
        };
        let (schema, priority) = (manifest.table()?, manifest.priority);
        let builder = Self::builder(&manifest.name).priority(priority);
        Ok(Builder { version: Some(manifest.version), grants, schema, ..builder })
    }

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

/// Looks at a plugin.
#[derive(Clone)]
pub struct Watch {
    name: Arc<str>,
    pool: Arc<LazyPool>,
}

impl Watch {
    /// What the plugin has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.pool().map(|pool| pool.stats()).unwrap_or_default()
    }

    /// The metrics that the guest defined, over all its instances.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.pool().map(|pool| pool.runtime.metrics()).unwrap_or_default()
    }

    /// Where it runs; none where it was never configured.
    fn pool(&self) -> Option<&Arc<Pool>> {
        LazyLock::get(&self.pool)?.as_ref().ok()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.name).finish()
    }
}

/// Puts a [`WasmPlugin`] together. By default it has priority 1000, denies where it fails, may call nothing, and has
/// the bounds of [`Limits::default`].
#[derive(Debug)]
pub struct Builder {
    name: Arc<str>,
    priority: i32,
    version: Option<String>,
    grants: Grants,
    schema: Record,
    limits: Limits,
    isolation: Isolation,
    services: Services,
}

impl Builder {
    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that its manifest says.
    pub(crate) fn version_said(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The same under another version.
    pub(crate) fn labelled(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

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

    /// Fields of its configuration whose URLs it may call, beside what else it is allowed: the operator who wrote such a
    /// URL has named its origin. Their defaults count as well.
    ///
    /// ```
    /// use gateway_plugins::WasmPlugin;
    ///
    /// let plugin = WasmPlugin::builder("login").origins_in(["issuer"]);
    /// ```
    #[must_use]
    pub fn origins_in<'a>(mut self, fields: impl IntoIterator<Item = &'a str>) -> Self {
        self.grants.origins_in = fields.into_iter().map(str::to_owned).collect();
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

    /// Who shares an instance of it. Default: all requests of a worker.
    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
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

    /// The same, but compiled and checked when the plugin is first configured: a configuration that needs it is
    /// refused where it cannot be one.
    #[must_use]
    pub fn lazily(self, engine: &Engine, module: impl Into<Cow<'static, [u8]>>) -> WasmPlugin {
        let (own, module) = (engine.clone(), module.into());
        self.finish(engine, move |limits| Module::new(&own, &module, limits))
    }

    /// The plugin of a module that `engine` has compiled.
    #[must_use]
    pub fn module(self, engine: &Engine, module: &Module) -> WasmPlugin {
        let module = module.clone();
        self.finish(engine, move |_| Ok(module))
    }

    /// The plugin of a module that is made when the plugin is first configured.
    fn finish(
        self,
        engine: &Engine,
        module: impl FnOnce(&Limits) -> Result<Module, LoadError> + Send + 'static,
    ) -> WasmPlugin {
        let Self { name, priority, version, grants, schema, limits, isolation, services } = self;
        let (own, commons) = (Arc::clone(&name), Arc::clone(engine.commons()));
        let make: MakePool = Box::new(move || {
            let module = module(&limits)?;
            let traits = (module.uses(), module.version());
            Ok(Pool::new(module, Runtime::new(&own, commons, traits, limits, services, isolation)))
        });
        WasmPlugin { name, pool: Arc::new(LazyLock::new(make)), priority, version, grants, schema }
    }

    /// The plugin of a module in a file.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and where the file cannot be read. One that is too large is not read.
    pub fn file(self, engine: &Engine, path: impl AsRef<Path>) -> Result<WasmPlugin, LoadError> {
        let module = files::read(path.as_ref(), self.limits.module)?;
        self.bytes(engine, &module)
    }
}
