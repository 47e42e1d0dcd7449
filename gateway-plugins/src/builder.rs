//! How a plugin is put together.

use std::{
    borrow::Cow,
    path::Path,
    sync::{Arc, LazyLock},
};

use gateway_core::config::schema::Record;

use crate::{
    Area, Consumers, Counters, Engine, ForeignFunction, Function, Isolation, KeyValues, Limits, LoadError,
    Manifest, OnError, RateLimits, Secrets, Upstreams, config::schema, function::serve, functions,
    grants::Grants, load, module::Module, plugin::WasmPlugin, pool::Pool, runtime::Runtime,
    services::Services, watch::MakePool,
};

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
        functions::follow(&mut self.services, name);
        self
    }

    /// A function of the contract, under the name that the contract has for it, in place of another one of that name.
    #[must_use]
    pub fn serve<F: Function>(mut self, function: F) -> Self {
        serve(&mut self.services, function);
        functions::follow(&mut self.services, <F::Arguments<'static> as plugin_contract::Call>::NAME);
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
        let module = load::read(path.as_ref(), self.limits.module)?;
        self.bytes(engine, &module)
    }
}
